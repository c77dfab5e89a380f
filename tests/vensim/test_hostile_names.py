"""Names with any character: they survive every way in which a model and its companions are written and read."""

from __future__ import annotations

import copy
import pickle
import string
from pathlib import Path
from typing import cast

import pandas as pd
import pytest

from sdmodel import (
    compare_documents,
    export_run,
    format_document,
    lay_out,
    mdl_text,
    merge_documents,
    model_from_text,
    open_document,
    read_model,
    read_sampling,
    simulate,
    without_subscripts,
)
from sdmodel.analysis import compare_runs, sweep_levers
from sdmodel.checking import check_model, find_loops
from sdmodel.dataset import find_variable, long_name
from sdmodel.errors import ModelError
from sdmodel.model import Model, join_name, key, quote_name, quoted_cell, split_name
from sdmodel.scenario import Change, Distribution, Sampling, Variation, grid_values, make_design
from sdmodel.vensim import (
    Document,
    read_bounds,
    read_change,
    read_data,
    read_document,
    read_grid,
    read_optimisation,
    read_payoff,
    read_samples,
    read_savelist,
    samples_text,
    sampling_text,
    scenario_from_text,
    scenario_text,
    sketch_from_text,
)

SIGNS = [sign for sign in string.punctuation if sign != "_"]
NAMES = [
    *(f"p{ord(sign)}{sign}b" for sign in SIGNS),
    *(f"{sign}s{ord(sign)}" for sign in SIGNS),
    *(f"e{ord(sign)}{sign}" for sign in SIGNS if sign != "\\"),
    'say "hi" now', '"a" and "b"', '"both"', "INTEG", "max", "With Lookup", "Tabbed Array", "If Then Else", ":AND:", ":NA:",
    ":SUPPLEMENTARY", "A FUNCTION OF", "1st quarter", "5", "3.5", "1e5", "y[b]", "[u,b]", "min [max]", "c, d", "price (USD)",
    "a->b", "<script>", "{no comment}", "~ and |", "*View 1", "///---", "10,1", "$x^2$", "\\frac{1}{2}", "x\u00b2", "\u00e9",
    "\u0928\u093f \u0926\u0930", "\u0e23\u0e32\u0e04\u0e32", "\u05de\u05d7\u05d9\u05e8", "\u0645\u064f\u062d", "\U0001f600",
]  # fmt: skip
LABELS = [f"l{name}" for name in NAMES if name[0] != '"']
CONTROL = "INITIAL TIME = 0 ~~|\nFINAL TIME = 2 ~~|\nTIME STEP = 1 ~~|\nSAVEPER = TIME STEP ~~|\n"


def written(name: str) -> str:
    """A name in quotes, as Vensim writes it."""
    return '"' + name.replace('"', '\\"') + '"'


@pytest.fixture(scope="module")
def text() -> str:
    """A model with constants of all these names, and an array over labels of all these names."""
    lines = [f"{written(name)} = {number} ~~|" for number, name in enumerate(NAMES, 1)]
    lines += [
        f"labels: {', '.join(map(written, LABELS))} ~~|",
        "each[labels] = 1 ~~|",
        "many[labels] = 2*each[labels] ~~|",
    ]
    lines += [f"one = {' + '.join(f'each[{written(label)}]' for label in LABELS)} ~~|"]
    lines += [f"total = {' + '.join(map(written, NAMES))} ~~|"]
    return "{UTF-8}\n" + "\n".join(lines) + "\n" + CONTROL


@pytest.fixture(scope="module")
def model(text: str) -> Model:
    return model_from_text(text)


def names_of(model: Model) -> list[str]:
    return [element.name for element in model]


def test_the_names_are_what_they_are_in_quotes(model: Model):
    """The reader takes every character in quotes as it is."""
    found = dict(zip(map(key, map(written, NAMES)), names_of(model), strict=False))
    assert len(found) == len(NAMES)
    assert {name for name in NAMES if name[0] != '"'} <= set(found.values())


