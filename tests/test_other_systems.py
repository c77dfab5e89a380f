"""What differs on macOS and Windows, imitated here: no vector library, other processors, no locks, open files, cases, code pages."""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sdmodel.files
from sdmodel import open_run, run_ensemble, save_run, simulate
from sdmodel.cli import group
from sdmodel.errors import SdmodelError, StoreError
from sdmodel.model.names import identifiers, key
from sdmodel.program import host, machine
from sdmodel.resources import available_threads, free_memory
from sdmodel.scenario import Distribution, Sampling, Variation, make_design
from sdmodel.store import catalogue
from sdmodel.testing import tiny_model

PROJECT = Path(__file__).resolve().parents[1]
FUNCTIONS = (
    "EXP(x), LN(1+x), SIN(x), COS(x), TAN(x), ARCTAN(x), SINH(x), COSH(x), TANH(x), SQRT(x), x^1.7, POWER(x, 0.3)"
)
EQUATIONS = [
    f"y{place} = INTEG({call.strip()}, 1)" for place, call in enumerate(FUNCTIONS.replace("(x, ", "(x; ").split(","))
]
TEXT = "\n".join(line.replace(";", ",") for line in EQUATIONS)
RATES = [0.1, 0.4, 0.7, 1.1, 1.6]


def _numbers() -> np.ndarray:
    """Every elementary function, for members together and for the first alone."""
    model = tiny_model(f"{TEXT}\nx = 1\nnoise = RANDOM NORMAL(-9, 9, 0, 1, 3)", final=3)
    names = [f"y{place}" for place in range(len(EQUATIONS))] + ["noise"]
    together, alone = simulate(model, {"x": RATES}), simulate(model, {"x": RATES[0]})
    found = np.array([together[name].values for name in names])
    single = np.array([alone[name].values for name in names])
    assert single[:-1] == pytest.approx(found[:-1, :, 0], rel=1e-12)
    return found


class _OlderMachine:
    """LLVM on a processor without the features that vector functions are chosen by, as on ARM."""

    def get_host_cpu_features(self) -> llvm.FeatureMap:
        return llvm.FeatureMap()

    def __getattr__(self, name: str) -> Any:
        return getattr(llvm, name)


@pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")
@pytest.mark.parametrize("lacking", ["library", "features", "linker"])
def test_numbers_need_no_vector_library_and_no_new_linker(lacking: str, monkeypatch: pytest.MonkeyPatch):
    """MacOS and Windows have no libmvec, ARM has other registers, and both use LLVM's older linker."""
    expected = _numbers()
    if lacking == "library":
        monkeypatch.setattr(machine, "_VECTOR_LIBRARY", "no-such-library.so")
    elif lacking == "features":
        monkeypatch.setattr(machine, "llvm", _OlderMachine())
    else:
        monkeypatch.setattr(machine, "_LINKED", False)
    host.cache_clear()
    try:
        if lacking != "linker":
            assert not host().mathematics.vector
        assert _numbers() == pytest.approx(expected, rel=1e-12)
    finally:
        monkeypatch.undo()
        host.cache_clear()


def test_files_change_together_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Windows has no `fcntl`, and no `resource`; two files change, or none if one has changed meanwhile."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "sysconf")
    assert free_memory(tmp_path) == 4 * 2**30
    assert available_threads() == os.cpu_count()
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"old")
    sdmodel.files.replace_files({one: (b"old", b"new"), two: (None, b"two")}, error=StoreError)
    assert (one.read_bytes(), two.read_bytes()) == (b"new", b"two")
    with pytest.raises(StoreError, match="has changed since it was opened"):
        sdmodel.files.replace_files({two: (b"two", b"2"), one: (b"old", b"1")}, error=StoreError)
    assert (one.read_bytes(), two.read_bytes()) == (b"new", b"two")
    _store(tmp_path / "many.zarr")
    _store(tmp_path / "many.zarr", force=True)
    assert open_run(tmp_path / "many.zarr").sizes["member"] == 3


MODEL = tiny_model("level = INTEG(rate, 0)\nrate = 1")


