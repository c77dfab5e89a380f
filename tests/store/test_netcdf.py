"""Runs on disk: what is opened is what was saved, and a file is complete or does not exist."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sdmodel import files
from sdmodel.dataset import TEXT, text_attribute, text_of
from sdmodel.errors import DatasetError, StoreError
from sdmodel.simulation import simulate
from sdmodel.store import export_run, netcdf, open_run, save_new_run, save_run
from sdmodel.store.checksums import read_seal
from sdmodel.vensim import model_from_text

ATTRIBUTES = {
    "model": "tea.mdl", "model_sha256": "0" * 64, "model_text": text_attribute(""), "integrator": "rk4", "engine": "native",
    "created": "2025-01-01T00:00:00+00:00", "scenario": "", "changes": "room=20\r\nprice[Very Cheap]=1", "seed": 7,
    "time_step": 0.125,
}  # fmt: skip


def _run(text: str = "") -> xr.Dataset:
    """A run with what is hard to keep: dates, labels beyond ASCII, units that look like time spans, NaN."""
    return xr.Dataset(
        {
            "delay": (("time", "tier"), np.array([[1.0, np.nan], [np.inf, 4]]), {"units": "days", "comment": ""}),
            "température": ("time", [1.0, 2.0], {"units": "°C", "minimum": -273.15}),
            "a_room": ((), 20.0, {"units": "seconds since 2000-01-01", "kind": "constant"}),
        },
        {
            "time": ("time", [2024.0, 2024.5], {"units": "Year"}),
            "date": ("time", np.array(["2024-01-01", "2024-07-02"], dtype="datetime64[ns]"), {"long_name": "Date"}),
            "tier": ("tier", np.array(["premium", "très bas"]), {"kind": "subscript"}),
        },
        ATTRIBUTES | {TEXT: text_attribute(text)},
    )


def test_an_opened_run_equals_the_saved_one(tmp_path: Path) -> None:
    """Values, types, coordinates and attributes survive, though units look like times and labels are not ASCII."""
    run = _run()
    opened = open_run(save_run(run, tmp_path / "a.nc"))
    xr.testing.assert_identical(opened, run)
    assert {name: variable.dtype for name, variable in opened.variables.items()} == {
        name: variable.dtype for name, variable in run.variables.items()
    }
    assert list(opened.data_vars) == list(run.data_vars)
    assert type(opened.attrs["seed"]) is int
    assert type(opened.attrs["time_step"]) is float


def test_a_run_of_constants_keeps_its_times(tmp_path: Path) -> None:
    """Coordinates survive even if no variable has them, and so does a run without variables."""
    for names in (["a_room"], []):
        run = _run().drop_vars([name for name in _run().data_vars if name not in names])
        xr.testing.assert_identical(open_run(save_run(run, tmp_path / f"{len(names)}.nc")), run)


def test_a_run_can_be_saved_opened_and_saved_again(tmp_path: Path) -> None:
    """Nothing of the first file sticks to the run: a part of it can be saved too."""
    opened = open_run(save_run(_run(), tmp_path / "a.nc"))
    part = opened.isel(time=slice(1))
    xr.testing.assert_identical(open_run(save_run(part, tmp_path / "b.nc")), part)


@given(
    values=arrays.arrays(np.float64, arrays.array_shapes(max_dims=3, max_side=4)),
    words=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_and_texts_survive(tmp_path: Path, values: np.ndarray, words: str) -> None:
    """Every bit of every number, and every character of every text."""
    dims = ["time", "tier", "member"][: values.ndim]
    coordinates = {"time": np.arange(float(values.shape[0]))}
    run = xr.Dataset({"x": (dims, values, {"comment": words})}, coordinates, ATTRIBUTES | {"scenario": words})
    opened = open_run(save_run(run, tmp_path / "a.nc", force=True))
    assert opened.x.values.tobytes() == values.tobytes()
    assert opened.x.attrs["comment"] == words
    assert opened.attrs["scenario"] == words


def test_a_model_text_of_a_megabyte_is_stored(tmp_path: Path) -> None:
    """It is far larger than the 64 KiB that an HDF5 header holds."""
    text = "Größe = 1\r\n\t~\t€\x7f\r\n" * 60_000
    assert text_of(open_run(save_run(_run(text), tmp_path / "a.nc")).attrs) == text


def test_plain_xarray_opens_a_stored_run(tmp_path: Path) -> None:
    """Without sdmodel there are still the numbers, the dates and the attributes."""
    with xr.open_dataset(save_run(_run(), tmp_path / "a.nc"), decode_timedelta=False) as opened:
        assert opened["date"].dtype == "datetime64[ns]"
        assert opened["température"].attrs["units"] == "°C"


def test_save_run_overwrites_nothing_without_force(tmp_path: Path) -> None:
    """The first run stays unchanged; with force the second replaces it."""
    path = save_run(_run(), tmp_path / "a.nc")
    with pytest.raises(StoreError, match=r"a\.nc: exists already; choose another name"):
        save_run(_run("second"), path)
    assert text_of(open_run(path).attrs) == ""
    save_run(_run("second"), path, force=True)
    assert text_of(open_run(path).attrs) == "second"


def test_new_runs_are_numbered(tmp_path: Path) -> None:
    """If the name is taken, it gets `-2`, then `-3`."""
    names = [save_new_run(_run(), tmp_path / "runs", "base").name for _ in range(3)]
    assert names == ["base.nc", "base-2.nc", "base-3.nc"]


def test_other_datasets_are_not_saved(tmp_path: Path) -> None:
    """A dataset without provenance could never be reproduced."""
    with pytest.raises(DatasetError, match="is not a run"):
        save_run(xr.Dataset(), tmp_path / "a.nc")
    assert not list(tmp_path.iterdir())


def test_an_impossible_folder_is_one_line(tmp_path: Path) -> None:
    """A file where a folder should be: the message names the target."""
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(StoreError, match=r"a\.nc: cannot be written"):
        save_run(_run(), tmp_path / "runs" / "a.nc")
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(StoreError, match=r"is not a valid file name .*; choose"):
            save_run(_run(), tmp_path / f"{name}.nc")


@contextlib.contextmanager
def _small_files() -> Iterator[None]:
    """Limit files to 20 kB, as a full disk does; not for longer than needed, since a log of the tests is a file too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """No part of the run and no temporary file stays; an older run with that name does."""
    run = _run("x" * 100_000)
    message = r"a\.nc: cannot be written \(File too large\); choose"
    with pytest.raises(StoreError, match=message) as caught, _small_files():
        save_run(run, tmp_path / "a.nc")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