def test_model_text_and_canonical_form(model: Model, text: str):
    """Written from its algebra, with its diagrams, formatted, and written without subscripts, the model is the same."""
    views = lay_out(model)
    whole = mdl_text(model, views)
    again = model_from_text(whole)
    assert names_of(again) == names_of(model)
    assert [found.labels for found in again.subscripts.values()] == [
        found.labels for found in model.subscripts.values()
    ]
    assert [equation.expression for element in again for equation in element.equations] == [
        equation.expression for element in model for equation in element.equations
    ]
    words = {key(word.text) for view in sketch_from_text(whole).views for word in view.words}
    assert {key(written(name)) for name in NAMES} <= words
    flat = model_from_text(mdl_text(without_subscripts(model).model))
    run, flat_run = simulate(model, save=["total", "one"]), simulate(flat, save=["total", "one"])
    assert float(run["total"][-1]) == float(flat_run["total"][-1]) == sum(range(len(NAMES) + 1))
    assert float(run["one"][-1]) == float(flat_run["one"][-1]) == len(LABELS)


def test_documents(text: str, tmp_path: Path):
    """Formatting, comparing and merging keep names; they take what `open_document` gives."""
    path = tmp_path / "model.mdl"
    path.write_text(text, encoding="utf-8")
    document = open_document(path)
    formatted = tmp_path / "formatted.mdl"
    formatted.write_text(format_document(document), encoding="utf-8")
    assert names_of(read_model(formatted)) == names_of(read_model(path))
    assert compare_documents(document, open_document(formatted)) == ()
    changed = tmp_path / "changed.mdl"
    changed.write_text(text.replace("each[labels] = 1", "each[labels] = 3"), encoding="utf-8")
    merge = merge_documents(document, open_document(formatted), open_document(changed))
    assert merge.is_clean
    assert "3" in model_from_text(merge.text)["each"].equations[0].text


@pytest.mark.parametrize("name", ["p46.b", "R&D", "y[b]", "c, d", "\u0928\u093f \u0926\u0930"])
def test_renaming_from_and_to_odd_names(name: str, text: str, tmp_path: Path):
    """A rename finds the name in quotes everywhere and writes the new one with the quotes that it needs."""
    path = tmp_path / "model.mdl"
    path.write_text(text.replace("p38&b", "R&D"), encoding="utf-8")
    document = open_document(path)
    before = names_of(document.model)
    document.rename(written(name), "other name")
    assert "other name" in document.model
    assert name not in document.model
    document.rename("other name", written(name))
    assert names_of(document.model) == before
    assert not document.faults


def cells() -> list[tuple[str, tuple[str, ...]]]:
    whole = [(split_name(written(name))[0], ()) for name in NAMES]
    return whole + [("each", (label,)) for label in LABELS]


def test_scenarios_and_options(model: Model):
    """A `.cin` file, `--set`, `--lever` and `--free` find every constant and every label by its name in quotes."""
    changes = [Change(name, labels, (float(place),)) for place, (name, labels) in enumerate(cells())]
    scenario = scenario_from_text(scenario_text(changes))
    for change, found in zip(changes, scenario.changes, strict=True):
        assert (key(found.name), found.subscripts) == (key(change.name), tuple(map(key, change.subscripts)))
    run = simulate(model, scenario=scenario, save=["total", "one"])
    assert float(run["total"][-1]) + float(run["one"][-1]) == sum(range(len(changes)))
    for name, labels in cells():
        text = quote_name(name, labels)
        assert read_change(f"{text}=1").name == name
        grid = read_grid(f"{text}=1,2")
        assert (grid.name, grid.subscripts) == (name, labels)
        assert grid_values(model, grid) == (1.0, 2.0)
        assert read_bounds(f"{text}=1:2", "--free") == (name, labels, (1.0, 2.0))
        assert read_bounds(text, "--free") == (name, labels, None)


