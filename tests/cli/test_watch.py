"""`sdmodel run --watch`: saving a file runs the model again; a broken file keeps the last good run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from sdmodel.cli.requests import RunRequest
from sdmodel.cli.watch import Interrupts, Watch, refresh, saved_files, watch
from sdmodel.store import open_run

MODEL = Path("models/ai_compute.mdl")
WAIT = 60


def _steps(*actions):
    """A pause that performs one action per call instead of waiting, and interrupts after the last."""
    waiting = iter(actions)

    def pause(_):
        action = next(waiting, None)
        if action is None:
            raise KeyboardInterrupt
        action()

    return pause


def _nothing():
    pass


def _write(path, text):
    return lambda: path.write_text(text, "utf-8")


def _replace(path, text):
    """Save as editors do that write another file and rename it."""

    def act():
        temporary = path.with_suffix(".swp")
        temporary.write_text(text, "utf-8")
        temporary.replace(path)

    return act


@pytest.mark.parametrize("save", [_write, _replace])
def test_save_is_reported_once_the_file_is_stable(tmp_path, save):
    """A half-written or briefly missing file does not count, and each change counts once."""
    path = tmp_path / "a.mdl"
    path.write_text("one")
    pause = _steps(_nothing, save(path, "tw"), save(path, "two"), _nothing, _nothing, path.unlink, save(path, "three"), _nothing, _nothing)  # fmt: skip
    found = []
    with pytest.raises(KeyboardInterrupt):
        found.extend((changed, path.read_text()) for changed in saved_files([path], pause=pause))
    assert found == [((path,), "two"), ((path,), "three")]


def test_touched_or_restored_file_is_not_a_change(tmp_path):
    """Only the content counts."""
    path = tmp_path / "a.mdl"
    path.write_text("one")
    pause = _steps(path.touch, _nothing, _write(path, "two"), _write(path, "one"), _nothing, _nothing)
    with pytest.raises(KeyboardInterrupt):
        next(saved_files([path], pause=pause))


def test_new_and_removed_files_are_noticed(tmp_path):
    """Such as a save list beside the model."""
    path = tmp_path / "a.lst"
    pause = _steps(_write(path, "x"), _nothing, path.unlink, _nothing)
    assert list(islice(saved_files([path], pause=pause), 2)) == [(path,), (path,)]


def test_broken_file_is_reported_and_keeps_the_last_good_run(tea, capsys):
    """Once it is mended, changes are reported against the last good run."""
    good = MODEL.read_text("utf-8")
    task = Watch(lambda: RunRequest(MODEL), Path("runs"), None, force=False, plot=None)
    assert refresh(task)
    assert task.path == Path("runs/ai_compute.nc")
    MODEL.write_text(good.replace("heat loss = (Tea", "heat loss = (Te"), "utf-8")
    assert not refresh(task)
    errors = capsys.readouterr().err
    assert "models/ai_compute.mdl:3:14: 'Te Temperature' is not defined; did you mean 'Tea Temperature'?" in errors
    assert "the last good run stays: runs/ai_compute.nc" in errors
    assert float(open_run(task.path)["room_temperature"]) == 70
    MODEL.write_text(good.replace("room temperature = 70", "room temperature = 77"), "utf-8")
    assert refresh(task)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["room", "temperature", "°F", "70", "77", "+10", "%"] in rows
    assert any(row[:2] == ["Tea", "Temperature"] and row[-1] == "%" for row in rows)
    assert float(open_run(task.path)["room_temperature"]) == 77
    assert sorted(path.name for path in Path("runs").iterdir()) == ["ai_compute.nc"]


def test_each_change_makes_one_run(tea, capsys):
    """One run now and one per change; a broken start does not end the watch."""
    good = MODEL.read_text("utf-8")
    MODEL.write_text("{UTF-8}\nx = ~ ~|\n", "utf-8")
    task = Watch(lambda: RunRequest(MODEL), Path("runs"), None, force=False, plot=None)

    def changes():
        assert task.run is None
        MODEL.write_text(good, "utf-8")
        yield (MODEL,)
        assert task.run is not None
        yield (MODEL,)

    watch(task, changes())
    output = capsys.readouterr()
    assert "there is no run yet" in output.err
    assert output.out.count("stored as") == 2
    assert "no headline variable changed" in output.out


def test_watch_replaces_only_its_own_run(tea, sdmodel):
    """An existing run is kept without `--force`."""
    assert sdmodel("run", "--name", "mine").exit_code == 0
    assert "exists already" in sdmodel("run", "--name", "mine", "--watch").stderr
    assert sdmodel("run", "--watch", "--json").exit_code == 2


def test_interrupt_ends_a_watch_quietly(tea):
    """The whole command in a process: a save, a broken save, Ctrl-C."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "sdmodel", "run", "--watch", "--name", "live"]
    output = Path("out.txt")
    with output.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, env=environment)
        try:
            _until(output, "waiting for a file")
            good = MODEL.read_text("utf-8")
            MODEL.write_text(good.replace("180", "190"), "utf-8")
            _until(output, "saved: ai_compute.mdl")
            _until(output, "stored as runs/live.nc", 2)
            MODEL.write_text(good.replace("cooling time ~", "coling time ~"), "utf-8")
            _until(output, "the last good run stays")
            process.send_signal(signal.SIGINT)
            assert process.wait(WAIT) == 130
        finally:
            process.kill()
            process.wait()
    assert "Traceback" not in output.read_text("utf-8")
    assert float(open_run("runs/live.nc")["tea_temperature"][0]) == 190


def test_an_interrupt_that_is_dropped_ends_the_next_pause():
    """Python ignores an exception in a finaliser."""
    before = signal.getsignal(signal.SIGINT)
    with Interrupts() as interrupts:
        interrupts.pause(0)
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.pause(0)
    assert signal.getsignal(signal.SIGINT) is before


def _until(output, text, count=1):
    end = time.monotonic() + WAIT
    while output.read_text("utf-8").count(text) < count:
        assert time.monotonic() < end, output.read_text("utf-8")
        time.sleep(0.05)