class TestLargeRuns:
    """Runs of many bytes are written to the disk at once, and not made in memory first."""

    @pytest.fixture(autouse=True)
    def _all_are_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(netcdf, "_LARGE", 0)

    def test_the_file_is_as_for_a_small_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run = _run()
        large = save_run(run, tmp_path / "large.nc")
        monkeypatch.undo()
        small = save_run(run, tmp_path / "small.nc")
        xr.testing.assert_identical(open_run(large), run)
        seals = [read_seal(path, whole=True) for path in (large, small)]
        assert [{**seal, "content_sha256": ""} for seal in seals if seal] == [
            {**(seals[0] or {}), "content_sha256": ""}
        ] * 2
        assert sorted(path.name for path in tmp_path.iterdir()) == ["large.nc", "small.nc"]

    def test_a_file_that_is_there_stays(self, tmp_path: Path) -> None:
        path = save_run(_run(), tmp_path / "a.nc")
        with pytest.raises(StoreError, match=r"a\.nc: exists already"):
            save_run(_run("second"), path)
        assert text_of(open_run(save_run(_run("second"), path, force=True)).attrs) == "second"

    def test_a_full_disk_is_one_line_and_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"a\.nc: cannot be written \(.*full disk\); ") as caught, _small_files():
            save_run(_run("x" * 100_000), tmp_path / "a.nc")
        assert "\n" not in str(caught.value)
        assert not list(tmp_path.iterdir())

    def test_what_no_file_can_hold_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"a\.nc: a netCDF file cannot hold this run \('thing' holds neither"):
            save_run(_run().assign(thing=((), np.array(object(), dtype=object))), tmp_path / "a.nc")
        assert not list(tmp_path.iterdir())

    @pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is that of Linux")
    def test_little_memory_is_needed(self, tmp_path: Path) -> None:
        def peak() -> int:
            return 1024 * int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

        many = {f"v{place}": ("time", np.full(20_000, float(place))) for place in range(300)}
        run = xr.Dataset(many, {"time": np.arange(20_000.0)}, ATTRIBUTES)
        save_run(_run(), tmp_path / "first.nc")  # the library itself takes some
        Path("/proc/self/clear_refs").write_text("5")
        before = peak()
        save_run(run, tmp_path / "a.nc")
        assert peak() - before < 0.5 * run.nbytes