def test_sensitivity_files_and_samples(model: Model, tmp_path: Path):
    """A `.vsc` file and the samples made from it name the same cells."""
    law = Distribution("RANDOM_UNIFORM", (0.0, 1.0))
    variations = tuple(Variation(name, labels, law) for name, labels in cells())
    path = tmp_path / "a.vsc"
    path.write_text(sampling_text(Sampling("multivariate", 3, 1, variations)), encoding="utf-8")
    read = read_sampling(path)
    assert [(variation.name, variation.subscripts) for variation in read.variations] == cells()
    design = make_design(model, read)
    names = [quoted_cell(model, cell) for cell in design.cells]
    (tmp_path / "s.tab").write_text(samples_text(names, design.values(0, 3).T), encoding="utf-8")
    path.write_text("3,F,1,s.tab,0\n")
    assert make_design(model, read_sampling(path)).cells == design.cells
    assert read_samples(tmp_path / "s.tab").names == tuple(names)


def test_lists_of_names(model: Model, tmp_path: Path):
    """Save lists, and the constants and terms of an optimisation, keep names and labels."""
    path = tmp_path / "names"
    listed = [quote_name(name, labels) for name, labels in cells()]
    path.write_text("\n".join(listed), encoding="utf-8")
    saved = read_savelist(path)
    assert list(map(split_name, saved)) == cells()
    run = simulate(model, save=saved)
    assert all(find_variable(run, name).size for name in saved)
    path.write_text("\n".join(f"0 <= {name} = 1 <= 2" for name in listed), encoding="utf-8")
    assert [(free.name, free.subscripts) for free in read_optimisation(path).free] == cells()
    path.write_text("*P\n" + "\n".join(f"{name}/1" for name in listed), encoding="utf-8")
    assert [split_name(term.model) for term in read_payoff(path).terms] == cells()


@pytest.mark.parametrize("ending", [".csv", ".tab", ".dat"])
def test_exported_runs(ending: str, model: Model, tmp_path: Path):
    """A table or a list of values has each number under its name."""
    run = simulate(model)
    points = read_data(export_run(run, tmp_path / f"run{ending}"))
    found = {split_name(name): float(own.values[-1]) for name, own in points.items()}
    assert [found[split_name(written(name))] for name in NAMES] == list(range(1, len(NAMES) + 1))
    assert all(found["many", (label,)] == 2 for label in LABELS)


def test_constants_and_variables_by_name(model: Model):
    """`simulate` takes names with and without quotes; what it records is read again; a cell of a run is found by its name."""
    values = {join_name(name, labels): 7.0 for name, labels in cells()} | {"p46.b": 8.0}
    run = simulate(model, values)
    assert float(run["total"][-1]) == 7.0 * len(NAMES) + 1
    assert float(run["one"][-1]) == 7.0 * len(LABELS)
    recorded = [read_change(line) for line in run.attrs["changes"].splitlines()]
    assert [key(change.name) for change in recorded] == [key(name) for name, _ in cells()]
    for label in LABELS:
        cell = find_variable(run, join_name("many", (label,)))
        assert split_name(long_name(cell)) == ("many", (label,))
        assert float(find_variable(run, long_name(cell))[-1]) == 14.0
    whole = find_variable(run, "y[b]")
    assert float(whole) == float(find_variable(run, long_name(whole))) == 7.0
    differing = compare_runs({"old": simulate(model), "new": run}).changes.constants
    assert {key(difference.constant) for difference in differing} >= {key("y[b]"), key("c, d")}


def test_sweeps_and_loops():
    """A lever and a way point with brackets and commas in names and labels."""
    text = '"a[b]" = 1 ~~|\nr: "x, y", z ~~|\nrate[r] = 0.1 ~~|\n"s]"[r] = INTEG(flow[r], 1) ~~|\nflow[r] = "s]"[r]*rate[r]*"a[b]" ~~|\n'
    model = model_from_text(text + CONTROL)
    swept = sweep_levers(model, {"a[b]": [1, 2], 'rate["x, y"]': [0.1, 0.3]}, save=["s]"])
    assert sorted(dim for dim in swept.dims if dim not in ("time", "r")) == ["a_b", "rate_x__y"]
    loops = find_loops(model, ['"s]"["x, y"]'])
    assert loops[0].variables[0] == '"s]"["x, y"]'
    assert find_loops(model, ["s]"])[0].variables[0] == "s]"