def _store(path: Path, *, force: bool = False) -> None:
    sampling = Sampling("multivariate", 3, 1, (Variation("rate", (), Distribution("RANDOM_UNIFORM", (0.0, 1.0))),))
    run_ensemble(MODEL, make_design(MODEL, sampling), path, force=force)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Windows: what is named `held` is open in another program at the first tries, and the names in the set always."""
    stuck: set[str] = set()
    tries = itertools.count()
    plain = Path.replace

    def replace(self: Path, target: Path) -> Path:
        names = {self.name, Path(target).name}
        if stuck & names or (any(name.startswith("held") for name in names) and next(tries) < 3):
            raise PermissionError(13, "Access is denied", str(target))
        return plain(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(sdmodel.files, "_WINDOWS", True)
    monkeypatch.setattr(sdmodel.files, "_BUSY", 0.1)
    monkeypatch.setattr(sdmodel.files, "_WAIT", 0.01)
    return stuck


@pytest.mark.usefixtures("busy")
def test_a_file_that_is_open_for_a_moment_is_tried_again(tmp_path: Path):
    """As by a virus scanner: a run, and an ensemble, are replaced all the same."""
    run = simulate(MODEL)
    save_run(run, tmp_path / "held.nc")
    save_run(run, tmp_path / "held.nc", force=True)
    _store(tmp_path / "held.zarr")
    _store(tmp_path / "held.zarr", force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["held.nc", "held.zarr"]


def test_a_file_that_stays_open_is_left_as_it_was(tmp_path: Path, busy: set[str]):
    """One line says what to do, and nothing is left beside it; also of an ensemble."""
    save_run(simulate(MODEL), tmp_path / "stuck.nc")
    _store(tmp_path / "stuck.zarr")
    busy |= {"stuck.nc", "stuck.zarr"}
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    cure = r"cannot be written \(Access is denied\); close it in other programs, or choose another folder"
    with pytest.raises(StoreError, match=cure):
        save_run(simulate(MODEL, {"rate": 2}), tmp_path / "stuck.nc", force=True)
    with pytest.raises(SdmodelError, match=cure):
        _store(tmp_path / "stuck.zarr", force=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=6)


@given(st.lists(NAMES | st.sampled_from("aA\U0001d400\u212aKßẞ"), max_size=12))
def test_names_of_variables_differ_by_more_than_case(names: list[str]):
    """Variables of an ensemble are folders; on macOS and Windows, `A` and `a` would be the same."""
    keys = dict.fromkeys(map(key, names))
    folded = [identifier.casefold() for identifier in identifiers(keys).values()]
    assert len(set(folded)) == len(folded) == len(keys)


def test_a_letter_that_composes_to_a_capital_is_stored_beside_the_small_one(tmp_path: Path):
    """A mathematical bold A becomes A, whose folder is that of a where cases are not told apart."""
    model = tiny_model('"\U0001d400" = INTEG(1, 5)\n"a" = INTEG(2, 7)\nrate = 1')
    sampling = Sampling("multivariate", 3, 1, (Variation("rate", (), Distribution("RANDOM_UNIFORM", (0.0, 1.0))),))
    run_ensemble(model, make_design(model, sampling), tmp_path / "many.zarr")
    folders = [path.name.casefold() for path in (tmp_path / "many.zarr").iterdir()]
    assert len(set(folders)) == len(folders)
    stored = open_run(tmp_path / "many.zarr")
    starts = {
        name: float(values.isel(time=0, member=0))
        for name, values in stored.data_vars.items()
        if values.attrs["kind"] == "stock"
    }
    assert starts == {"A": 5, "a_2": 7}


@pytest.mark.parametrize("name", ["nul", "AUX", "com1.old", "con "])
def test_a_device_of_windows_is_not_a_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is written to `nul.nc` is lost there; elsewhere it is a name like any other."""
    if name == name.strip():
        assert catalogue.run_path(name, tmp_path).stem == name
    monkeypatch.setattr(catalogue, "_WINDOWS", True)
    with pytest.raises(StoreError, match="is not a name for a file"):
        catalogue.run_path(name, tmp_path)
    assert catalogue.run_path("console", tmp_path).name == "console.nc"


def test_an_output_without_unicode_ends_no_command(tmp_path: Path):
    """A code page lacks the lines of tables, and names of other scripts; what it lacks is shown as a question mark."""
    (tmp_path / "m.mdl").write_text(
        "{UTF-8}\n価格 = 3 ~ °F [1,5] ~ α ≥ β |\nFINAL TIME = 1 ~~|\nINITIAL TIME = 0 ~~|\nTIME STEP = 1 ~~|\n", "utf-8"
    )
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONPATH": str(PROJECT)}
    words = [sys.executable, "-m", "sdmodel", "levers", "m.mdl", "--json"]
    done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert '"??"' in done.stdout.decode("cp1252")
    assert "°F" in done.stdout.decode("cp1252")


@pytest.mark.parametrize(
    ("windows", "chosen", "expected"), [(True, "", "utf-8"), (False, "", "cp1252"), (True, "cp1252", "cp1252")]
)
def test_a_pipe_of_windows_gets_utf_8(*, windows: bool, chosen: str, expected: str, monkeypatch: pytest.MonkeyPatch):
    """As on other systems, unless the user has chosen an encoding."""
    monkeypatch.setattr(group, "_WINDOWS", windows)
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    if chosen:
        monkeypatch.setenv("PYTHONIOENCODING", chosen)
    with io.TextIOWrapper(io.BytesIO(), encoding="cp1252") as stream:
        group._settle_encoding(stream)
        assert (stream.encoding, stream.errors) == (expected, "replace")
        stream.write("≥")
    group._settle_encoding(io.StringIO())


def test_no_file_is_read_or_written_in_the_code_page_of_the_system(tmp_path: Path):
    """UTF-8 is named wherever a text file is opened; Python warns of the default where it is not."""
    code = (
        "import sys; from sdmodel.cli import main\n"
        "for words in (['levers', 'm.mdl'], ['run', 'm.mdl', '--name', 'one'], ['show', 'one'], ['check', 'm.mdl'],\n"
        "              ['convert', 'one', '-o', 'one.csv'], ['convert', 'm.mdl', '-o', 'm.stmx'], ['runs']):\n"
        "    try:\n        main(words)\n    except SystemExit as end:\n        assert end.code in (0, 1, None), words\n"
    )
    (tmp_path / "m.mdl").write_bytes((PROJECT / "docs" / "examples" / "epidemic.mdl").read_bytes())
    environment = os.environ | {"PYTHONWARNDEFAULTENCODING": "1", "PYTHONPATH": str(PROJECT)}
    words = [sys.executable, "-W", "error::EncodingWarning", "-c", code]
    done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "EncodingWarning" not in done.stderr
    assert done.returncode == 0, done.stderr