def test_a_killed_process_leaves_no_run(tmp_path: Path) -> None:
    """A process that dies while writing leaves nothing with the name of a run."""
    code = """
        import os, signal, sys, xarray as xr
        from sdmodel import files, store
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        attributes = dict.fromkeys(("model", "model_sha256", "integrator", "engine", "created"), "x")
        store.save_run(xr.Dataset(coords={"time": [0.0]}, attrs=attributes), sys.argv[1])
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "a.nc")], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [file.suffix for file in tmp_path.iterdir()] == [".part"]
    assert not list(tmp_path.glob("[!.]*"))


def test_leftovers_of_killed_processes_are_removed(tmp_path: Path) -> None:
    """If the process is gone or the file is older than an hour, whatever was written; a living process keeps its file."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    start, end = f".a.nc-{files._HOST}", "0123abcd.part"
    old = tmp_path / f"{start}-{os.getppid()}-{end}"
    stale = [
        f"{start}-{gone.pid}-{end}",
        f".b.nc-{files._HOST}-{gone.pid}-{end}",
        f"{start}-{os.getpid()}-{end}",
        old.name,
    ]
    living = [f".c.nc-{files._HOST}-{os.getppid()}-{end}", f".a.nc-00000000-{gone.pid}-{end}"]
    living += [f".notes-{gone.pid}-draft.old", ".2024-05-05.part", f".a.nc-{gone.pid}-{end}"]  # the user's
    for name in (*stale, *living):
        (tmp_path / name).write_text("a part")
    os.utime(old, (0, 0))
    save_run(_run(), tmp_path / "a.nc")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*living, "a.nc"])


def test_a_run_written_by_xarray_can_be_opened(tmp_path: Path) -> None:
    """Without the recorded order of variables, all of them are read."""
    _run().drop_vars("date").to_netcdf(tmp_path / "a.nc")
    assert set(open_run(tmp_path / "a.nc").data_vars) == set(_run().data_vars)


def test_auxiliary_coordinates_stay_coordinates(tmp_path: Path) -> None:
    """Whatever their names, and Booleans stay Booleans."""
    run = _run().assign_coords({"a b": 3.0, "late": ("time", np.array([False, True]))})
    xr.testing.assert_identical(open_run(save_run(run, tmp_path / "a.nc")), run)


@pytest.mark.parametrize("value", [None, True, {"a": 1}, b"bytes", ["a", None], np.zeros((2, 2)), 1j])
def test_impossible_attributes_are_named(tmp_path: Path, value: object) -> None:
    """Of the run, or of one of its variables."""
    run = _run().assign_attrs(note=value)
    with pytest.raises(StoreError, match=r"a\.nc: attribute 'note' of the run is .*; make it a text or a number"):
        save_run(run, tmp_path / "a.nc")
    run = _run()
    run["delay"].attrs["note"] = value
    with pytest.raises(StoreError, match="attribute 'note' of 'delay' is"):
        save_run(run, tmp_path / "a.nc")


@pytest.mark.parametrize("name", ["a/b", "", " ", "a\nb", "x" * 300])
def test_impossible_names_are_reported(tmp_path: Path, name: str) -> None:
    """Of a dimension, or of a variable."""
    for run in (_run().assign({name: 1.0}), _run().assign(x=((name,), [1.0]))):
        with pytest.raises(StoreError, match=r"(?s)a\.nc: a netCDF file cannot hold this run \(.*; give"):
            save_run(run, tmp_path / "a.nc")
    assert not list(tmp_path.iterdir())