@pytest.mark.parametrize("engine", ["pysd", "simlin"])
def test_other_programs_read_what_is_written(engine: str, tmp_path: Path):
    """PySD and Simlin read names that they read in quotes, also from a model without subscripts."""
    module = pytest.importorskip(engine)
    names = [
        "who?",
        "half.life",
        "R&D",
        "cost #2",
        "a@b",
        "x%",
        "1st",
        "a+b",
        "price (USD)",
        "Little's",
        "cost in $",
        "\u0928\u093f",
    ]
    lines = [f"{written(name)} = {number} ~~|" for number, name in enumerate(names, 1)]
    lines += [
        'r: North, "x.y" ~~|',
        '"q.z"[r] = 1, 2 ~~|',
        f't = {" + ".join(map(written, names))} + SUM("q.z"[r!]) ~~|',
    ]
    model = model_from_text("{UTF-8}\n" + "\n".join(lines) + "\n" + CONTROL)
    for number, own in enumerate((model, without_subscripts(model).model)):
        path = tmp_path / f"model{number}.mdl"
        path.write_text(mdl_text(own), encoding="utf-8")
        if engine == "pysd":
            table = module.read_vensim(str(path)).run(return_columns=["t"])
        else:
            table = module.load(str(path)).run().results
        assert float(table["t"].iloc[-1]) == sum(range(len(names) + 1)) + 3


MAPPED = """land: us, cn, de, fr ~ ~ |
area: west, east, far -> (land: eu, cn, us) ~ ~ |
eu: de, fr ~ ~ The union. |
code: c1, c2, c3 -> (area: far, west, east), other ~~|
other: o1, o2, o3 ~~|
twin <-> other ~~|
pop[land] = 1, 2, 3, 4 ~ ~ |
f[area] = 10, 20, 30 ~ ~ |
g[land] = pop[land]*f[area] ~ ~ |
h[area] = f[area] + k[code] ~~|
k[code] = 1, 2, 3 ~~|
some[land] :EXCEPT: [us], [eu] = 5 ~ kg [0,?,1] ~ Some. ~ :SUPPLEMENTARY |
some[us] == 1 ~~|
some[eu] = 2 ~~|
tab([(0,0)-(2,2)],(0,0),(1,1),(2,1)) ~ Dmnl [0,2] ~ c:\\temp\\|
"""


def test_mappings_and_the_rest_of_a_declaration_are_written():
    """Mappings, with ranges and in order, exceptions, bounds, marks and corners of graphs are read back."""
    model = model_from_text(MAPPED + CONTROL)
    again = model_from_text(mdl_text(model))
    for name, found in model.subscripts.items():
        other = again.subscripts[name]
        assert (found.labels, found.mappings, found.comment) == (other.labels, other.mappings, other.comment)
    for element in model:
        other_element = again[element.name]
        for field in ("kind", "units", "range", "comment", "supplementary", "fixed", "dimensions"):
            assert getattr(other_element, field) == getattr(element, field)
        assert [(own.expression, own.exceptions) for own in other_element.equations] == [
            (own.expression, own.exceptions) for own in element.equations
        ]
    assert simulate(again, save=["g"])["g"].values[-1].tolist() == [30.0, 40.0, 30.0, 40.0]


def test_a_mapping_that_no_range_can_say_is_refused():
    """Labels that no range lists together cannot stand in one place of a mapping."""
    text = MAPPED.replace("h[area] = f[area] + k[code] ~~|\n", "").replace(
        "some[land] :EXCEPT: [us], [eu] = 5", "some[land] = 5"
    )
    model = model_from_text(text.replace("some[us] == 1 ~~|\nsome[eu] = 2 ~~|\n", "") + CONTROL)
    subscripts = {name: found for name, found in model.subscripts.items() if name != "eu"}
    object.__setattr__(model, "subscripts", subscripts)
    with pytest.raises(ModelError, match="'west' of 'area' maps to labels that no range lists together; declare"):
        mdl_text(model)


