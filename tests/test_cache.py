"""The user's cache: complete entries or none, whatever happens to its folder."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

import sdmodel as sd
from sdmodel import cache
from sdmodel.cache import OFF, SETTING, cached, find_cached, store_cached
from sdmodel.program import compile_program
from sdmodel.testing import tiny_model

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no permissions of this kind")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of entries of a cache of its own."""
    monkeypatch.setenv(SETTING, str(tmp_path))
    return tmp_path / "sdmodel" / "entries"


def test_an_entry_is_made_once(folder: Path):
    """What decides its content finds it; anything else does not."""
    made = []

    def make() -> bytes:
        made.append(1)
        return b"content"

    assert [cached("code", "a", make), cached("code", "a", make)] == [b"content"] * 2
    assert len(made) == 1
    assert find_cached("code", "b") is find_cached("grammar", "a") is None


@pytest.mark.parametrize("damaged", [b"", b"short", bytes(32) + b"content", None])
def test_a_damaged_entry_is_made_again(folder: Path, damaged: bytes | None):
    """Cut off, changed, or a folder instead of a file."""
    store_cached("code", "a", b"content")
    (entry,) = folder.iterdir()
    if damaged is None:
        entry.unlink()
        entry.mkdir()
    else:
        entry.write_bytes(damaged)
    assert find_cached("code", "a") is None
    assert cached("code", "a", lambda: b"again") == b"again"
    assert damaged is None or find_cached("code", "a") == b"again"


@POSIX
def test_a_folder_that_others_may_look_into_is_not_used(folder: Path):
    """Somebody else could have put machine code into it."""
    store_cached("code", "a", b"content")
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    assert find_cached("code", "a") is None
    store_cached("code", "b", b"content")
    assert len([*folder.iterdir()]) == 1
    folder.chmod(0o700)
    assert find_cached("code", "a") == b"content"


@POSIX
def test_a_folder_of_another_user_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Even if its permissions are as they should be."""
    store_cached("code", "a", b"content")
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert find_cached("code", "a") is None


def test_the_cache_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Then nothing is written anywhere."""
    monkeypatch.setenv(SETTING, OFF)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cached("code", "a", lambda: b"content") == b"content"
    assert find_cached("code", "a") is None
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(sys.platform != "linux", reason="the convention of Linux")
@pytest.mark.parametrize("given", ["", "relative"])
def test_the_folder_follows_the_convention_of_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str):
    """`XDG_CACHE_HOME` if it is a whole path, else `.cache` at home."""
    monkeypatch.delenv(SETTING)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    store_cached("code", "a", b"content")
    assert len([*(tmp_path / ".cache" / "sdmodel" / "entries").iterdir()]) == 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    store_cached("code", "a", b"content")
    assert len([*(tmp_path / "other" / "sdmodel" / "entries").iterdir()]) == 1


def test_a_folder_that_cannot_be_made_does_no_harm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A file is where the folder should be."""
    (tmp_path / "file").touch()
    monkeypatch.setenv(SETTING, str(tmp_path / "file"))
    assert cached("code", "a", lambda: b"content") == b"content"


def test_the_size_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The entries that were not used for longest go first, and one that is too large is not stored."""
    monkeypatch.setattr(cache, "_MOST_BYTES", 1000)
    monkeypatch.setattr(cache, "_MOST_ENTRY", 500)
    for number, name in enumerate("abc"):
        store_cached("code", name, bytes(300))
        os.utime(max(folder.iterdir(), key=lambda path: path.stat().st_mtime), (number, number))
    assert find_cached("code", "a") == bytes(300)  # which makes it the newest
    store_cached("code", "d", bytes(300))
    store_cached("code", "large", bytes(501))
    assert [name for name in ("a", "b", "c", "d", "large") if find_cached("code", name)] == ["a", "c", "d"]


def test_many_write_and_read_at_once(folder: Path):
    """Every reader gets a whole entry or none."""
    wrong = []

    def work(number: int) -> None:
        for _ in range(20):
            found = find_cached("code", "a")
            if found is not None and len(set(found)) != 1:
                wrong.append(found)
            store_cached("code", "a", bytes([number]) * 10_000)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len([*folder.iterdir()]) == 1


def test_code_comes_from_the_cache(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A second process would find the code of the first; damaged code is compiled again, and the numbers are the same."""
    text = "stock = INTEG(rate * stock, 100)\nrate = 0.1234"
    first = sd.simulate(tiny_model(text))
    (entry,) = folder.glob("code-*")
    monkeypatch.setattr("sdmodel.program.machine._compile", lambda *_: pytest.fail("it is in the cache"))
    assert sd.simulate(tiny_model(text))["stock"].identical(first["stock"])
    monkeypatch.undo()
    monkeypatch.setenv(SETTING, str(folder.parents[1]))
    entry.write_bytes(entry.read_bytes()[:-1] + b"x")
    assert sd.simulate(tiny_model(text))["stock"].identical(first["stock"])


def test_optimised_code_in_the_cache_is_used_at_once(folder: Path):
    """A model that has been run often is quick from the first run on."""
    assert compile_program(tiny_model("stock = INTEG(stock / 7, 100)")).code(1).optimised
    assert compile_program(tiny_model("stock = INTEG(stock / 7, 100)")).code(1, steps=1).optimised
    assert not compile_program(tiny_model("stock = INTEG(stock / 8, 100)")).code(1, steps=1).optimised
