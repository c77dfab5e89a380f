"""Models written in XMILE: read back they give the same numbers, also by PySD and Simlin; what has no counterpart is listed."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from sdmodel.errors import ModelError
from sdmodel.model import Cell, Model, Start, bindings, lay_out
from sdmodel.reading import read_model, read_sketch, read_xmile
from sdmodel.reading import read_sketch as read_vensim_sketch
from sdmodel.simulation import simulate
from sdmodel.testing import model_text, tiny_model
from sdmodel.vensim import model_from_text
from sdmodel.xmile import read_xmile as read_bytes
from sdmodel.xmile import xmile_text

PROJECT = Path(__file__).resolve().parents[2]
PUBLIC = sorted((PROJECT.parent / "shared" / "test-models").rglob("*.mdl"))

PLAIN = """Water = INTEG(inflow - leak, 100)
inflow = STEP(3, 2) + RAMP(1, 2, 3) + RAMP(1, 2, FINAL TIME)
leak = Water/lifetime * IF THEN ELSE(Water > 50 :AND: :NOT: (Time = 3), 1, 0.5)
lifetime = 5
graph = WITH LOOKUP(Time, ((0,1),(5,2),(10,4)))
smooths = SMOOTH(Water, 3) + SMOOTH3I(Water, 3, 2) + DELAY1(Water, 3) + DELAY3I(Water, 3, 1)
trend = TREND(Water, 3, 0.1)
quotients = ZIDZ(Water, Time) + XIDZ(Water, Time, 3)
rounded = INTEGER(Time/2) + INTEGER(1 - Water/8) + MODULO(Time, 3) + MODULO(-Water, 7) + QUANTUM(Water, 3)
powers = -Water^2 - (3 - Water)*2/(1 + Time) - 2^(1 - Time)
logarithms = LN(Water) + SQRT(Water) + ARCTAN(Water) + SINH(0.1) + TANH(Water) + LOG(Water, 2)
start = INITIAL(Water)"""
"""What PySD, Simlin and we read alike."""

MORE = """
pulses = PULSE(3, 0) + PULSE(2, lifetime) + PULSE TRAIN(1, 1, 2, 9)
held = SAMPLE IF TRUE(Water > 80, Water, 0)
table((0,1),(5,2),(120,8))
looked up = table(Water) + LOOKUP EXTRAPOLATE(table, 2*Water) + LOOKUP FORWARD(table, Water) + LOOKUP BACKWARD(table, 5)
delayed = DELAY FIXED(Water, 2, 7) + SMOOTH N(Water, 9, 1, 2) + DELAY N(Water, 9, 1, 2) + FORECAST(Water, 3, 4)
first value = ACTIVE INITIAL(Water, 3)
nested = 1 + SAMPLE IF TRUE(Water > 80, Water, 0) + WITH LOOKUP(Water, ((0,1),(100,2)))
Letter: a, b, c
Word: x, y -> (Letter: a, b)
values[Letter] = 1, 2, 3
grid[Letter, Word] = values[Letter]*10 + Word
part[Letter] :EXCEPT: [a] = values[Letter]
part[a] = 7
mapped[Word] = values[Letter]
total = SUM(values[Letter!]*grid[Letter!, x]) + VMAX(values[Letter!]) + PROD(values[Letter!]) + ELMCOUNT(Letter) + SUM(Letter!)
Level[Letter] = INTEG(2*values[Letter] - drain[Letter], values[Letter])
drain[Letter] = Level[Letter]/4
"odd \\"name\\" (x)" = 2
sum of odd = "odd \\"name\\" (x)" + Time step + LOG(Water, 10) + (-2)^2
DT = TIME STEP
"Lag #" = 2
"table #2"((0,1),(5,3))
sum of marks = DT + "Lag #" + "table #2"(Water/30) + LOOKUP FORWARD("table #2", Time)"""


def differences(one, other) -> list[str]:
    """The variables of the first run that the second lacks, or has with other numbers."""
    found = []
    for name in one.data_vars:
        if name not in other:
            found.append(f"{name}: missing")
            continue
        left, right = one[name].values, other[name].values
        if left.ndim and right.shape != left.shape and right.ndim < left.ndim:
            right = np.broadcast_to(right, left.shape)
        if left.ndim < right.ndim:
            left = np.broadcast_to(left, right.shape)
        if not np.allclose(left, right, rtol=1e-12, atol=1e-12, equal_nan=True):
            found.append(f"{name}: {left.ravel()[:3]} and {right.ravel()[:3]}")
    return found


def rewritten(model: Model, views=()) -> tuple[Model, tuple[str, ...]]:
    """The model as its XMILE file is read, and the notes on writing it."""
    written = xmile_text(model, views)
    return read_bytes(written.text.encode(), "model.stmx"), written.notes


def test_all_functions_and_arrays_keep_their_numbers():
    """Also those that XMILE writes as formulas, cell by cell, or with variables of their own."""
    model = tiny_model(PLAIN + MORE)
    again, notes = rewritten(model)
    assert notes == ()
    assert differences(simulate(model), simulate(again)) == []
    assert again['odd "name" (x)'].kind == "constant"
    assert {name: again[name].kind for name in ("Water", "inflow", "lifetime", "table")} == {
        "Water": "stock",
        "inflow": "flow",
        "lifetime": "constant",
        "table": "lookup",
    }


def test_names_keep_signs_that_xmile_splits_or_escapes():
    """Backslashes, periods, commas and quotes in names of ranges, labels, variables and groups."""
    model = tiny_model(r"""
