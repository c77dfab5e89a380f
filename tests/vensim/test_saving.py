"""Saving edits: all files or none, no lost update between editors, and nothing inside an installed package."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from pathlib import Path

import pytest

from sdmodel import files
from sdmodel.errors import ModelError
from sdmodel.files import lock_folder, recover, replace_files, write_file
from sdmodel.testing import model_text
from sdmodel.vensim import open_document

EDITORS = 4
TEXT = model_text("".join(f"x{number} = 0 ~~|\n" for number in range(EDITORS)))


def _forked(work) -> int:
    """Start a process that does some work; it ends with 0 if that raises nothing."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def test_editors_at_once_lose_no_update(tmp_path):
    """Each sets its own constant ten times, and opens the model again if another has saved meanwhile."""
    path = tmp_path / "m.mdl"
    path.write_text(TEXT)

    def edit(number: int) -> None:
        for value in range(1, 11):
            while True:
                document = open_document(path)
                document[f"x{number}"].equation = str(value)
                try:
                    document.save()
                except ModelError as error:
                    assert "has changed since it was opened" in str(error)  # noqa: PT017 - a loop until it does not
                else:
                    break

    children = [_forked(lambda number=number: edit(number)) for number in range(EDITORS)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * EDITORS
    saved = open_document(path)
    assert [saved[f"x{number}"].equation for number in range(EDITORS)] == ["10"] * EDITORS
    assert [file.name for file in tmp_path.iterdir()] == ["m.mdl"]


def test_a_lock_is_waited_for_and_ends_with_its_process(tmp_path, monkeypatch):
    """An error names the other process; after it was killed, saving works at once."""
    path = tmp_path / "m.mdl"
    path.write_text(TEXT)
    monkeypatch.setattr(files, "_PATIENCE", 0.1)
    ready, locked = os.pipe()

    def hold() -> None:
        with lock_folder(tmp_path):
            os.write(locked, b"x")
            time.sleep(60)

    child = _forked(hold)
    os.read(ready, 1)
    document = open_document(path)
    document["x0"].equation = "1"
    try:
        with pytest.raises(ModelError, match=r"m\.mdl: cannot be written \(another process is changing files there\);"):
            document.save()
        assert path.read_text() == TEXT
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert document.save() == [str(path)]


def test_an_interrupted_change_is_undone_but_not_what_was_edited_since(tmp_path):
    """A process is killed after the first of three files; the second is then edited by hand."""
    names = ["a", "b", "c"]
    paths = [tmp_path / name for name in names]
    for path in paths:
        path.write_text("old")

    def work() -> None:
        def killed(path, content, **rest):
            if path == paths[2]:
                os._exit(3)
            write_file(path, content, **rest)

        files.write_file = killed
        replace_files(dict.fromkeys(paths, (b"old", b"new")), error=ModelError.from_text)

    assert os.waitstatus_to_exitcode(os.waitpid(_forked(work), 0)[1]) == 3
    assert [path.read_text() for path in paths] == ["new", "new", "old"]
    paths[1].write_text("by hand")
    assert recover(tmp_path, error=ModelError.from_text) == [paths[0]]
    assert [path.read_text() for path in paths] == ["old", "by hand", "old"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert recover(tmp_path, error=ModelError.from_text) == []


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"a": 5}', '{"a": ["!", "x"]}'])
def test_a_damaged_undo_record_is_one_line(tmp_path, content):
    """It names the file; nothing else is touched."""
    record = tmp_path / f".m.mdl-{files._HOST}-{os.getpid()}-0123abcd.undo"
    record.write_text(content)
    (tmp_path / "a").write_text("mine")
    if content == "{}":
        assert recover(tmp_path, error=ModelError.from_text) == []
    else:
        with pytest.raises(ModelError, match=r"abcd\.undo: a change that was interrupted cannot be undone \(.*\); .*$"):
            recover(tmp_path, error=ModelError.from_text)
    assert (tmp_path / "a").read_text() == "mine"


@pytest.mark.parametrize("name", ["../victim", "/etc/victim", "link/victim"])
def test_an_undo_record_of_a_stranger_changes_nothing_elsewhere(tmp_path, name):
    """A record that came with somebody's models cannot replace a file outside their folder, whose content it knows."""
    folder, victim = tmp_path / "models", tmp_path / "victim"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    victim.write_text("mine")
    digest = hashlib.sha256(b"mine").hexdigest()
    (folder / f".m.mdl-{files._HOST}-{os.getpid()}-0123abcd.undo").write_text(json.dumps({name: ["ZXZpbA==", digest]}))
    with pytest.raises(ModelError, match="another folder"):
        recover(folder, error=ModelError.from_text)
    assert victim.read_text() == "mine"


def test_an_interruption_by_the_user_undoes_the_files_before(tmp_path, monkeypatch):
    """Ctrl-C between two files is like an error."""
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_text("old")

    def interrupted(path, content, **rest):
        if path == paths[1]:
            raise KeyboardInterrupt
        write_file(path, content, **rest)

    monkeypatch.setattr(files, "write_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_files(dict.fromkeys(paths, (b"old", b"new")), error=ModelError.from_text)
    assert [path.read_text() for path in paths] == ["old", "old"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_was_put_aside_comes_back(tmp_path):
    """A process was killed between the two renames of a replacement; if the new one has the name, the old one goes."""
    for name in ("a.zarr", "b.zarr"):
        (tmp_path / f".{name}-{files._HOST}-{os.getpid()}-0123abcd.old").mkdir()
        (tmp_path / f".{name}-{files._HOST}-{os.getpid()}-0123abcd.old" / "file").write_text("old")
    (tmp_path / "b.zarr").mkdir()
    recover(tmp_path, error=ModelError.from_text)
    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")) == [
        "a.zarr",
        "a.zarr/file",
        "b.zarr",
    ]


def test_a_link_to_a_model_stays_a_link(tmp_path):
    """The file that it leads to changes."""
    (tmp_path / "real").mkdir()
    path = tmp_path / "real" / "m.mdl"
    path.write_text(TEXT)
    (tmp_path / "link.mdl").symlink_to(path)
    document = open_document(tmp_path / "link.mdl")
    document["x0"].equation = "1"
    document.save()
    assert (tmp_path / "link.mdl").is_symlink()
    assert open_document(path)["x0"].equation == "1"


@pytest.mark.parametrize("place", ["lib/python3.11/site-packages/models", "lib/python3/dist-packages/sdmodel/models"])
def test_nothing_in_an_installed_package_changes(tmp_path, place):
    """The error says how to copy the model; another file can be written, also by way of a link."""
    folder = tmp_path / place
    folder.mkdir(parents=True)
    path = folder / "m.mdl"
    path.write_text(TEXT)
    (tmp_path / "link.mdl").symlink_to(path)
    (tmp_path / "models").symlink_to(folder)
    cure = r"is part of an installed package; `sdmodel new FOLDER` makes a copy of the model to work on"
    for opened in (path, tmp_path / "link.mdl", tmp_path / "models" / "m.mdl"):
        document = open_document(opened)
        document["x0"].equation = "1"
        with pytest.raises(ModelError, match=cure):
            document.save()
        with pytest.raises(ModelError, match=cure):
            document.save(folder / "other.mdl")
    assert [file.name for file in folder.iterdir()] == ["m.mdl"]
    assert path.read_text() == TEXT
    document.save(tmp_path / "other.mdl")


def test_nothing_beside_the_code_of_the_package_changes():
    """A wheel has the models there, wherever it is installed."""
    with pytest.raises(ModelError, match="is part of an installed package"):
        write_file(Path(files.__file__).parent / "models" / "x.mdl", b"x", force=False, error=ModelError.from_text)
    assert not (Path(files.__file__).parent / "models" / "x.mdl").exists()
