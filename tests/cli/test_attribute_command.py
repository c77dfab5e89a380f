"""`sdmodel attribute`: what it prints, stores and plots, and its error messages."""

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


def test_every_measure_is_printed_and_stored(tea, policy, sdmodel):
    """Over time, at a date, and for pairs of levers."""
    done = sdmodel("attribute", "-c", policy, "--on", "Tea Temperature", "--at", "2025", "--at", "2027-07-02")
    assert done.exit_code == 0, done.output
    for text in ("baseline", "all together", "Tea Temperature at 2025", "Shapley", "room temperature × cooling time"):
        assert text in done.stdout
    run = open_run(tea / "runs" / "slow-levers.nc")
    assert run.attrs["scenario"] == POLICY.rstrip()
    assert run.attrs["levers"].startswith('{"room temperature": ["room temperature = 90"]')


def test_shapley_values_add_up_in_json(tea, policy, sdmodel):
    """Their sum is the difference between scenario and baseline."""
    done = sdmodel("attribute", "-c", policy, "--on", "tea temperature", "--at", "2026", "--json")
    (output,) = json.loads(done.stdout)["variables"]
    total = sum(contribution["shapley"] for contribution in output["contributions"])
    assert total == pytest.approx(output["scenario"] - output["baseline"], rel=1e-12)
    assert [contribution["lever"] for contribution in output["contributions"]] == ["room temperature", "cooling time"]
    assert output["pairs"][0]["levers"] == ["room temperature", "cooling time"]


def test_headlines_are_summarised_by_default(tea, policy, sdmodel):
    """One line per variable, with the largest contributions."""
    done = sdmodel("attribute", "-c", policy)
    assert done.exit_code == 0, done.output
    assert "largest contributions" in done.stdout
    assert "name variables with --on" in done.stderr


def test_attribution_figures_are_not_overwritten(tea, policy, sdmodel):
    """Wedges and bars; replaced only with `--force`, and the error comes before any work."""
    words = ("attribute", "-c", policy, "--on", "Tea Temperature", "--name", "x", "--plot")
    assert sdmodel(*words).exit_code == 0
    assert {path.name for path in (tea / "runs").iterdir()} == {"x.nc", "x.png", "x-bars.png"}
    again = sdmodel(*words)
    assert again.exit_code == 1
    assert "exists already" in again.stderr
    assert sdmodel(*words, "--force").exit_code == 0


def test_ensemble_attribution_has_ranks(tea, policy, sdmodel):
    """Means, the middle 90 % and rank shares; every member is run with each subset of levers."""
    (tea / "u.vsc").write_text('20,L,3,\n"cooling time"=RANDOM_UNIFORM(1,4)\n', "utf-8")
    done = sdmodel(
        "attribute", "-c", policy, "--on", "heat loss", "--at", "2024", "-e", "u.vsc", "--name", "m", "--plot"
    )
    assert done.exit_code == 0, done.output
    assert "90 % of members" in done.stdout
    assert "ranks first" in done.stdout
    assert open_run(tea / "runs" / "m.nc").attrs["runs"] == 80


def test_stored_attribution_is_listed_shown_and_plotted(tea, policy, sdmodel):
    """Like other runs, but it cannot be repeated from its record."""
    assert sdmodel("attribute", "-c", policy, "--name", "x").exit_code == 0
    assert "attribution" in sdmodel("runs").stdout
    assert "Shapley" in sdmodel("show", "x").stdout
    assert json.loads(sdmodel("show", "x", "--json").stdout)["variables"]
    assert sdmodel("plot", "x").exit_code == 0
    assert (tea / "runs" / "x.png").exists()
    rerun = sdmodel("rerun", "x")
    assert rerun.exit_code == 1
    assert "is an attribution, not a run" in rerun.stderr


def test_value_outside_its_range_is_reported_and_run(tea, sdmodel):
    """The user may know better."""
    done = sdmodel("attribute", "--set", "room temperature=300", "--on", "Tea Temperature")
    assert done.exit_code == 0, done.output
    assert "outside its range: above 100" in done.stderr


REFUSED = {
    "no lever changes": (["attribute"], "moves nothing away from its baseline"),
    "an unknown lever": (["attribute", "--set", "room temprature=80"], "did you mean 'room temperature'"),
    "a malformed group": (["attribute", "--set", "room temperature=80", "--group", "x"], '"NAME=LEVER,LEVER"'),
    "a group without changed levers": (
        ["attribute", "--set", "room temperature=80", "--group", "x=cooling time"],
        "does not move",
    ),
    "a date outside the run": (["attribute", "--set", "room temperature=80", "--at", "2050"], "outside the run"),
    "not a date": (["attribute", "--set", "room temperature=80", "--at", "soon"], "is not a date"),
    "members without ranges": (["attribute", "--set", "room temperature=80", "-n", "5"], "write a .vsc file"),
    "an unknown variable": (["attribute", "--set", "room temperature=80", "--on", "Te Temperature"], "did you mean"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_attribute_errors_are_one_line(tea, sdmodel, case):
    """The exit code is 1 and nothing is stored."""
    words, message = REFUSED[case]
    done = sdmodel(*words)
    assert done.exit_code == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tea.glob("runs/*"))