"ra\_nge. x": "l\1. a", "la \"b\", c", plain
"a\b. c"["ra\_nge. x"] = 1, 2, 3
"s \"q\"" = INTEG("a\b. c"["l\1. a"] + SUM("a\b. c"["ra\_nge. x"!]), 1)
"n\one, two. three" = "s \"q\""*"a\b. c"["la \"b\", c"]
"some cells"["l\1. a"] = Time
"some cells"["la \"b\", c"] = WITH LOOKUP(Time, ((0,0),(2,2)))
"some cells"[plain] = 4""")
    again, notes = rewritten(model)
    assert notes == ()
    assert [element.name for element in again if "net flow" not in element.name] == [element.name for element in model]
    assert [own.labels for own in again.subscripts.values()] == [own.labels for own in model.subscripts.values()]
    assert differences(simulate(model), simulate(again)) == []


def test_a_stock_whose_other_cells_are_constants():
    """As the rent of an energy model, which only one fuel has; equations that vary in other cells are refused."""
    text = "d: A, B, C\ns[A] = INTEG(f - g, 3)\ns[B] = 5\ns[C] = k*2\nk = 4\nf = s[A]/10\ng = s[B]/s[C]"
    model = tiny_model(text)
    again, _ = rewritten(model)
    assert differences(simulate(model), simulate(again)) == []
    with pytest.raises(ModelError, match="'s' is a stock in some cells and not in these, .* make two variables"):
        xmile_text(tiny_model(text.replace("k*2", "Time")))


def test_random_numbers_have_their_counterpart_where_it_is_one():
    """With the bounds after the seed; a Poisson count is per unit of time. What XMILE cannot say keeps its name."""
    draws = (
        "a = RANDOM NORMAL(-1e36, 1e36, 5, 1, 0)\nb = RANDOM NORMAL(0, 6, 5, 1, 3)\nc = RANDOM EXPONENTIAL(0, 10, 0, 2, 4)\n"
        "d = RANDOM POISSON(0, 100, 7, 0, 1, 2)\ne = RANDOM EXPONENTIAL(0, 10, 1, 2, 0)\nf = RANDOM POISSON(0, 9, 7, 1, 2, 0)"
    )
    model = model_from_text(model_text(draws, step=0.5))
    again, notes = rewritten(model)
    assert [again[name].equations[0].text for name in "abcd"] == [
        "NORMAL(5, 1, 0)", "NORMAL(5, 1, 3, 0, 6)", "EXPRND(2, 4, 0, 10)", "POISSON(7/DT, 2, 0, 100)",
    ]  # fmt: skip
    assert [note.partition(" has")[0] for note in notes] == ["RANDOM EXPONENTIAL", "RANDOM POISSON"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, second = (simulate(found, seed=3) for found in (model, again))
    for name in "abcdef":
        assert first[name].values == pytest.approx(second[name].values)


def test_a_random_number_without_arguments_is_one_between_0_and_1():
    """Alone, as a part of a sum and in an array."""
    draws = "a = RANDOM 0 1()\nb = 2*(RANDOM 0 1() - 0.5)\nL: x, y\nc[L] = RANDOM 0 1()"
    again, notes = rewritten(tiny_model(draws))
    assert notes == ()
    assert [str(again[name].equations[0].expression).count("RANDOM UNIFORM") for name in "abc"] == [1, 1, 1]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A file that other programs can read, and the run of its model."""
    model = tiny_model(PLAIN)
    path = tmp_path_factory.mktemp("xmile") / "plain.xmile"
    path.write_text(xmile_text(model).text, "utf-8")
    return path, simulate(model)


