"""Ensembles on disk: recorded members exist, however a process ended, and nothing else is shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.dataset import text_attribute
from sdmodel.errors import DatasetError, StoreError
from sdmodel.store import (
    add_members,
    create_ensemble,
    ensemble_path,
    find_run,
    list_runs,
    members_per_block,
    open_for_append,
    open_run,
    save_run,
)
from sdmodel.store.ensembles import seal_documents

ATTRIBUTES = {
    "model": "tea.mdl", "model_sha256": "0" * 64, "model_text": text_attribute("é{UTF-8}"), "integrator": "rk4", "engine": "native",
    "created": "2025-01-01T00:00:00+00:00", "scenario": "", "changes": "room=20\r\nprice[Very Cheap]=1", "seed": 7,
}  # fmt: skip
TIMES = 40


def _members(count: int, seed: int = 1) -> xr.Dataset:
    """Some members of a run with what is hard to keep: dates, labels beyond ASCII, units of time, NaN."""
    generator = np.random.default_rng(seed)
    delay = generator.normal(size=(TIMES, 2, count))
    delay[3, 1, count // 2] = np.nan
    years = 2024 + np.arange(TIMES) / 2
    return xr.Dataset(
        {
            "température": (
                ("time", "member"),
                generator.normal(size=(TIMES, count)),
                {"units": "°C", "minimum": -273.15},
            ),
            "delay": (("time", "tier", "member"), delay, {"units": "days", "comment": ""}),
            "sampled": ("member", generator.normal(size=count), {"kind": "constant"}),
            "a_room": ((), 20.0, {"units": "seconds since 2000-01-01", "kind": "constant"}),
        },
        {
            "time": ("time", years, {"units": "Year"}),
            "member": ("member", np.arange(count), {"long_name": "Member"}),
            "date": (
                "time",
                np.array("2024-01-01", dtype="datetime64[ns]") + np.arange(TIMES).astype("m8[D]"),
                {"long_name": "Date"},
            ),
            "tier": ("tier", np.array(["premium", "très bas"]), {"kind": "subscript"}),
        },
        ATTRIBUTES,
    )


def _stored(path: Path, run: xr.Dataset, *, count: int | None = None) -> Path:
    create_ensemble(run.isel(member=slice(0, 2)), path, count=count or run.sizes["member"])
    with open_for_append(path) as ensemble:
        add_members(ensemble, run)
    return path


def test_an_opened_ensemble_has_the_added_members(tmp_path: Path) -> None:
    """Every number, dimension, coordinate, attribute and their order."""
    run = _members(10)
    opened = open_run(_stored(tmp_path / "a.zarr", run))
    assert list(opened.data_vars) == list(run.data_vars)
    assert set(opened.coords) == set(run.coords)
    for name, variable in run.variables.items():
        assert opened[name].variable.identical(variable), name
        assert opened[name].dtype == variable.dtype
    own = {name: value for name, value in opened.attrs.items() if name in ATTRIBUTES}
    assert xr.Dataset(attrs=own).identical(xr.Dataset(attrs=ATTRIBUTES))
    progress = {name: opened.attrs[name] for name in set(opened.attrs) - set(own)}
    assert progress == {
        "members_done": 10, "members_wanted": 10, "members_not_finite": 1, "members_in_a_block": 16, "first_not_finite": "5",
    }  # fmt: skip


def _in_portions(path: Path, ends: list[int]) -> dict[str, bytes]:
    """The files of an ensemble to which members are added up to each end."""
    run = _members(50)
    create_ensemble(run.isel(member=slice(0, 2)), path, count=50)
    shrink(path, 5)
    with open_for_append(path) as ensemble:
        for first, last in pairwise([0, *ends, 50]):
            add_members(ensemble, run.isel(member=slice(first, last)))
    xr.testing.assert_equal(open_run(path).load(), run)
    return _bytes(path)


@pytest.fixture(scope="module")
def in_one_portion(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return _in_portions(tmp_path_factory.mktemp("whole") / "a.zarr", [])


@settings(deadline=None, max_examples=15)
@given(ends=st.sets(st.integers(1, 9).map(lambda block: 5 * block), max_size=4))
def test_blocks_may_be_added_in_any_portions(
    tmp_path_factory: pytest.TempPathFactory, in_one_portion: dict[str, bytes], ends: set[int]
) -> None:
    """The files have the same bytes, in one portion or in several."""
    assert _in_portions(tmp_path_factory.mktemp("parts") / "a.zarr", sorted(ends)) == in_one_portion


def shrink(path: Path, block: int) -> None:
    """Give an empty ensemble smaller blocks, so that a few members make many blocks."""
    for record in path.glob("*/zarr.json"):
        content = json.loads(record.read_text("utf-8"))
        shape = content["chunk_grid"]["configuration"]["chunk_shape"]
        if "member" in (content.get("dimension_names") or ()) and record.parent.name != "member":
            shape[-1] = block
            record.write_text(json.dumps(content), "utf-8")
    record = path / "zarr.json"
    content = json.loads(record.read_text("utf-8"))
    content["attributes"]["members_in_a_block"] = block
    record.write_text(json.dumps(content), "utf-8")
    seal_documents(path)


def _bytes(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_an_unfinished_ensemble_shows_the_finished_members(tmp_path: Path) -> None:
    """Only them, and the total; chunks that are not recorded are not shown."""
    run = _members(50)
    path = tmp_path / "a.zarr"
    create_ensemble(run.isel(member=[0, 1]), path, count=50)
    with pytest.raises(StoreError, match=r"no member is stored yet; continue with --resume"):
        open_run(path)
    shrink(path, 10)
    with open_for_append(path) as ensemble:
        add_members(ensemble, run.isel(member=slice(0, 20)))
        ensemble.arrays["sampled"][20:30] = 1.0
    opened = open_run(path)
    xr.testing.assert_equal(opened.load(), run.isel(member=slice(0, 20)))
    assert (opened.attrs["members_done"], opened.attrs["members_wanted"]) == (20, 50)
    assert list_runs(tmp_path).runs[0].members == {"member": 20}


def test_incomplete_blocks_are_refused(tmp_path: Path) -> None:
    """Half a block cannot be recorded, nor more members than planned."""
    run = _members(50)
    path = tmp_path / "a.zarr"
    create_ensemble(run.isel(member=[0, 1]), path, count=50)
    shrink(path, 10)
    with open_for_append(path) as ensemble:
        for count in (5, 55):
            with pytest.raises(StoreError, match=r"do not fill its blocks of 10"):
                add_members(ensemble, run.isel(member=np.arange(count) % 50))
        assert ensemble.done == 0


def test_only_the_needed_chunks_are_read(tmp_path: Path) -> None:
    """Opening reads no numbers; the checksum reveals a damaged chunk, but only when it is read."""
    run = _members(40)
    path = tmp_path / "a.zarr"
    create_ensemble(run.isel(member=[0, 1]), path, count=40)
    shrink(path, 10)
    with open_for_append(path) as ensemble:
        add_members(ensemble, run)
    chunk = path / "température" / "c" / "0" / "3"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    opened = open_run(path)
    assert np.array_equal(opened["température"].isel(member=slice(0, 30)), run["température"][:, :30])
    with pytest.raises(StoreError, match=r"a\.zarr/température: cannot be read, it is damaged; make"):
        opened["température"].load()


def test_create_ensemble_overwrites_nothing_without_force(tmp_path: Path) -> None:
    """With force the old ensemble, or whatever had the name, is gone."""
    path = _stored(tmp_path / "a.zarr", _members(4))
    before = _bytes(path)
    with pytest.raises(
        StoreError, match=r"a\.zarr: exists already; choose another name, continue with --resume, or force"
    ):
        create_ensemble(_members(2), path, count=9)
    assert _bytes(path) == before
    create_ensemble(_members(2), path, count=9, force=True)
    assert list_runs(tmp_path).runs[0].attributes["members_wanted"] == "9"
    other = tmp_path / "b.zarr"
    other.write_text("a file")
    create_ensemble(_members(2), other, count=9, force=True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]


def test_an_invalid_template_leaves_nothing(tmp_path: Path) -> None:
    """Neither a dataset that is not a run, nor attributes that no file can hold."""
    with pytest.raises(DatasetError, match="is not a run"):
        create_ensemble(xr.Dataset({"x": ("member", [1.0])}), tmp_path / "a.zarr", count=1)
    with pytest.raises(StoreError, match="make it a text or a number"):
        create_ensemble(_members(2).assign_attrs(odd=object()), tmp_path / "a.zarr", count=2)
    (tmp_path / "file").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot be written \(.*\); choose another folder"):
        create_ensemble(_members(2), tmp_path / "file" / "a.zarr", count=2)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_two_processes_cannot_append_to_one_ensemble(tmp_path: Path) -> None:
    """The second gets an error; once the first ends, in any way, another may append."""
    path = _stored(tmp_path / "a.zarr", _members(4), count=4)
    code = """
        import pathlib, sys
        from sdmodel.errors import StoreError
        from sdmodel.store import open_for_append
        path = pathlib.Path(sys.argv[1])
        try:
            with open_for_append(path):
                pass
        except StoreError as fault:
            print(fault, flush=True)
        sys.stdin.readline()
        with open_for_append(path):
            print("open")
    """
    other = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), str(path)]
    with subprocess.Popen(other, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as second:
        assert second.stdin is not None
        assert second.stdout is not None
        with open_for_append(path):
            assert "another process is adding members to it; wait" in second.stdout.readline()
        second.stdin.write("\n")
        second.stdin.close()
        assert second.stdout.read() == "open\n"


def test_an_ensemble_in_use_is_not_replaced(tmp_path: Path) -> None:
    """Otherwise two processes would write to one folder and mix their members."""
    path = _stored(tmp_path / "a.zarr", _members(4))
    before = _bytes(path)
    with open_for_append(path), pytest.raises(StoreError, match="another process is adding members to it; wait"):
        create_ensemble(_members(2), path, count=9, force=True)
    assert _bytes(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]
    create_ensemble(_members(2), path, count=9, force=True)


@pytest.mark.parametrize("again", [False, True])
def test_members_are_not_added_to_another_folder_of_the_same_name(tmp_path: Path, again: bool) -> None:  # noqa: FBT001
    """If an ensemble is removed or replaced, the process that appends to it gets an error."""
    run, path = _members(20), tmp_path / "a.zarr"
    create_ensemble(run, path, count=20)
    shrink(path, 10)
    with open_for_append(path) as ensemble:
        add_members(ensemble, run.isel(member=slice(0, 10)))
        path.rename(tmp_path / "removed")
        if again:
            create_ensemble(run, path, count=7)
        with pytest.raises(StoreError, match=r"a\.zarr: was removed or replaced by another process"):
            add_members(ensemble, run.isel(member=slice(10, 20)))
    assert path.exists() == again
    assert not again or list_runs(tmp_path).runs[0].members == {"member": 0}


@pytest.mark.parametrize(
    "file", ["température/c/0/1", "delay/c/0/0/2", "sampled/c/0", "time/c/0", "a_room/c", "member/c/0"]
)
def test_missing_files_are_reported(tmp_path: Path, file: str) -> None:
    """Zarr would read NaN; reading and appending both name the folder and the file."""
    run, path = _members(40), tmp_path / "a.zarr"
    create_ensemble(run, path, count=40)
    shrink(path, 10)
    with open_for_append(path) as ensemble:
        add_members(ensemble, run.isel(member=slice(0, 30)))
    assert open_run(path).sizes["member"] == 30
    (path / file).unlink()
    with pytest.raises(StoreError, match=rf"a\.zarr: its file {file} is missing; make it again"):
        open_run(path)
    with pytest.raises(StoreError, match="is missing"), open_for_append(path):
        pass


def test_chunks_of_fill_values_are_written(tmp_path: Path) -> None:
    """A block of NaN alone, and a constant that is 0, have files like others."""
    run = _members(40)
    run["delay"][...] = np.nan
    run["a_room"] = run["a_room"] * 0
    opened = open_run(_stored(tmp_path / "a.zarr", run))
    assert opened["delay"].isnull().all()
    assert opened.attrs["members_not_finite"] == 40


def test_damage_found_while_reading_is_one_line(tmp_path: Path) -> None:
    """It names the ensemble."""
    path = _stored(tmp_path / "a.zarr", _members(40))
    (path / "sampled" / "c" / "0").write_bytes(b"no numbers")
    with pytest.raises(StoreError, match=r"a\.zarr/sampled: cannot be read, it is damaged; make") as caught:
        open_run(path).load()
    assert "\n" not in str(caught.value)


def test_partial_chunks_of_killed_processes_are_removed(tmp_path: Path) -> None:
    """By the next process that appends to the ensemble."""
    path = _stored(tmp_path / "a.zarr", _members(4))
    part = path / "sampled" / "c" / "0.abc.partial"
    part.write_bytes(b"half")
    assert open_run(path).sizes["member"] == 4
    with open_for_append(path):
        pass
    assert not part.exists()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("zarr.json", "{"), ("zarr.json", "[]"), ("zarr.json", '{"zarr_format": 3, "node_type": "group"}'),
        ("time/zarr.json", "{}"), ("sampled/zarr.json", "nothing"),
    ],
)  # fmt: skip
def test_a_damaged_record_is_one_line(tmp_path: Path, file: str, content: str) -> None:
    """Wherever the damage is, reading, listing and appending report it and name the folder."""
    path = _stored(tmp_path / "a.zarr", _members(4))
    (path / file).write_text(content)
    with pytest.raises(StoreError, match=r"a\.zarr: (cannot be read as an ensemble|is not a run)") as caught:
        open_run(path)
    assert "\n" not in str(caught.value)
    (fault,) = list_runs(tmp_path).faults or [None]
    assert fault is None or "a.zarr" in str(fault.where)


def test_the_older_format_of_zarr_is_refused(tmp_path: Path) -> None:
    """Files of that format may hold Python objects, which run code when they are read."""
    path = tmp_path / "old.zarr"
    path.mkdir()
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    (path / "zarr.json").write_text('{"zarr_format": 2, "node_type": "group", "attributes": {}}')
    with pytest.raises(StoreError, match="cannot be read as an ensemble"):
        open_run(path)


def test_an_ensemble_is_found_by_name_or_path(tmp_path: Path) -> None:
    """Like a run; if both have the name, the ending decides."""
    path = _stored(tmp_path / "a.b.zarr", _members(4))
    assert ensemble_path("a.b", tmp_path) == path
    for name in ("a.b", "a.b.zarr", str(path), f"{path}/"):
        assert find_run(name, tmp_path) == path
    run = save_run(_members(4).isel(member=0, drop=True), tmp_path / "a.b.nc")
    assert find_run("a.b.nc", tmp_path) == run
    with pytest.raises(StoreError, match=r"a run and an ensemble have this name; write a\.b\.nc or a\.b\.zarr"):
        find_run("a.b", tmp_path)
    with pytest.raises(StoreError, match=r"did you mean 'a\.b'"):
        find_run("ab.zarr", tmp_path)


def test_false_ensembles_are_named(tmp_path: Path) -> None:
    """A file, an empty folder, and a folder of another kind."""
    (tmp_path / "file.zarr").write_text("a file")
    (tmp_path / "empty.zarr").mkdir()
    xr.Dataset({"x": ("lat", [1.0])}).to_zarr(tmp_path / "foreign.zarr", zarr_format=3, consolidated=False)
    os.mkfifo(tmp_path / "pipe.zarr")
    assert {Path(str(fault.where)).stem for fault in list_runs(tmp_path).faults} == {"file", "empty", "foreign", "pipe"}
    for name in ("file", "empty", "pipe"):
        with pytest.raises(StoreError, match=rf"{name}\.zarr: is not the folder of an ensemble"):
            find_run(name, tmp_path)


@given(times=st.integers(1, 5000), labels=st.integers(1, 50), count=st.integers(1, 2_000_000), names=st.integers(1, 40))
def test_blocks_are_neither_large_nor_many(times: int, labels: int, count: int, names: int) -> None:
    """A block of all variables stays below 64 MiB or is one member; it is a power of two, no more than needed."""
    values = np.broadcast_to(0.0, (times, labels, 2))
    run = xr.Dataset({f"v{n}": (("time", "label", "member"), values) for n in range(names)})
    block = members_per_block(run, count)
    assert block & (block - 1) == 0
    assert block == 1 or (block * 8 * times * labels * names <= 2**26 and block * 8 * times * labels <= 2**23)
    assert block <= max(1, 2 * (count - 1))
    assert block == members_per_block(run.isel(member=[0]), count)
