"""Every call of every writing command that changes a file goes wrong in turn: it fails, the disk is full, the process is killed."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sdmodel.cli import main
from sdmodel.cli.group import _COMMANDS
from sdmodel.store import open_run

sys.path.append(str(Path(__file__).parent))
from injected_faults import FULL, KILL, KILLED, ONCE, Outcome, run_forked, small_blocks

Tree = dict[str, bytes]


@dataclass(frozen=True)
class Case:
    """A command, and the next one after it was interrupted: by default the same, with --force where it stores a run."""

    words: str
    again: str = ""

    @property
    def next_words(self) -> list[str]:
        return shlex.split(self.again or self.words)


CASES = {
    "run": Case("run --name new", "run --name new --force"),
    "run --force": Case("run --name base --force --set 'room temperature=60'"),
    "run --plot": Case("run --name base --force --set 'room temperature=60' --plot"),
    "ensemble": Case("ensemble -e cup.vsc -n 4 --name few", "ensemble -e cup.vsc -n 4 --name few --resume"),
    "ensemble --force": Case("ensemble -e cup.vsc -n 4 --seed 9 --name many --force"),
    "ensemble -n 2": Case("ensemble -e cup.vsc -n 2 --seed 9 --name many --force"),
    "sweep": Case("sweep --lever 'room temperature=60,70' --name grid --force"),
    "rank": Case("rank --on 'Tea Temperature' --at 2025 --name ranks --plot --force"),
    "attribute": Case("attribute -c cold --name parts --plot --force"),
    "sensitivity": Case(
        "sensitivity --at 2030 --on 'Tea Temperature' --free 'cooling time=1:4' -o s.csv -o s.json --force"
    ),
    "discover": Case(
        "discover many 'Tea Temperature' --at 2024 --above 110 --density 0.7 --mass 0.2 -o d.csv -o d.json --plot --force"
    ),
    "calibrate": Case("calibrate --free 'cooling time=1:5' --starts 1 --name best --force"),
    "calibrate --posterior": Case(
        "calibrate --free 'cooling time=1:5' --starts 1 --name best --posterior --steps 60 --samples 10 --force"
    ),
    "backtest": Case(
        "backtest --cut 2025 --free 'cooling time=1:5' --starts 1 --steps 20 --samples 5 --name bt --plot --error e.csv --force"
    ),
    "fit": Case("fit base --plot --force"),
    "compare": Case("compare base cold --cin change.cin --plot --force"),
    "plot": Case("plot base -o base.svg --force"),
    "report": Case("report base cold -o page.html --force"),
    "explore": Case("explore -e cup.vsc -n 4 --run base -o explorer.html --force"),
    "convert .csv": Case("convert base -o base.csv --force"),
    "convert .nc": Case("convert base -o base.nc --force"),
    "convert .zarr": Case("convert base -o base.zarr --force"),
    "expand": Case("expand -o plain.mdl --force"),
    "diagram": Case("diagram -o diagrams/ --force"),
    "edit set": Case("edit set 'room temperature=60'", "levers"),
    "edit rename": Case("edit rename 'room temperature' kitchen", "levers"),
    "edit -o": Case("edit set -o other.mdl --force 'room temperature=60'"),
    "fmt": Case("fmt models/ai_compute.mdl"),
    "merge-file": Case("merge-file base.mdl ours.mdl theirs.mdl"),
    "git-install": Case("git-install"),
    "git-install --uninstall": Case("git-install --uninstall"),
    "new": Case("new copy"),
}

NEEDS = {"discover": "ema_workbench"}
"""The optional package that a command needs; without it, the command is not tested."""
TOGETHER = frozenset({"calibrate", "edit rename", "edit set", "fmt", "new", "git-install", "git-install --uninstall"})
"""Commands that change all of their files or none."""
QUICK = ("run", "run --force", "ensemble -n 2", "edit rename", "fmt", "merge-file", "new")
READERS = {"runs", "show", "rerun", "levers", "check", "loops", "diff", "git-text", "completion"}
"""Commands that write nothing, or only a cache that they can do without."""


@pytest.fixture(scope="module", autouse=True)
def _small_blocks() -> Iterator[None]:
    with small_blocks():
        yield


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, tea_text: str) -> Path:
    """A project with a model and what belongs to it, stored runs, and older versions of everything that is written."""
    folder = tmp_path_factory.mktemp("template")
    names = {
        "models/ai_compute.mdl": tea_text, "models/scenarios/cold.cin": "room temperature = 50\n",
        "models/ai_compute.lst": "Tea Temperature\nroom temperature\n", "models/scenarios/warm.cin": "room temperature = 80\n",
        "models/ai_compute.series.csv": "name,model,data,error,size,note\ntea,Tea Temperature,seen,absolute,0.5,x\n",
        "models/data/observations.csv": "series,date,value,unit\nseen,2023,150,°F\nseen,2026,100,°F\nseen,2030,75,°F\n",
        "cup.vsc": "4,L,7,,0\ncooling time = RANDOM_UNIFORM(1,4)\n",
        "base.mdl": tea_text, "ours.mdl": tea_text.replace("2.5", "3"), "theirs.mdl": tea_text.replace(" = 70", " = 71"),
        ".gitattributes": "*.nc binary\n*.mdl diff=sdmodel merge=sdmodel\n",
    }  # fmt: skip
    old = (
        "runs/grid.nc",
        "runs/parts.nc",
        "runs/parts.png",
        "runs/parts-bars.png",
        "runs/base.png",
        "runs/base-fit.png",
    )
    old += (
        "s.csv",
        "s.json",
        "d.csv",
        "d.json",
        "base.svg",
        "base.csv",
        "base.nc",
        "plain.mdl",
        "page.html",
        "change.cin",
        "other.mdl",
    )
    old += (
        "runs/base+cold.png",
        "runs/base+cold.differences.png",
        "base.zarr/zarr.json",
        "diagrams/ai_compute-View-1.png",
    )
    old += tuple(f"runs/best{ending}" for ending in (".cin", ".json", ".tab", ".vsc", ".chain.npz"))
    for name, text in names.items() | dict.fromkeys(old, "old").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    subprocess.run(["git", "init", "-q", "--template="], cwd=folder, check=True)
    for words in ("run --name base", "run -c models/scenarios/cold.cin", "ensemble -e cup.vsc -n 4 --name many"):
        done = run_forked(words.split(), folder)
        assert done.code == 0, done
    return folder


def _tree(folder: Path) -> Tree:
    """The bytes of all files, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): _content(path) for path in files}


