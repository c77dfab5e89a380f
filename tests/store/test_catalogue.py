"""The catalogue of a folder of runs, and finding a run by its name."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

from sdmodel.errors import StoreError
from sdmodel.simulation import simulate
from sdmodel.store import check_folder, find_run, list_runs, open_run, run_path, save_run
from sdmodel.store.netcdf import check_ends
from sdmodel.testing import tiny_model


def _save(path: Path, created: str) -> Path:
    attributes = dict.fromkeys(("model", "model_sha256", "integrator", "engine", "changes"), "x")
    run = xr.Dataset(
        {"x": (("time", "member"), [[1.0, 2], [3, 4]])}, {"time": [0.0, 1]}, attributes | {"created": created}
    )
    return save_run(run, path)


def test_runs_are_listed_oldest_first_with_the_faults(tmp_path: Path) -> None:
    """Damaged and foreign files are reported and hide nothing."""
    _save(tmp_path / "late.nc", "2025-02")
    _save(tmp_path / "early.nc", "2025-01")
    (tmp_path / "broken.nc").write_bytes((tmp_path / "late.nc").read_bytes()[:3000])
    xr.Dataset({"x": ("lat", [1.0])}).to_netcdf(tmp_path / "foreign.nc")
    (tmp_path / ".late.nc-abc.part").write_text("a part")
    (tmp_path / "picture.png").write_text("a picture")
    catalogue = list_runs(tmp_path)
    assert [run.name for run in catalogue.runs] == ["early", "late"]
    assert catalogue.runs[0].dims == {"time": 2, "member": 2}
    assert catalogue.runs[0].attributes["created"] == "2025-01"
    assert [Path(str(fault.where)).name for fault in catalogue.faults] == ["broken.nc", "foreign.nc"]


def test_a_file_without_time_is_not_a_run(tmp_path: Path) -> None:
    """Attributes alone could not be shown."""
    attributes = dict.fromkeys(("model", "model_sha256", "integrator", "engine", "created"), "x")
    xr.Dataset(attrs=attributes).to_netcdf(tmp_path / "fake.nc")
    catalogue = list_runs(tmp_path)
    assert catalogue.runs == ()
    assert "is not a run" in str(catalogue.faults[0])


def test_folders_links_and_pipes_are_reported_without_waiting(tmp_path: Path) -> None:
    """They may end in `.nc` too."""
    (tmp_path / "dir.nc").mkdir()
    (tmp_path / "link.nc").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.nc")
    faults = list_runs(tmp_path).faults
    assert [Path(str(fault.where)).stem for fault in faults] == ["dir", "link", "pipe"]
    for name in ("dir", "link", "pipe"):
        with pytest.raises(StoreError, match=rf"{name}\.nc: is a folder, a pipe or a broken link, .*; remove it"):
            find_run(name, tmp_path)
        with pytest.raises(StoreError, match=rf"{name}\.nc"):
            open_run(tmp_path / f"{name}.nc")


@pytest.mark.parametrize("inside", ["", "further/below"])
def test_a_file_cannot_hold_runs(tmp_path: Path, inside: str) -> None:
    """That is reported before a run is made, and not as an empty folder."""
    (tmp_path / "file").write_text("a file")
    for work in (check_folder, list_runs):
        with pytest.raises(StoreError, match=r"cannot hold runs \(.*file is not a folder\); name a folder"):
            work(tmp_path / "file" / inside)


def test_a_missing_folder_has_no_runs(tmp_path: Path) -> None:
    """The first `sdmodel runs` of a project is not an error."""
    assert list_runs(tmp_path / "runs").runs == ()


def test_a_run_is_found_by_name_or_path(tmp_path: Path) -> None:
    """With and without the ending, and by a path to any folder."""
    path = _save(tmp_path / "base.nc", "2025")
    assert find_run("base", tmp_path) == path
    assert find_run("base.nc", tmp_path) == path
    assert find_run(path, tmp_path / "elsewhere") == path


def test_a_missing_run_is_reported_with_the_nearest_name(tmp_path: Path) -> None:
    """The probable name, or where to look."""
    _save(tmp_path / "power-first.nc", "2025")
    with pytest.raises(StoreError, match=r"'powerfirst': is not in .*; did you mean 'power-first'"):
        find_run("powerfirst", tmp_path)
    with pytest.raises(StoreError, match="sdmodel runs"):
        find_run("zzz", tmp_path)


@pytest.mark.parametrize("name", ["../base", "a/b", ".hidden", "", "/etc/passwd", "x" * 300, "a\0b", "a\nb", "a*", " "])
def test_a_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    """A name is not a path."""
    with pytest.raises(StoreError, match="choose another"):
        run_path(name, tmp_path)


def test_a_damaged_file_that_its_library_reads_forever_is_reported(tmp_path: Path) -> None:
    """The free room at the end of a heap of texts has lost its size; another process reads it, and is stopped if it hangs."""
    good = save_run(simulate(tiny_model("level = INTEG(1, 0)", final=2)), tmp_path / "good.nc")
    content = bytearray(good.read_bytes())
    place = content.index(b"GCOL\x01\0\0\0") + 16
    while content[place : place + 2] != b"\0\0":
        place += 16 + (int.from_bytes(content[place + 8 : place + 16], "little") + 7) // 8 * 8
    content[place + 8 : place + 16] = bytes(8)
    (tmp_path / "bad.nc").write_bytes(content)
    code = """
import sys, sdmodel
from sdmodel.store import list_runs
found = list_runs(sys.argv[1])
print([run.name for run in found.runs], *found.faults)
try:
    sdmodel.open_run(sys.argv[1] + "/bad.nc")
except sdmodel.StoreError as error:
    print(error)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    assert lines[0].startswith(f"['good'] {tmp_path}/bad.nc: cannot be read as a run, it is damaged")
    assert lines[1].startswith(f"{tmp_path}/bad.nc: cannot be read as a run, it is damaged")


@pytest.mark.parametrize(
    ("size", "object_number", "endless"), [(0, 0, True), (2**64 - 16, 1, True), (32, 1, False), (48, 0, False)]
)
def test_a_heap_that_leads_nowhere_is_noticed(tmp_path: Path, size: int, object_number: int, endless: bool):  # noqa: FBT001
    """Steps of nothing, also by a size that a processor of 64 bits wraps to nothing, would never end."""
    heap = b"GCOL\x01\0\0\0" + (64).to_bytes(8, "little")
    object_ = object_number.to_bytes(2, "little") + bytes(6) + size.to_bytes(8, "little")
    path = tmp_path / "a.nc"
    path.write_bytes((heap + object_).ljust(64, b"\xff"))
    with pytest.raises(ValueError, match="a heap without an end") if endless else contextlib.nullcontext():
        check_ends(path)
