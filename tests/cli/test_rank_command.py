"""`sdmodel rank`: what it prints, stores and plots, and its error messages."""

from __future__ import annotations

import json

import pytest

from sdmodel.store import open_run

ON = ("--on", "Tea Temperature", "--at", "2025")
PLAUSIBLE = "100,L,1,,0\nroom temperature=RANDOM_TRIANGULAR(60,80,60,70,80)\ncooling time=RANDOM_UNIFORM(1,4)\n"


@pytest.fixture
def plausible(tea):
    """The project, with plausible ranges beside its model."""
    (tea / "models" / "ai_compute.vsc").write_text(PLAUSIBLE, "utf-8")
    return tea


def test_levers_are_ranked_and_stored(plausible, sdmodel):
    """Over the plausible range, not the slider's; the answer is a sentence, and the result a stored ranking."""
    done = sdmodel("rank", *ON, "--also", "heat loss")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    for text in ("Tea Temperature at 2025", "70 → 60", "all together", "heat loss", "per unit"):
        assert text in done.stdout
    assert "'room temperature' lowers Tea Temperature at 2025 most: -7.08 °F, -6.9 %." in done.stdout
    assert open_run(plausible / "runs" / "ai_compute-ranking.nc").attrs["analysis"] == "ranking"
    assert sdmodel("rank", *ON).exit_code == 0
    assert (plausible / "runs" / "ai_compute-ranking-2.nc").is_file()


def test_sliders_count_where_nothing_says_what_is_plausible(tea, sdmodel):
    """With a note."""
    done = sdmodel("rank", *ON, "--json")
    assert "all levers: no file of plausible ranges beside the model" in done.stderr
    lever = json.loads(done.stdout)["levers"][0]
    assert (lever["low"], lever["high"], lever["range"]) == (40, 100, "slider")


