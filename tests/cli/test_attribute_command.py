"""`sdmodel attribute`: what it prints, stores and draws, and what it refuses."""

from __future__ import annotations

import json

import pytest

from sdmodel.store import open_run

POLICY = "{Warm and slow.}\nroom temperature = 90\ncooling time = 5\n"


@pytest.fixture
def policy(tea):
    """A scenario of two levers."""
    path = tea / "models" / "scenarios" / "slow.cin"
    path.write_text(POLICY, "utf-8")
    return "models/scenarios/slow.cin"


def test_it_tells_every_measure_and_stores_them(tea, policy, sdmodel):
    """Over time, at a date, and which levers act together; the sum is the whole."""
    done = sdmodel("attribute", "-c", policy, "--on", "Tea Temperature", "--at", "2025", "--at", "2027-07-02")
    assert done.exit_code == 0, done.output
    for told in ("baseline", "all together", "Tea Temperature at 2025", "Shapley", "room temperature × cooling time"):
        assert told in done.stdout
    run = open_run(tea / "runs" / "slow-levers.nc")
    assert run.attrs["scenario"] == POLICY.rstrip()
    assert run.attrs["levers"].startswith('{"room temperature": ["room temperature = 90"]')


def test_json_adds_up(tea, policy, sdmodel):
    """Shapley values are the difference between the ends."""
    done = sdmodel("attribute", "-c", policy, "--on", "tea temperature", "--at", "2026", "--json")
    (told,) = json.loads(done.stdout)["variables"]
    total = sum(each["shapley"] for each in told["contributions"])
    assert total == pytest.approx(told["scenario"] - told["baseline"], rel=1e-12)
    assert [each["lever"] for each in told["contributions"]] == ["room temperature", "cooling time"]
    assert told["pairs"][0]["levers"] == ["room temperature", "cooling time"]


def test_without_names_the_headlines_are_told_in_short(tea, policy, sdmodel):
    """One line a variable, with what does most."""
    done = sdmodel("attribute", "-c", policy)
    assert done.exit_code == 0, done.output
    assert "largest contributions" in done.stdout
    assert "name variables with --on" in done.stderr


def test_figures_are_drawn_and_nothing_is_overwritten(tea, policy, sdmodel):
    """Wedges and bars; a second time only with --force, told before any work."""
    words = ("attribute", "-c", policy, "--on", "Tea Temperature", "--name", "x", "--plot")
    assert sdmodel(*words).exit_code == 0
    assert {each.name for each in (tea / "runs").iterdir()} == {"x.nc", "x.png", "x-bars.png"}
    again = sdmodel(*words)
    assert again.exit_code == 1
    assert "exists already" in again.stderr
    assert sdmodel(*words, "--force").exit_code == 0


def test_members_are_told_with_ranks(tea, policy, sdmodel):
    """Means, the middle 90 % and who ranks first; every member is run with each subset."""
    (tea / "u.vsc").write_text('20,L,3,\n"cooling time"=RANDOM_UNIFORM(1,4)\n', "utf-8")
    done = sdmodel(
        "attribute", "-c", policy, "--on", "heat loss", "--at", "2024", "-e", "u.vsc", "--name", "m", "--plot"
    )
    assert done.exit_code == 0, done.output
    assert "90 % of members" in done.stdout
    assert "ranks first" in done.stdout
    assert open_run(tea / "runs" / "m.nc").attrs["runs"] == 80


def test_a_stored_attribution_is_listed_shown_and_drawn(tea, policy, sdmodel):
    """As other runs are; it is no run that could be made again from its record."""
    assert sdmodel("attribute", "-c", policy, "--name", "x").exit_code == 0
    assert "attribution" in sdmodel("runs").stdout
    assert "Shapley" in sdmodel("show", "x").stdout
    assert json.loads(sdmodel("show", "x", "--json").stdout)["variables"]
    assert sdmodel("plot", "x").exit_code == 0
    assert (tea / "runs" / "x.png").exists()
    rerun = sdmodel("rerun", "x")
    assert rerun.exit_code == 1
    assert "is an attribution, not a run" in rerun.stderr


def test_a_value_outside_its_range_is_told_and_run_all_the_same(tea, sdmodel):
    """The user may know better."""
    done = sdmodel("attribute", "--set", "room temperature=300", "--on", "Tea Temperature")
    assert done.exit_code == 0, done.output
    assert "outside its range: above 100" in done.stderr


REFUSED = {
    "nothing moves": (["attribute"], "moves nothing away from its baseline"),
    "an unknown lever": (["attribute", "--set", "room temprature=80"], "did you mean 'room temperature'"),
    "no group": (["attribute", "--set", "room temperature=80", "--group", "x"], '"NAME=LEVER,LEVER"'),
    "a group of nothing": (["attribute", "--set", "room temperature=80", "--group", "x=cooling time"], "does not move"),
    "a date outside": (["attribute", "--set", "room temperature=80", "--at", "2050"], "outside the run"),
    "no date": (["attribute", "--set", "room temperature=80", "--at", "soon"], "is not a date"),
    "members of nothing": (["attribute", "--set", "room temperature=80", "-n", "5"], "-e FILE.vsc"),
    "an unknown variable": (["attribute", "--set", "room temperature=80", "--on", "Te Temperature"], "did you mean"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_told_in_one_line(tea, sdmodel, what):
    """With exit code 1, and nothing stored."""
    words, told = REFUSED[what]
    done = sdmodel(*words)
    assert done.exit_code == 1
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tea.glob("runs/*"))
