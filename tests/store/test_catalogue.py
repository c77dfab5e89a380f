"""The catalogue of a folder of runs, and how a run is found by its name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import xarray as xr

from sdmodel.errors import StoreError
from sdmodel.store import check_folder, find_run, open_run, run_path, runs_in, save_run


def _save(path: Path, created: str) -> Path:
    attributes = dict.fromkeys(("model", "model_sha256", "integrator", "engine", "changes"), "x")
    run = xr.Dataset(
        {"x": (("time", "member"), [[1.0, 2], [3, 4]])}, {"time": [0.0, 1]}, attributes | {"created": created}
    )
    return save_run(run, path)


def test_a_folder_lists_its_runs_oldest_first_and_names_what_is_no_run(tmp_path: Path) -> None:
    """Corrupt and foreign files are told, and hide nothing."""
    _save(tmp_path / "late.nc", "2025-02")
    _save(tmp_path / "early.nc", "2025-01")
    (tmp_path / "broken.nc").write_bytes((tmp_path / "late.nc").read_bytes()[:3000])
    xr.Dataset({"x": ("lat", [1.0])}).to_netcdf(tmp_path / "foreign.nc")
    (tmp_path / ".late.nc-abc.part").write_text("a part")
    (tmp_path / "picture.png").write_text("a picture")
    catalogue = runs_in(tmp_path)
    assert [run.name for run in catalogue.runs] == ["early", "late"]
    assert catalogue.runs[0].dims == {"time": 2, "member": 2}
    assert catalogue.runs[0].attributes["created"] == "2025-01"
    assert [Path(str(fault.where)).name for fault in catalogue.faults] == ["broken.nc", "foreign.nc"]


def test_a_file_without_time_is_no_run(tmp_path: Path) -> None:
    """Attributes alone could not be shown."""
    attributes = dict.fromkeys(("model", "model_sha256", "integrator", "engine", "created"), "x")
    xr.Dataset(attrs=attributes).to_netcdf(tmp_path / "fake.nc")
    catalogue = runs_in(tmp_path)
    assert catalogue.runs == ()
    assert "is not a run" in str(catalogue.faults[0])


def test_what_is_no_file_is_named_and_never_waited_for(tmp_path: Path) -> None:
    """A folder, a broken link and a pipe may end in `.nc` too."""
    (tmp_path / "dir.nc").mkdir()
    (tmp_path / "link.nc").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.nc")
    faults = runs_in(tmp_path).faults
    assert [Path(str(fault.where)).stem for fault in faults] == ["dir", "link", "pipe"]
    for name in ("dir", "link", "pipe"):
        with pytest.raises(StoreError, match=rf"{name}\.nc: is a folder, a pipe or a broken link, .*; remove it"):
            find_run(name, tmp_path)
        with pytest.raises(StoreError, match=rf"{name}\.nc"):
            open_run(tmp_path / f"{name}.nc")


@pytest.mark.parametrize("inside", ["", "further/below"])
def test_runs_cannot_be_in_a_file(tmp_path: Path, inside: str) -> None:
    """That is told before a run is made, and not as an empty folder."""
    (tmp_path / "file").write_text("a file")
    for work in (check_folder, runs_in):
        with pytest.raises(StoreError, match=r"cannot hold runs \(.*file is no folder\); name a folder"):
            work(tmp_path / "file" / inside)


def test_a_folder_that_is_not_there_holds_no_runs(tmp_path: Path) -> None:
    """The first `sdmodel runs` of a project is no fault."""
    assert runs_in(tmp_path / "runs").runs == ()


def test_a_run_is_found_by_name_or_path(tmp_path: Path) -> None:
    """With and without the ending, and wherever it is by its path."""
    path = _save(tmp_path / "base.nc", "2025")
    assert find_run("base", tmp_path) == path
    assert find_run("base.nc", tmp_path) == path
    assert find_run(path, tmp_path / "elsewhere") == path


def test_a_name_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    """What was probably meant, or where to look."""
    _save(tmp_path / "power-first.nc", "2025")
    with pytest.raises(StoreError, match=r"'powerfirst': is not in .*; did you mean 'power-first'"):
        find_run("powerfirst", tmp_path)
    with pytest.raises(StoreError, match="sdmodel runs"):
        find_run("zzz", tmp_path)


@pytest.mark.parametrize("name", ["../base", "a/b", ".hidden", "", "/etc/passwd", "x" * 300, "a\0b", "a\nb", "a*", " "])
def test_a_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    """A name is a name, not a path."""
    with pytest.raises(StoreError, match="choose another"):
        run_path(name, tmp_path)