def test_json_has_every_number(plausible, sdmodel):
    """Ends, effects by outcome, quantiles and shares; the changes are lines of a change file."""
    done = sdmodel(
        "rank", *ON, "--goal", "max", "-e", "models/ai_compute.vsc", "-n", "20", "--value", "heat loss", "--rate", "10%", "--json"
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "'room temperature': ranked, so not sampled for each member" in done.stderr
    found = json.loads(done.stdout)
    assert [outcome["name"] for outcome in found["outcomes"]] == ["Tea Temperature", "value of heat loss"]
    assert (found["goal"], found["rate"], found["since"], found["until"], found["members"]) == (
        "max",
        0.1,
        2022,
        2032,
        20,
    )
    first, together = found["levers"]
    assert first["changes"] == ["room temperature = 80"]
    assert first["effects"]["Tea Temperature"] > 0 > first["effects"]["value of heat loss"]
    assert first["quantiles"]["0.05"] < first["quantiles"]["0.95"]
    assert first["ranks_first"] == 1
    assert together["lever"] == "all together"
    assert together["effects"] == first["effects"]


def test_members_may_come_from_the_default_ensemble(plausible, sdmodel):
    """-n alone samples the constants that `ensemble` samples without a file."""
    (plausible / "models" / "ai_compute.mdl").write_text(
        (plausible / "models" / "ai_compute.mdl").read_text("utf-8").replace("[0.5,?]", "[0.5,4]"), "utf-8"
    )
    done = sdmodel("rank", *ON, "-n", "10", "--seed", "3")
    assert done.exit_code == 0, done.output
    assert "It ranks first in 100 % of 10 members." in done.stdout


def test_levers_and_dates_may_be_named(plausible, sdmodel):
    """Any constant can be ranked; the value counts between dates, also written as days."""
    done = sdmodel(
        "rank", "--on", "Tea Temperature", "--over", "mean", "--lever", "cooling time=2:3", "--lever", "room temperature",
        "--value", "heat loss", "--from", "2023-07-02", "--until", "2030", "--format", "csv",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split(",")[0] for line in lines] == ["lever", "room temperature", "cooling time", "all together"]
    both = sdmodel("rank", *ON, "--group", "all")
    assert "cooling time (Year)" in both.stdout


def test_changes_apply_to_the_baseline(plausible, sdmodel):
    done = sdmodel("rank", *ON, "-c", "cold", "--set", "cooling time=5", "--json")
    found = json.loads(done.stdout)
    assert found["run"] == "cold-ranking"
    assert found["levers"][0]["present"] == 50
    assert found["levers"][0]["end"] == "present"


def test_stored_ranking_is_shown_plotted_and_reported(plausible, sdmodel):
    """Like an attribution; it cannot be repeated or plotted with runs."""
    assert sdmodel("run", "--name", "base").exit_code == 0
    done = sdmodel("rank", *ON, "--name", "r", "--also", "heat loss", "--plot")
    assert done.exit_code == 0, done.output
    assert (plausible / "runs" / "r.png").is_file()
    again = sdmodel("rank", *ON, "--name", "r", "--plot")
    assert again.exit_code == 1
    assert "exists already; choose another --name, or --force to replace it" in again.stderr
    shown = sdmodel("show", "r")
    assert done.stdout.split("stored as")[0].strip() in shown.stdout
    assert json.loads(sdmodel("show", "r", "--json").stdout)["levers"][0]["lever"] == "room temperature"
    assert "ranking" in sdmodel("runs").stdout
    assert sdmodel("plot", "r", "-o", "r.svg").exit_code == 0
    together = sdmodel("plot", "r", "base", "-o", "x.png")
    assert "run 'r': is a ranking" in together.stderr
    assert "run 'r': is a ranking, not a run" in sdmodel("rerun", "r").stderr
    assert sdmodel("report", "base", "r", "-o", "page.html").exit_code == 0
    page = (plausible / "page.html").read_text("utf-8")
    assert "<h2>Ranking r</h2>" in page
    assert "lowers Tea Temperature at 2025 most" in page.replace("&#39;", "'")


def test_lever_that_breaks_the_run_is_reported(plausible, sdmodel):
    """Loudly, with the value; the stored table says it again."""
    done = sdmodel("rank", *ON, "--lever", "cooling time=0:3", "--lever", "room temperature")
    assert done.exit_code == 0, done.output
    assert "'cooling time' at 0: the run is not finite, so only its other end counts" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--at", "2025"), "name one target"),
        ((*ON, "--over", "max"), "name one target"),
        ((*ON, "--group", "levers", "--lever", "room temperature"), "give one of them"),
        ((*ON, "--rate", "5%"), "--rate belongs to --value"),
        ((*ON, "--value", "heat loss", "--from", "2050"), "--from: 2050 is outside the run"),
        ((*ON, "--value", "hot loss"), "--value: 'hot loss' is not in the model; did you mean 'heat loss'?"),
        ((*ON, "--also", "room temperature"), "--also: 'room temperature' is a constant"),
        (("--on", "tee", "--at", "2025"), "--on: 'tee' is not in the model"),
        ((*ON, "--lever", "cooling time"), "'cooling time' has no plausible range"),
    ],
)
def test_errors_are_one_line_and_store_nothing(tea, sdmodel, words, message):
    done = sdmodel("rank", *words)
    assert done.exit_code in (1, 2)
    assert message in done.stderr
    assert not (tea / "runs").exists()


def test_other_outcomes_are_headlines_in_other_units(tea, sdmodel):
    """One per unit, money over time first; the target's own units are left out."""
    model = tea / "models" / "ai_compute.mdl"
    extra = (
        "cost = heat loss*3 ~ Dollar/Year ~ |\nprice = heat loss ~ EUR ~ |\nbill = cost ~ Dollar/Year ~ |\n"
        "tepid = Tea Temperature ~ °F ~ |\nshare = heat loss/2 ~ dmnl ~ |\nspeed = heat loss ~ m/Year ~ |\n"
    )
    model.write_text(model.read_text("utf-8").replace("*" * 56, extra + "*" * 56, 1), "utf-8")
    names = ("tepid", "share", "speed", "price", "cost", "bill", "room temperature")
    model.with_suffix(".lst").write_text("\n".join(names), "utf-8")
    found = json.loads(sdmodel("rank", *ON, "--json").stdout)
    assert [outcome["name"] for outcome in found["outcomes"]] == ["Tea Temperature", "cost", "price", "share"]


def test_table_fits_eighty_columns(plausible, sdmodel, monkeypatch):
    """Effects and bands stand in the first block; names are broken instead."""
    monkeypatch.setenv("COLUMNS", "80")
    done = sdmodel(
        "rank", *ON, "-e", "models/ai_compute.vsc", "-n", "9", "--also", "heat loss", "--value", "heat loss*2"
    )
    table = done.stdout.split("\n\n")[0].splitlines()
    assert max(map(len, done.stdout.split("'room")[0].splitlines())) <= 80
    assert "first" in table[1]
    assert "members" in table[1]