def test_objects_are_not_saved(tmp_path: Path) -> None:
    """A variable holds numbers or texts."""
    run = _run().assign(x=("time", np.array([{}, None], dtype=object)))
    with pytest.raises(StoreError, match="'x' holds neither numbers nor texts"):
        save_run(run, tmp_path / "a.nc")


def test_names_with_accents_survive(tmp_path: Path) -> None:
    """In composed and decomposed form, and with labels of three hundred letters."""
    run = _run().rename(température="temp\u00e9rature").assign_coords(tier=["a" * 300, "e\u0301"])
    run["tier"].attrs["kind"] = "subscript"
    xr.testing.assert_identical(open_run(save_run(run, tmp_path / "a.nc")), run)
    decomposed = _run().rename(température="tempe\u0301rature")
    assert "temp\u00e9rature" in open_run(save_run(decomposed, tmp_path / "b.nc"))


def test_wrong_types_are_reported() -> None:
    """None, and whatever else a caller mistakes for a run or a path."""
    code = """
        import sdmodel as sd
        for work in (lambda: sd.save_run(None, "a.nc"), lambda: sd.save_run(3, None), lambda: sd.open_run(None)):
            try:
                work()
            except sd.SdmodelError as fault:
                print(fault)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "a.nc: is not a run of a model but a NoneType; give what `simulate` returns",
        "None: is not a path; give the name of a file or folder, or an address",
        "None: is not a path; give the name of a file or folder, or an address",
    ]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_named(tmp_path: Path, share: float) -> None:
    """However much of it is left."""
    path = save_run(_run(), tmp_path / "a.nc")
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(StoreError, match=r"a\.nc: cannot be read as a run"):
        open_run(path)


def test_numbers_damaged_on_disk_are_noticed(tmp_path: Path) -> None:
    """Every array has a checksum, so that a flipped bit is not taken for a result."""
    values = np.random.default_rng(1).random(1000)
    run = xr.Dataset({"x": ("time", values)}, {"time": np.arange(1000.0)}, ATTRIBUTES)
    path = save_run(run, tmp_path / "a.nc")
    content = bytearray(path.read_bytes())
    place = content.index(values[500].tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        open_run(path)


def test_a_foreign_file_is_named(tmp_path: Path) -> None:
    """A netCDF file of another kind, a text, a folder and a missing file."""
    xr.Dataset({"x": ("lat", [1.0])}).to_netcdf(tmp_path / "foreign.nc")
    (tmp_path / "text.nc").write_text("not a run")
    (tmp_path / "folder.nc").mkdir()
    for name, message in {
        "foreign": "is not a run of a model", "text": "cannot be read", "folder": "no such run", "no": "no such run",
    }.items():  # fmt: skip
        with pytest.raises(StoreError, match=rf"{name}\.nc: .*{message}"):
            open_run(tmp_path / f"{name}.nc")


@pytest.mark.parametrize("ending", [".nc", ".zarr"])
def test_other_programs_read_the_dates(tmp_path: Path, ending: str) -> None:
    """By the CF conventions, which xarray follows; a run is opened as it was saved."""
    blocks = "a = 1 ~ kg ~ | INITIAL TIME = 2024 ~ Year ~ | FINAL TIME = 2026 ~ Year ~ | TIME STEP = 0.5 ~ Year ~ | SAVEPER = 0.5 ~ Year ~ | b = Time ~ Year ~ |"
    run = simulate(model_from_text(blocks))
    path = export_run(run, tmp_path / f"run{ending}")
    seen = (
        xr.open_dataset(path, engine="netcdf4")
        if ending == ".nc"
        else xr.open_zarr(path, chunks=None, consolidated=False)
    )
    assert seen.attrs["Conventions"] == "CF-1.12"
    np.testing.assert_array_equal(seen["date"].values.astype("M8[s]"), run["date"].values.astype("M8[s]"))
    assert seen["b"].dims == ("time",)
    if ending == ".nc":
        assert seen["date"].attrs["standard_name"] == "time"
        assert seen["date"].encoding["calendar"] in ("standard", "proleptic_gregorian")
        assert open_run(path).identical(run)
        seen.close()
