"""`--workers` and `--dask`: the same numbers as without them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Command = Callable[..., Result]

SAMPLING = "5000,M,7\ncooling time=RANDOM_UNIFORM(1,4)\nroom temperature=RANDOM_NORMAL(60,80,70,5)\n"
COLD = ("-c", "models/scenarios/cold.cin")
COMMANDS = {
    "ensemble": ("-e", "cup.vsc"),
    "sweep": ("--lever", "room temperature=50,60", "-e", "cup.vsc", "-n", "20"),
    "attribute": (*COLD, "-e", "cup.vsc", "-n", "20"),
    "sensitivity": ("--on", "Tea Temperature", "--free", "cooling time=1:4"),
}


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a dask scheduler whose worker is in this process."""
    distributed = pytest.importorskip("distributed", reason="needs dask")
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options, silence_logs="ERROR") as cluster:
        yield cluster.scheduler_address


def _numbers(done: Result) -> Any:
    """What a command prints, without the name and the time of the run."""
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    lost = ("run", "path", "seconds", "created")
    return {name: value for name, value in record.items() if name not in lost}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_cluster_gives_the_same_numbers(cup: Path, sdmodel: Command, scheduler: str, command: str):
    """Of every command that shares its work."""
    alone = sdmodel(command, *COMMANDS[command], "--json")
    assert _numbers(sdmodel(command, *COMMANDS[command], "--json", "--dask", scheduler)) == _numbers(alone)


def test_an_address_is_the_name_of_an_ensemble(cup: Path, sdmodel: Command):
    """Its figure stands in the folder of the runs; other commands take the address, and `--runs` does not."""
    pytest.importorskip("upath", reason="needs universal-pathlib")
    address = "memory://cluster/cup.zarr"
    given = ("ensemble", "-e", "cup.vsc", "-n", "20", "--json", "--name")
    assert _numbers(sdmodel(*given, address)) == _numbers(sdmodel(*given, "here"))
    assert "memory://cluster/cup.zarr: exists already; choose another --name" in sdmodel(*given, address).stderr
    assert json.loads(sdmodel(*given, address, "--resume", "--plot").stdout)["members_made"] == 0
    assert Path("runs/cup.png").exists()
    assert sdmodel("show", address).exit_code == 0
    assert "the address of an ensemble ends in .zarr" in sdmodel(*given, "memory://cluster/cup").stderr
    assert "--runs: memory://cluster is an address" in sdmodel("ensemble", "--runs", "memory://cluster").stderr


def test_a_wrong_choice_is_one_line(cup: Path, sdmodel: Command):
    """Both options, and an address that is none."""
    both = sdmodel("ensemble", "-e", "cup.vsc", "--workers", "2", "--dask", "tcp://127.0.0.1:1")
    assert both.exit_code == 2
    assert "--workers and --dask each choose who shares the work" in both.stderr
    pytest.importorskip("distributed", reason="needs dask")
    wrong = sdmodel("sweep", "--lever", "room temperature=50", "--dask", "elsewhere")
    assert wrong.exit_code == 1
    assert "--dask: there is no scheduler at elsewhere; start one with `dask scheduler`" in wrong.stderr