def test_simlin_gives_the_same_numbers(plain):
    """Simlin's own reading of XMILE, and its own engine."""
    simlin = pytest.importorskip("simlin", reason="pysimlin has no wheel for this platform")
    path, run = plain
    results = simlin.load(str(path)).run(analyze_loops=False).results
    for name in (own for own in run.data_vars if run[own].ndim and own != "saveper"):
        assert results[name].to_numpy() == pytest.approx(run[name].values, rel=1e-9), name


def test_pysd_gives_the_same_numbers(plain):
    """PySD's own reading of XMILE, and its own engine."""
    pysd = pytest.importorskip("pysd", reason="PySD is not installed")
    path, run = plain
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = pysd.read_xmile(str(path)).run()
    for name in (own for own in run.data_vars if run[own].ndim and own != "saveper"):
        assert results[str(run[name].attrs["long_name"])].to_numpy() == pytest.approx(run[name].values, rel=1e-9), name


def starts(model: Model) -> dict[tuple[str, tuple[str, ...]], float]:
    """The values of all cells at the start, where they are numbers."""
    start = Start(model)
    cells = [
        Cell(element.key, labels)
        for element in model
        if element.kind != "lookup" and not element.hidden
        for equation in element.equations
        for labels, _ in bindings(model.subscripts, equation)
    ]
    values = {cell: start.read(cell) for cell in cells}
    return {(cell.key, cell.labels): value for cell, value in values.items() if isinstance(value, float | int)}


@pytest.mark.skipif(not PUBLIC, reason="the public test models are missing beside the project")
def test_public_models_keep_the_values_of_their_start():
    """All of them: every equation is written, read and evaluated at the start; runs are compared for some models above."""
    compared = 0
    for path in PUBLIC:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = read_model(path)
                again, _ = rewritten(model)
            except Exception as error:
                if "stmx" in str(error):
                    raise
                continue
        expected, found = starts(model), starts(again)
        wrong = [
            cell
            for cell, value in expected.items()
            if not math.isnan(value) and found.get(cell) != pytest.approx(value, rel=1e-9)
        ]
        assert not wrong, f"{path.name}: {wrong[:5]}"
        compared += 1
    assert compared > 110


def test_the_flagship_keeps_units_ranges_groups_comments_and_its_diagram():
    """As far as XMILE has them; the views come below one another, since other programs show one."""
    path = PROJECT / "models" / "ai_compute.mdl"
    model, sketch = read_model(path), read_vensim_sketch(path)
    written = xmile_text(model, sketch.views)
    again = read_bytes(written.text.encode(), "ai_compute.stmx")
    assert written.notes == ()
    for element in model:
        if element.group != "Control":
            own = again[element.name]
            assert (own.units, own.range, own.group) == (element.units, element.range, element.group)
            assert own.comment.split() == element.comment.split()
    assert starts(again).items() >= {k: v for k, v in starts(model).items() if k[0] != "saveper"}.items()
    assert again.synonyms == model.synonyms


def test_a_diagram_keeps_its_words_flows_and_arrows(tmp_path):
    """From our records to XMILE and back: stocks, flows with both ends, influences with their courses."""
    model = tiny_model(
        "tea = INTEG(heating - cooling, 90)\ncooling = tea/time const\ntime const = 10\nheating = MIN(tea, 3)"
    )
    (view,) = views = lay_out(model)
    path = tmp_path / "tea.stmx"
    path.write_text(xmile_text(model, views).text, "utf-8")
    (back,) = read_sketch(path).views

    def described(own):
        words = {word.number: f"{word.kind} {word.text}" for word in own.words}
        arrows = sorted((words[a.source], words[a.target], a.form, a.pipe, a.head) for a in own.arrows)
        return sorted(words.values()), arrows

    assert described(back) == described(view)
    shift = back.words[0].x - view.words[0].x, back.words[0].y - view.words[0].y
    places = {word.text: (word.x + shift[0], word.y + shift[1]) for word in view.words if word.kind == "variable"}
    assert {word.text: (word.x, word.y) for word in back.words if word.kind == "variable"} == places
    bends = [(a.points[0][0] + shift[0], a.points[0][1] + shift[1]) for a in view.arrows if a.form == "arc"]
    found = [a.points[0] for a in back.arrows if a.form == "arc"]
    assert np.abs(np.array(found) - np.array(bends)).max() <= 1


