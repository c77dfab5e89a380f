"""Sensitivity control files: read, written, and made from a model's ranges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sdmodel.errors import ScenarioError
from sdmodel.scenario import DISTRIBUTIONS, Distribution, Sampling, Steps, Variation, make_design, wrong_with
from sdmodel.testing import block_text, model_text, tiny_model
from sdmodel.vensim import (
    model_from_text,
    read_sampling,
    samples_text,
    sampling_of_ranges,
    sampling_text,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sensitivity")


def read(folder, text):
    path = folder / "e.vsc"
    path.write_text(text, "utf-8")
    return read_sampling(path)


NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)
NAMES = (
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="{}\\~|_"), min_size=1)
    .map(lambda each: " ".join(each.split()))
    .filter(bool)
)


@st.composite
def distributions(draw):
    """The makings of any distribution of the table that is sound, or of steps; built in the test, which is checked there."""
    name = draw(st.sampled_from([*DISTRIBUTIONS, "VECTOR"]))
    if name == "VECTOR":
        return name, draw(st.tuples(st.floats(-9, 0), st.floats(0, 9), st.floats(0.01, 9))), ""
    low, width = draw(NUMBERS), draw(st.floats(1, 1e6))
    own = {
        "RANDOM_TRIANGULAR": sorted(draw(st.tuples(*[st.floats(low, low + width)] * 3))),
        "RANDOM_BINOMIAL": [draw(st.floats(0, 1)), draw(st.integers(1, 9)), low, width],
        "RANDOM_NEGATIVE_BINOMIAL": [draw(st.floats(0.1, 1)), draw(st.integers(1, 9)), low, width],
    }.get(name, [draw(st.floats(1, 9)) for _ in DISTRIBUTIONS[name].parameters[:-2]])
    if name not in {"RANDOM_TRIANGULAR", "RANDOM_BINOMIAL", "RANDOM_NEGATIVE_BINOMIAL", "RANDOM_UNIFORM"}:
        own += [low, width / 3]
    return name, tuple(map(float, (low, low + width, *own))), draw(NAMES) if name == "RANDOM_LOOKUP" else ""


def built(name, arguments, lookup):
    return Steps(*arguments) if name == "VECTOR" else Distribution(name, arguments, lookup)


@given(
    st.sampled_from(["univariate", "multivariate", "latin hypercube", "grid"]),
    st.integers(1, 10**6),
    st.integers(-(2**31), 2**31),
    st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=2), distributions()), max_size=4),
    st.sampled_from([(), ("0",), ("1", "", "new")]),
)
def test_what_is_written_is_read_back_the_same(folder, method, count, seed, lines, rest):
    """To the last digit of every number and the last mark of every name."""
    variations = tuple(Variation(name, tuple(labels), built(*drawn)) for name, labels, drawn in lines)
    assume(not any(wrong_with(each.distribution) for each in variations))
    sampling = Sampling(method, count, seed, variations, rest=rest)
    text = sampling_text(sampling)
    again = read(folder, text)
    assert again == sampling
    assert again.text == text


def test_a_file_of_vensims_is_read(folder):
    """With blank lines, comments, blanks for underscores, numbers without a leading zero, and fields of later versions."""
    sampling = read(
        folder,
        "{UTF-8}\r\n250,M,1234,,0,7,x\r\n\r\n{a comment}\r\nPRICE OF STEEL=RANDOM TRIANGULAR(.5,1.5,.5,1,1.5)\r\n"
        'BUILDING TIME[ North , a 1 ] = random_uniform( 11 , 1.5E+1 ) {why}\r\n"odd = (name)"=VECTOR(3,8,.5)\r\n',
    )
    assert (sampling.method, sampling.count, sampling.seed, sampling.rest) == (
        "multivariate",
        250,
        1234,
        ("0", "7", "x"),
    )
    assert [(each.name, each.subscripts, each.distribution) for each in sampling.variations] == [
        ("PRICE OF STEEL", (), Distribution("RANDOM_TRIANGULAR", (0.5, 1.5, 0.5, 1.0, 1.5))),
        ("BUILDING TIME", ("North", "a 1"), Distribution("RANDOM_UNIFORM", (11.0, 15.0))),
        ("odd = (name)", (), Steps(3, 8, 0.5)),
    ]
    assert [(each.place.line, each.place.column) for each in sampling.variations] == [(5, 1), (6, 1), (7, 1)]


@pytest.mark.parametrize("letter", "UMLGFumlgf")
def test_every_method_is_known_by_its_letter(folder, letter):
    """Univariate, Multivariate, Latin hypercube, Grid and File; Vensim's numbers where none are given."""
    (folder / "s.tab").write_text("a\n1\n", "utf-8")
    sampling = read(folder, f",{letter},,s.tab\na=RANDOM_UNIFORM(0,1)\n")
    assert sampling.method[0].upper() == letter.upper()
    assert (sampling.count, sampling.seed) == (200, 1234)
    assert (sampling.samples is not None) == (letter.upper() == "F")


