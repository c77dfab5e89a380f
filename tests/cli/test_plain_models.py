"""Commands on a model without groups, ranges and files beside it, as most are: `levers`, and --vary of the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import sdmodel as sd
from sdmodel.testing import model_text

PLAIN = model_text(
    "cup = INTEG(-loss, 90) ~~| loss = (cup - room)/rest ~~| room = 20 ~ C ~| rest = 5 ~ Month ~| off = 0 ~~|"
)
RANGED = PLAIN.replace("room = 20 ~ C ~|", "room = 20 ~ C [0,40] ~|")


@pytest.fixture(autouse=True)
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("plain.mdl").write_text(PLAIN, "utf-8")
    return tmp_path


def test_levers_lists_all_constants(sdmodel: Callable[..., Result]) -> None:
    """Without groups and ranges all; with a range of one, that one, a note on the others, and all of them by --all."""
    listed = sdmodel("levers", "plain.mdl")
    assert [line.split()[0] for line in listed.stdout.splitlines()[2:] if line] == ["room", "rest", "off"]
    assert not listed.stderr
    Path("ranged.mdl").write_text(RANGED, "utf-8")
    one = sdmodel("levers", "ranged.mdl", "--json")
    assert [lever["name"] for lever in json.loads(one.stdout)] == ["room"]
    assert sdmodel("levers", "ranged.mdl").stderr == "2 more constants can be changed; --all lists them\n"
    every = json.loads(sdmodel("levers", "ranged.mdl", "--all", "--json").stdout)
    assert [lever["name"] for lever in every] == ["room", "rest", "off"]


def test_every_constant_is_ranked(sdmodel: Callable[..., Result]) -> None:
    """`rank` and `sensitivity` move each constant to both ends; a note names those that cannot vary."""
    ranked = sdmodel("rank", "plain.mdl", "--on", "cup", "--vary", "10%", "--json")
    assert ranked.stderr.splitlines()[:2] == [
        "not varied: off; each is 0 or at the end of its range, is compared with = or <>, or decides times or orders of delays",
        "2 constants within 10 % of their values",
    ]
    assert {row["lever"] for row in json.loads(ranked.stdout)["levers"]} == {"room", "rest", "all together"}
    tornado = json.loads(sdmodel("sensitivity", "plain.mdl", "--on", "cup", "--vary", "10%", "--json").stdout)
    ends = {row["name"]: (row["low_value"], row["high_value"]) for row in tornado["outcomes"][0]["constants"]}
    assert ends == {"room": pytest.approx((18, 22)), "rest": pytest.approx((4.5, 5.5))}


def test_members_vary_every_constant(sdmodel: Callable[..., Result]) -> None:
    """A changed constant varies around its new value; the stored ensemble repeats, and bands of the page vary too."""
    done = sdmodel(
        "ensemble", "plain.mdl", "--vary", "10%", "--set", "room = 30", "-n", "50", "--on", "cup", "--name", "all"
    )
    assert done.exit_code == 0, done.stderr
    assert "sampled for each member" not in done.stderr
    run = sd.open_run("runs/all.zarr")
    assert 27 <= float(run["room"].min()) < 28
    assert 32 < float(run["room"].max()) <= 33
    assert run["room"].dims == ("member",)
    page = sdmodel("explore", "plain.mdl", "--vary", "10%", "-n", "5", "-o", "plain.html")
    assert page.exit_code == 0, page.stderr


@pytest.mark.parametrize(
    "given",
    [
        ("ensemble", "--vary", "5%", "--noise-only"),
        ("ensemble", "--vary", "5%", "-e", "plain.vsc"),
        ("sensitivity", "--on", "cup", "--vary", "5%", "--group", "all"),
        ("rank", "--on", "cup", "--vary", "5%", "--lever", "room=1:2"),
    ],
)
def test_one_way_to_choose(given: tuple[str, ...], sdmodel: Callable[..., Result]) -> None:
    command, *options = given
    done = sdmodel(command, "plain.mdl", *options)
    assert (done.exit_code, "give one of them" in done.stderr) == (2, True)


@pytest.mark.parametrize("command", ["rank", "sensitivity", "ensemble"])
def test_the_cure_is_named(command: str, sdmodel: Callable[..., Result]) -> None:
    """Without ranges and without --vary, the error says how to go on."""
    on = () if command == "ensemble" else ("--on", "cup")
    done = sdmodel(command, "plain.mdl", *on)
    assert done.exit_code == 1
    assert "--vary 20%" in done.stderr