def test_raw_and_computed_data_keep_their_points(tmp_path):
    """The file gets the points as graphical functions, one for each way in which equations read them, also at a time and in sum."""
    (tmp_path / "x.csv").write_text("Time,x\n0,1\n2,5\n", "utf-8")
    text = "x :RAW:\ntwice :RAW: := 2*x\nlines :INTERPOLATE: := 3*x\nsum = lines + 1\n"
    text += "one = GET DATA AT TIME(x, Time - 1)\nupto := CUMULATE(x)"
    (tmp_path / "m.mdl").write_text(model_text(text, final=3), "utf-8")
    model = read_model(tmp_path / "m.mdl", data=tmp_path / "x.csv")
    again, notes = rewritten(model)
    assert notes == ()
    assert differences(simulate(model), simulate(again)) == []


def test_what_has_no_counterpart_is_listed(tmp_path):
    """By its name, with the number of equations that use it; a final time that changes becomes a number; Reality Checks."""
    model = model_from_text(
        "{UTF-8}\nx = 1 ~~|\nrc :THE CONDITION: x = 0 :IMPLIES: h = 4 ~~|\nh = 4 ~~| FINAL TIME = h*2 ~~| INITIAL TIME = 0 ~~| TIME STEP = 1 ~~| SAVEPER = TIME STEP ~~|\n"
    )
    written = xmile_text(model)
    assert written.notes == (
        "FINAL TIME is written as its value, 8, since XMILE has numbers there",
        "Reality Checks have no counterpart in XMILE: 1 left out, such as 'rc'",
    )
    path = tmp_path / "model.stmx"
    path.write_text(written.text, "utf-8")
    again, notes = read_xmile(path)
    assert (float(again["FINAL TIME"].equations[0].expression), notes) == (8, ())


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("VECTOR ELM MAP(v[a], Time)", "VECTOR ELM MAP"),
        ("VECTOR SELECT(v[d!], v[d!], 0, 0, 0)", "VECTOR SELECT"),
        ("2*SUM(v[d!]*VECTOR ELM MAP(v[a], 1))", "VECTOR ELM MAP"),
    ],
)
def test_a_function_of_arrays_has_no_counterpart(call, name):
    """It is an error at the place in the model, before anything is written."""
    model = tiny_model(f"d: a, b\nv[d] = 1, 2\nx = {call}")
    with pytest.raises(
        ModelError, match=rf"tiny.mdl:\d+:1: 'x': XMILE has no counterpart of {name}, which works on arr"
    ):
        xmile_text(model)


def test_pulses_begin_with_a_step_of_runge_kutta():
    """Those of XMILE come back as they were; others are a formula, which a note names."""
    equations = "Level = INTEG(train, 0)\ntrain = 3*PULSE TRAIN(1, {}, 2, FINAL TIME + TIME STEP)"
    for width, same in ((0, True), (0.75, False)):
        model = model_from_text(model_text(equations.format(width), final=4, step=0.5, integrator="rk4"))
        written = xmile_text(model)
        again = simulate(read_bytes(written.text.encode(), "m.stmx"))
        assert bool(differences(simulate(model), again)) is not same
        assert [note for note in written.notes if "'train'" in note] != [] or same


def test_areas_and_inverses_of_lookups_are_those_of_vensim():
    """Beyond the points, from a higher x to a lower one, and for values that are not reached, where Stella's functions differ."""
    model = model_from_text(
        model_text(
            "g((0,1),(1,3),(4,2)) ~~|\nd: d1,d2 ~~|\nk[d1]((0,1),(1,2)) ~~|\nk[d2]((0,1),(3,2)) ~~|\n"
            "a = LOOKUP AREA(g, Time-3, 2) ~~|\nb = LOOKUP AREA(g, 3, Time) + LOOKUP AREA(g, 1, 3) ~~|\n"
            "c = LOOKUP INVERT(g, Time) ~~|\ne = LOOKUP BACKWARD(g, Time) + LOOKUP AREA(g, 0, 9) ~~|\nf[d] = LOOKUP AREA(k[d], 0, Time) ~~|",
            final=6,
        )
    )
    written = xmile_text(model)
    assert written.notes == (
        "LOOKUP AREA has no counterpart in XMILE and keeps its name in 1 equation, such as that of 'f'",
    )
    expected, found = simulate(model), simulate(read_bytes(written.text.encode(), "again.xmile"))
    for name in "abcef":
        assert found[name].values == pytest.approx(expected[name].values, nan_ok=True), name