def test_seed_zero_is_kept_and_asks_for_a_fresh_one(folder):
    """Vensim's way to ask for other numbers every time."""
    assert read(folder, "9,L,0,,0\na=RANDOM_UNIFORM(0,1)\n").seed == 0


FAULTS = {
    "": ("", "the file is empty"),
    "a=RANDOM_UNIFORM(0,1)\n": ("1:1", "the first line must say how to draw"),
    "0,M,1,,0\n": ("1:1", "the number of simulations is '0'"),
    "2.5,M,1,,0\n": ("1:1", "the number of simulations is '2.5'"),
    "9,Q,1,,0\n": ("1:3", "'Q' is no method; write one of U (univariate)"),
    "9,M,one,,0\n": ("1:5", "the seed is 'one'"),
    "9,F,1,,0\n": ("1:3", "method F names no file"),
    "9,M,1,,0\n  rate\n": ("2:3", "this varies nothing"),
    "9,M,1,,0\nrate = 3\n": ("2:8", "'rate' needs a distribution in one line"),
    "9,M,1,,0\nrate = RANDOM_UNIFROM(0,1)\n": (
        "2:8",
        "'RANDOM_UNIFROM' is no distribution; did you mean RANDOM_UNIFORM(min,max)?",
    ),
    "9,M,1,,0\nrate = QQQ(0,1)\n": ("2:8", "'QQQ' is no distribution; write one of RANDOM_BETA"),
    "9,M,1,,0\nrate = RANDOM UNIFORM(1,0)\n": ("2:8", "the minimum 1 is not below the maximum 0"),
    "9,M,1,,0\nrate = RANDOM_NORMAL(0,1,2)\n": ("2:8", "is given 3 numbers; write RANDOM_NORMAL(min,max,mean,sd)"),
    "9,M,1,,0\nrate = RANDOM_NORMAL(0,1,2,-1)\n": ("2:8", "sd is -1; give"),
    "9,M,1,,0\nrate = RANDOM_TRIANGULAR(0,1,0,2,1)\n": ("2:8", "peak 2 lies outside"),
    "9,M,1,,0\nrate = RANDOM_UNIFORM(0, x)\n": ("2:26", "'x' is no number"),
    "9,M,1,,0\nrate = RANDOM_UNIFORM(0,)\n": ("2:25", "'' is no number"),
    "9,M,1,,0\nrate = VECTOR(0,1)\n": ("2:8", "VECTOR is given 2 numbers"),
    "9,M,1,,0\nrate = RANDOM_LOGNORMAL(0,9,1,1)\n": (
        "2:8",
        "RANDOM_LOGNORMAL cannot be drawn from here; vary the logarithm",
    ),
    "9,M,1,,0\nrate = MULTIVARIATE NORMAL(0,9,1,1)\n": ("2:8", "by method F"),
    "9,M,1,,0\nrate = RANDOM 0 1()\n": ("2:8", "write RANDOM_UNIFORM(0,1)"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_line_that_cannot_be_read_is_told_at_its_place(folder, text):
    """Line and column, what is wrong, and what to do."""
    place, told = FAULTS[text]
    with pytest.raises(ScenarioError) as caught:
        read(folder, text)
    assert len(caught.value.faults) == 1
    where = f"{folder / 'e.vsc'}{':' * bool(place)}{place}: "
    assert str(caught.value).startswith(where)
    assert told in str(caught.value)
    assert "; " in str(caught.value)


def test_every_fault_of_a_file_is_told_at_once(folder):
    """In the order of the file."""
    texts = [text.split("\n")[1] for text in FAULTS if text.startswith("9,M,1,,0\n")]
    with pytest.raises(ScenarioError) as caught:
        read(folder, "\n".join(["x,Q,y", *texts]))
    assert [fault.where.line for fault in caught.value.faults] == [1, 1, 1, *range(2, len(texts) + 2)]


def test_a_file_of_samples_is_found_beside_the_control_file(folder, monkeypatch, tmp_path):
    """Wherever the command is given."""
    monkeypatch.chdir(tmp_path)
    values = np.array([[1.0, math.nan], [0.1, 3e-200]])
    (folder / "s.tab").write_text(samples_text(("a", "b c"), values), "utf-8")
    sampling = read(folder, '2,F,1234,"s.tab",0\n')
    assert sampling.samples.names == ("a", "b c")
    np.testing.assert_array_equal(sampling.samples.values, values)
    with pytest.raises(ScenarioError, match="none.tab: there is no such file"):
        read(folder, "2,F,1234,none.tab,0\n")


RANGED = model_text(
    "\n\n".join(
        [
            "*" * 56 + "\n\t.Uncertainties\n" + "*" * 56 + "~\n\t\t.\n\t|",
            block_text("low and high = 2", units="Dmnl [0,10]"),
            block_text("with step = 2", units="Dmnl [1,3,0.5]"),
            block_text("half open = 2", units="Dmnl [0,?]"),
            block_text("point = 2", units="Dmnl [2,2]"),
            block_text("free = 2", units="Dmnl"),
            block_text("y = low and high", units="Dmnl [0,1]"),
            "*" * 56 + "\n\t.Others\n" + "*" * 56 + "~\n\t\t.\n\t|",
            block_text("other = 2", units="Dmnl [-1,1]"),
        ]
    )
)


def test_ranges_of_a_model_make_a_sampling(folder):
    """Of a group those constants that have both bounds; evenly between them, ready to be written and drawn."""
    model = model_from_text(RANGED)
    sampling = sampling_of_ranges(model, count=50, seed=9)
    assert (
        sampling_text(sampling)
        == sampling.text
        == ("50,L,9,,0\nlow and high=RANDOM_UNIFORM(0,10)\nwith step=RANDOM_UNIFORM(1,3)\n")
    )
    assert read(folder, sampling.text) == sampling
    assert make_design(model, sampling).count == 50
    named = sampling_of_ranges(model, ["OTHER", "with_step"], method="multivariate")
    assert [each.name for each in named.variations] == ["other", "with step"]


def test_constants_without_a_range_are_told_when_they_are_named():
    """At their place in the model; a group without any as a whole."""
    model = model_from_text(RANGED)
    with pytest.raises(ScenarioError) as caught:
        sampling_of_ranges(model, ["half open", "other", "free"])
    assert [fault.what.split("'")[1] for fault in caught.value.faults] == ["half open", "free"]
    with pytest.raises(ScenarioError, match="'nothing' is not in the model"):
        sampling_of_ranges(model, ["nothing"])
    with pytest.raises(ScenarioError, match="no constant of a group 'Uncertainties' has a range; write"):
        sampling_of_ranges(tiny_model("x = 1"))


def test_the_projects_own_uncertainties_can_be_drawn(project):
    """The model that the project is about has a group of them."""
    model = model_from_text((project / "models" / "ai_compute.mdl").read_bytes())
    design = make_design(model, sampling_of_ranges(model))
    values = design.values(0, 200)
    for name, row in zip(design.names, values, strict=True):
        bounds = model[name.partition("[")[0]].range
        assert bounds.minimum <= row.min() < row.max() <= bounds.maximum


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_file_of_samples_with_no_name_for_a_file_is_told(tmp_path, name):
    """A name that no file can have is one that is not there."""
    path = tmp_path / "long.vsc"
    path.write_text(f"9,F,1,{name},0\n", "utf-8")
    with pytest.raises(ScenarioError):
        read_sampling(path)