def _content(path: Path) -> bytes:
    """The bytes of a file; of a run, what is in it, since netCDF notes the time of writing."""
    content = path.read_bytes()
    is_run = path.suffix == ".nc" and content != b"old"
    return repr(open_run(path).to_dict()).encode() if is_run else content


def _visible(tree: Tree) -> Tree:
    return {name: content for name, content in tree.items() if not re.search(r"(^|/)\.(?!gitattributes)", name)}


class _Trials:
    """A command whose calls go wrong one after the other, each time in a fresh copy of the template."""

    def __init__(self, name: str, template: Path, folder: Path) -> None:
        self.name, self.case, self.template, self.folder = name, CASES[name], template, folder
        with pytest.MonkeyPatch.context() as patch:  # what the children need is imported and compiled once
            patch.chdir(self.fresh("warm"))
            CliRunner().invoke(main, shlex.split(self.case.words))
        whole = self.fresh("whole")
        self.before = _tree(whole)
        done = run_forked(shlex.split(self.case.words), whole)
        assert done.code == 0, done
        self.after = _tree(whole)
        self.calls, self.states = done.calls, set[frozenset[tuple[str, bytes]]]()
        assert self.calls

    def fresh(self, name: str) -> Path:
        """A copy of the template in which the command changes something."""
        copy = self.folder / name
        shutil.copytree(self.template, copy)
        if self.name == "git-install":
            (copy / ".gitattributes").write_text("*.nc binary\n")
        return copy

    def run(self, at: int, how: str) -> None:
        """One trial, and the command after it."""
        copy = self.fresh(f"{how}-{at}")
        done = run_forked(shlex.split(self.case.words), copy, at, how)
        call = f"{how} at {[*done.calls, *self.calls[len(done.calls) :]][at]}: {done.code} {done.stderr} {done.trace}"
        if how == KILL:
            assert done.code in (KILLED, 0), call  # threads may call in another order
        else:
            self.check_message(done, call)
        now = _tree(copy)
        self.check_files(_visible(now), done, how, call)
        state = frozenset((re.sub(r"-\w{8}-\d+-\w{8}\.", ".", name), content) for name, content in now.items())
        if now in (self.before, self.after) or state in self.states:
            return  # nothing is left to do, or the next command has shown already what it does
        self.states.add(state)
        done = run_forked(self.case.next_words, copy)
        now = _tree(copy)
        assert now == self.after or (self.case.again == "levers" and now == self.before), (
            call,
            _differing(now, self.after),
        )
        assert not done.trace, (call, done)
        assert done.code == 0 or self.name == "new", (call, done)

    def check_message(self, done: Outcome, call: str) -> None:
        """A failure is one line that says what to do."""
        assert not done.trace, call
        assert done.code in (0, 1, 255), call
        if done.code:
            assert re.search(r"^.+: .+; .+$", done.stderr.rstrip("\n").splitlines()[-1]), call

    def check_files(self, now: Tree, done: Outcome, how: str, call: str) -> None:
        """Every file is as before or as after; those that belong together change together, where the process could see to it."""
        before, after = _visible(self.before), _visible(self.after)
        if how != KILL and done.code == 0:
            assert now == after, (call, _differing(now, after))
        elif self.name in TOGETHER and how == ONCE:
            assert now in (before, after), (call, _differing(now, before))
        for name in {*now, *before}:
            store = re.match(r"(.+\.zarr)/", name)
            if store:
                self.check_store(store[1], now, before, after, call)
            elif (
                name.endswith(".chain.npz") and now[name] != before[name]
            ):  # grows while it is sampled, and can be resumed
                assert len(np.load(io.BytesIO(now[name]))["points"]) > 0, call
            else:
                assert now.get(name) in (before.get(name), after.get(name)), (call, name)

    def check_store(self, name: str, now: Tree, before: Tree, after: Tree, call: str) -> None:
        """A folder of arrays is whole, put aside for a moment, or an ensemble that can be resumed."""
        inside = [{file: tree[file] for file in tree if file.startswith(f"{name}/")} for tree in (now, before, after)]
        if inside[0] in inside[1:] or ("--force" in self.case.words and not inside[0]):
            return
        assert self.name.startswith("ensemble"), call
        members = json.loads(inside[0][f"{name}/zarr.json"])["attributes"]["members_done"]
        assert members >= ("--force" in self.case.words), call
        assert all(f"{name}/tea_temperature/c/0/{block}" in inside[0] for block in range(members // 2)), call


def _differing(one: Tree, other: Tree) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def _run_all(trials: _Trials, how: str, *, inside: bool) -> None:
    seen = set()
    for at, call in enumerate(trials.calls):
        # what is removed with a folder has a name without one
        kind = re.sub(r"^(remove|rmdir) [^/]+$", r"\1", re.sub(r"-\d+-\w{8}\.", ".", call))
        if inside or not (kind in seen or re.search(r"/?\.[^/]+\.part/", kind)):
            trials.run(at, how)
        seen.add(kind)


@pytest.mark.parametrize("how", [ONCE, KILL])
@pytest.mark.parametrize("name", QUICK)
def test_quick_commands_lose_nothing(name: str, how: str, template: Path, tmp_path: Path) -> None:
    """Each call fails, or the process is killed there; the next command finds a way on and leaves nothing behind.

    Inside a folder that has no name yet, and if they are repeated, calls fail in the nightly test only.
    """
    _run_all(_Trials(name, template, tmp_path), how, inside=False)


@pytest.mark.nightly
@pytest.mark.parametrize("how", [ONCE, FULL, KILL])
@pytest.mark.parametrize("name", CASES)
def test_no_command_loses_anything(name: str, how: str, template: Path, tmp_path: Path) -> None:
    """The same for all commands, and with a disk that stays full."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"{NEEDS[name]} is not installed")
    _run_all(_Trials(name, template, tmp_path), how, inside=True)


def test_every_command_is_a_reader_or_has_a_case() -> None:
    """A new command cannot be forgotten."""
    assert {*READERS, *(case.words.split()[0] for case in CASES.values())} == set(_COMMANDS)