def _sent(model: Model) -> Model:
    """The model as another process gets it."""
    return cast("Model", pickle.loads(pickle.dumps(model)))  # noqa: S301 - made here


def test_copies_have_the_same_form(model: Model):
    """A model sent to another process, or copied, is the same to the order of its terms."""
    odd = model_from_text(
        "a = 3 ~~|\nb = -a/2 - (a - 1)*2*a + IF THEN ELSE(a > 2, 1/a/a, tab(a)) ~~|\ntab((0,0),(4,1)) ~~|\n" + CONTROL
    )
    for original in (odd, model, model_from_text(MAPPED + CONTROL)):
        for other in (_sent(original), copy.deepcopy(original)):
            assert mdl_text(other) == mdl_text(original)
            for element, same in zip(original, other, strict=True):
                assert element == same
                assert [dict(own.parts) for own in element.equations] == [dict(own.parts) for own in same.equations]
    assert float(simulate(_sent(odd))["b"][-1]) == float(simulate(odd)["b"][-1])


@pytest.mark.wrong_types
def test_a_text_instead_of_a_path():
    """`read_model` reads it; where only a file will do, the error does not repeat the whole text."""
    text = "a = 1 ~~|\n" + CONTROL
    for given in (text, text.encode()):
        assert names_of(read_model(given)) == names_of(model_from_text(text))
    with pytest.raises(
        ModelError, match="this is the text of a model, not the path of its file; read it with"
    ) as caught:
        read_document(text)
    assert "a = 1" not in str(caught.value)
    with pytest.raises(ModelError, match=r"read_model: int is not a model file; give its path, its bytes or its text"):
        read_model(3)  # type: ignore[arg-type]
    for courses in ({"x": [1.0]}, pd.DataFrame({"x": [1.0]})):
        with pytest.raises(ModelError, match=r"is not a file; give time courses from Python to with_data"):
            read_model(text, data=courses)


INDIC = "\u0926\u0930\u093f 5\u093f = 2 ~~|\n\u0909\u092a\u094d\u092f\u094b\u0917 = \u0926\u0930\u093f 5\u093f*\u0926\u0930\u093f 5\u093f ~~|\n"


def test_vowel_signs_belong_to_names_without_quotes():
    """Names of scripts with combining signs are whole in equations, layouts, findings, suggestions and data sets."""
    name = "\u0926\u0930\u093f 5\u093f"
    model = model_from_text(INDIC + CONTROL)
    assert names_of(model)[0] == name
    assert mdl_text(model).count(f"{name} =") == 1
    assert name in format_document(Document.from_bytes((INDIC + CONTROL).encode(), "model.mdl"))
    assert not [finding for finding in check_model(model) if finding.rule == "buried-number"]
    run = simulate(model)
    assert name.replace(" ", "_") in run
    assert float(run[name.replace(" ", "_")]) == 2
    with pytest.raises(ModelError, match=f"did you mean '{name}'"):
        model_from_text(INDIC.replace("= \u0926\u0930\u093f 5\u093f*", "= \u0926\u0930\u093f 6\u093f*") + CONTROL)
    with pytest.raises(ModelError, match=f"before '{name.split(maxsplit=1)[0]}'"):
        model_from_text(f"a = 1 {name} ~~|\n" + CONTROL)


def test_a_hidden_cell_has_the_name_of_its_variable():
    """A name with a number sign is not cut there."""
    text = '"cost #2" = SMOOTH(1/MAX(0, 2 - Time), 1) ~~|\ns = INTEG("cost #2", 0) ~~|\n' + CONTROL.replace(
        "= 2", "= 4"
    )
    with pytest.warns(UserWarning, match="'cost #2' is not finite from time 3"):
        simulate(model_from_text(text))
