"""Damaged stores: whatever changes in a file is reported with its name, or what is read is what was written."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sdmodel.dataset import text_attribute
from sdmodel.errors import StoreError
from sdmodel.store import add_members, create_ensemble, list_runs, open_for_append, open_run, save_run
from sdmodel.store.checksums import netcdf_length

ATTRIBUTES = {
    "model": "tea.mdl", "model_sha256": "0" * 64, "model_text": text_attribute("é{UTF-8}" * 30), "integrator": "rk4", "engine": "native",
    "created": "2025-01-01T00:00:00+00:00", "scenario": "", "changes": "room=20", "seed": 7, "levels": [0.5, float("nan")],
    "analysis": "attribution", "levers": json.dumps({"room": ["room = 20"]}),
}  # fmt: skip
BLOCK = 64


def _run(members: int) -> xr.Dataset:
    """A run with numbers, labels, dates, texts and the coordinate of a lever, in `members` members."""
    numbers = np.random.default_rng(1).normal(size=(12, 2, members))
    return xr.Dataset(
        {
            "delay": (("time", "tier", "member"), numbers, {"units": "days", "minimum": -1.5}),
            "sampled": ("member", numbers[0, 0], {"kind": "constant"}),
            "room": ((), 20.0, {"units": "°C", "kind": "constant"}),
        },
        {
            "time": ("time", 2024 + np.arange(12) / 4, {"units": "Year"}),
            "date": ("time", np.array("2024-01-01", "datetime64[ns]") + np.arange(12).astype("m8[D]")),
            "tier": ("tier", np.array(["premium", "très bas"]), {"kind": "subscript"}),
            "member": ("member", np.arange(members), {"long_name": "cup", "base": 1.0}),
            "late": ("time", np.arange(12) > 6),
        },
        ATTRIBUTES,
    )


def _ensemble(path: Path, run: xr.Dataset) -> Path:
    create_ensemble(run.isel(member=[0, 1]), path, count=run.sizes["member"])
    with open_for_append(path) as ensemble:
        add_members(ensemble, run)
    return path


def _damaged(content: bytes, places: int) -> Iterator[bytes]:
    """The content with one bit flipped at each of so many places, cut off, set to zero for a block, or longer."""
    generator = random.Random(len(content))
    for place in (generator.randrange(len(content)) for _ in range(places)):
        yield content[:place] + bytes([content[place] ^ 1 << generator.randrange(8)]) + content[place + 1 :]
    for place in (generator.randrange(len(content)) for _ in range(places // 4)):
        yield content[:place]
        yield content[:place] + bytes(len(content[place : place + BLOCK])) + content[place + BLOCK :]
    yield b""
    yield content[:-1]
    yield content + b"\0"
    yield bytes(len(content))


def _check_damage(file: Path, run: Path, places: int) -> tuple[int, int]:
    """Damage one file in many ways, each of which is noticed or leaves the run as it is; count those noticed, and all."""
    original, messages = file.read_bytes(), list[str]()
    damaged = [content for content in _damaged(original, places) if content != original]
    whole, entries = open_run(run).load(), list_runs(run.parent).runs
    for content in damaged:
        file.write_bytes(content)
        catalogue = list_runs(run.parent)
        assert [str(fault.where) for fault in catalogue.faults] == [str(run)] or catalogue.runs == entries
        try:
            read = open_run(run).load()
        except StoreError as fault:
            messages.append(str(fault))
        else:
            xr.testing.assert_identical(read, whole)
            assert list(read.data_vars) == list(whole.data_vars)
    file.write_bytes(original)
    assert all(message.startswith(str(run)) and "\n" not in message for message in messages)
    return len(messages), len(damaged)


def test_any_damage_to_a_run_is_noticed(tmp_path: Path) -> None:
    """Of numbers, coordinates, labels, attributes and texts, and of the record that the catalogue shows."""
    path = save_run(_run(3), tmp_path / "a.nc")
    noticed, count = _check_damage(path, path, 400)
    assert noticed == count > 400
    end = path.read_bytes()[-1500:]
    for place in range(len(end)):  # the record and the checksums themselves
        path.write_bytes(path.read_bytes()[:-1500] + end[:place] + bytes([end[place] ^ 16]) + end[place + 1 :])
        assert [str(fault.where) for fault in list_runs(tmp_path).faults] == [str(path)]


def test_any_damage_to_an_ensemble_is_noticed(tmp_path: Path) -> None:
    """In each of its files: chunks of members and of coordinates, and the JSON documents."""
    path = _ensemble(tmp_path / "a.zarr", _run(20))
    files = sorted(file for file in path.rglob("*") if file.is_file())
    assert len(files) == 17
    for file in files:
        noticed, count = _check_damage(file, path, 12)
        assert noticed > 0.8 * count, file


def test_a_list_names_a_damaged_run_among_others(tmp_path: Path) -> None:
    """And shows the others."""
    for name in "abc":
        save_run(_run(2), tmp_path / f"{name}.nc")
    content = (tmp_path / "b.nc").read_bytes()
    (tmp_path / "b.nc").write_bytes(content.replace(b"premium", b"Premium"))
    catalogue = list_runs(tmp_path)
    assert [run.name for run in catalogue.runs] == ["a", "c"]
    assert [str(fault) for fault in catalogue.faults] == [
        f"{tmp_path / 'b.nc'}: cannot be read as a run, it is damaged or of another kind; make it again or remove it"
    ]


def test_runs_without_checksums_are_read_as_before(tmp_path: Path) -> None:
    """A file of an older version ends with the content, and its entry in a list is the same."""
    path = save_run(_run(3), tmp_path / "a.nc")
    whole, entries, content = open_run(path), list_runs(tmp_path).runs, path.read_bytes()
    path.write_bytes(content[: netcdf_length(content)])
    assert list_runs(tmp_path).runs == entries
    assert open_run(path).identical(whole)


def _documents(path: Path) -> list[Path]:
    return [path / "zarr.json", *sorted(path.glob("*/zarr.json"))]


def _remove_checksums(path: Path) -> None:
    for file in _documents(path):
        document = json.loads(file.read_bytes())
        del document["attributes"]["document_sha256"]
        file.write_text(json.dumps(document), "utf-8")


def test_ensembles_without_checksums_are_read_and_continued_as_before(tmp_path: Path) -> None:
    """None of their documents has a checksum."""
    run, path = _run(20), tmp_path / "a.zarr"
    create_ensemble(run.isel(member=[0, 1]), path, count=20)
    _remove_checksums(path)
    with open_for_append(path) as ensemble:
        add_members(ensemble, run)
    assert "document_sha256" not in (path / "zarr.json").read_text("utf-8")
    xr.testing.assert_equal(open_run(path).load(), run)


@pytest.mark.parametrize("chosen", range(9))
def test_a_lost_checksum_is_damage(tmp_path: Path, chosen: int) -> None:
    """An ensemble with some checksums is not taken for one of an older version."""
    path = _ensemble(tmp_path / "a.zarr", _run(4))
    file = _documents(path)[chosen]
    file.write_text(file.read_text("utf-8").replace("document_sha256", "document_sha257"), "utf-8")
    with pytest.raises(StoreError, match=rf"a\.zarr: its file {file.relative_to(path)} differs from what was written"):
        open_run(path)
    with pytest.raises(StoreError, match="differs from what was written"), open_for_append(path):
        pass


def test_a_lost_array_is_damage(tmp_path: Path) -> None:
    """Labels that are gone, and the document of another ensemble."""
    path, other = (_ensemble(tmp_path / f"{name}.zarr", _run(count)) for name, count in (("a", 4), ("b", 6)))
    for file in ("tier/zarr.json", "delay/zarr.json"):
        content = (path / file).read_bytes()
        (path / file).write_bytes((other / file).read_bytes() if file.startswith("delay") else b"")
        with pytest.raises(StoreError, match="differs from what was written|cannot be read as an ensemble"):
            open_run(path)
        (path / file).unlink()
        with pytest.raises(StoreError, match=r"a\.zarr: its file zarr\.json differs from what was written"):
            open_run(path)
        (path / file).write_bytes(content)
    assert open_run(path).sizes["member"] == 4


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("tier", '"shape": [2]', '"shape": [9999999999]'), ("tier", '"chunk_shape": [2]', '"chunk_shape": [0]'),
        ("delay", '"chunk_shape": [12', '"chunk_shape": [0'), ("sampled", '"chunk_shape": [32]', '"chunk_shape": [0]'),
        (".", '"members_done": 20', '"members_done": 99999999999'),
    ],
)  # fmt: skip
def test_wrong_sizes_without_a_checksum_are_reported_at_once(tmp_path: Path, file: str, old: str, new: str) -> None:
    """Zarr would divide by zero, or take memory for them."""
    path = _ensemble(tmp_path / "a.zarr", _run(20))
    _remove_checksums(path)
    document = path / file / "zarr.json"
    text = document.read_text("utf-8")
    assert old in text
    document.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(StoreError, match=r"a\.zarr: cannot be read as an ensemble, it is damaged"):
        open_run(path)
