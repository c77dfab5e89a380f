"""Sensitivity control files: reading, writing, and sampling of a model's ranges."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sdmodel.errors import ScenarioError
from sdmodel.reading import read_model
from sdmodel.scenario import (
    DISTRIBUTIONS,
    Distribution,
    Sampling,
    Steps,
    Variation,
    distribution_fault,
    make_design,
    plausible_ranges,
)
from sdmodel.testing import block_text, model_text, tiny_model
from sdmodel.vensim import (
    default_sampling,
    model_from_text,
    plausible_sampling,
    read_sampling,
    samples_text,
    sampling_of_ranges,
    sampling_text,
    split_levers,
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
    .map(lambda name: " ".join(name.split()))
    .filter(bool)
)


@st.composite
def distributions(draw):
    """Name, arguments and lookup of any valid distribution, or of steps; the test builds it, so that types are checked."""
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
def test_samplings_round_trip(folder, method, count, seed, lines, rest):
    """Every digit of a number and every character of a name comes back."""
    variations = tuple(Variation(name, tuple(labels), built(*law)) for name, labels, law in lines)
    assume(not any(distribution_fault(variation.distribution) for variation in variations))
    sampling = Sampling(method, count, seed, variations, rest=rest)
    text = sampling_text(sampling)
    again = read(folder, text)
    assert again == sampling
    assert again.text == text


def test_files_of_vensim_are_read(folder):
    """They may have blank lines, comments, spaces for underscores, numbers without a leading zero, and newer fields."""
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
    assert [(line.name, line.subscripts, line.distribution) for line in sampling.variations] == [
        ("PRICE OF STEEL", (), Distribution("RANDOM_TRIANGULAR", (0.5, 1.5, 0.5, 1.0, 1.5))),
        ("BUILDING TIME", ("North", "a 1"), Distribution("RANDOM_UNIFORM", (11.0, 15.0))),
        ("odd = (name)", (), Steps(3, 8, 0.5)),
    ]
    assert [(line.place.line, line.place.column) for line in sampling.variations] == [(5, 1), (6, 1), (7, 1)]


@pytest.mark.parametrize("letter", "UMLGFumlgf")
def test_every_method_has_a_letter(folder, letter):
    """Univariate, Multivariate, Latin hypercube, Grid and File; count and seed default to Vensim's."""
    (folder / "s.tab").write_text("a\n1\n", "utf-8")
    sampling = read(folder, f",{letter},,s.tab\na=RANDOM_UNIFORM(0,1)\n")
    assert sampling.method[0].upper() == letter.upper()
    assert (sampling.count, sampling.seed) == (200, 1234)
    assert (sampling.samples is not None) == (letter.upper() == "F")


def test_seed_zero_is_read(folder):
    """Vensim uses it to get different numbers every time."""
    assert read(folder, "9,L,0,,0\na=RANDOM_UNIFORM(0,1)\n").seed == 0


FAULTS = {
    "": ("", "the file is empty"),
    "a=RANDOM_UNIFORM(0,1)\n": ("1:1", "the first line must give the method"),
    "0,M,1,,0\n": ("1:1", "the number of simulations is '0'"),
    "2.5,M,1,,0\n": ("1:1", "the number of simulations is '2.5'"),
    "9,Q,1,,0\n": ("1:3", "'Q' is not a method; write one of U (univariate)"),
    "9,M,one,,0\n": ("1:5", "the seed is 'one'"),
    "9,F,1,,0\n": ("1:3", "method F needs a file of samples"),
    "9,M,1,,0\n  rate\n": ("2:3", "this line gives no distribution"),
    "9,M,1,,0\nrate = 3\n": ("2:8", "'rate' needs a distribution on the same line"),
    "9,M,1,,0\nrate = RANDOM_UNIFROM(0,1)\n": (
        "2:8",
        "'RANDOM_UNIFROM' is not a distribution; did you mean RANDOM_UNIFORM(min,max)?",
    ),
    "9,M,1,,0\nrate = QQQ(0,1)\n": ("2:8", "'QQQ' is not a distribution; write one of RANDOM_BETA"),
    "9,M,1,,0\nrate = RANDOM UNIFORM(1,0)\n": ("2:8", "the minimum 1 is not below the maximum 0"),
    "9,M,1,,0\nrate = RANDOM_NORMAL(0,1,2)\n": ("2:8", "is given 3 numbers; write RANDOM_NORMAL(min,max,mean,sd)"),
    "9,M,1,,0\nrate = RANDOM_NORMAL(0,1,2,-1)\n": ("2:8", "sd is -1; give"),
    "9,M,1,,0\nrate = RANDOM_TRIANGULAR(0,1,0,2,1)\n": ("2:8", "peak 2 lies outside"),
    "9,M,1,,0\nrate = RANDOM_UNIFORM(0, x)\n": ("2:26", "'x' is not a number"),
    "9,M,1,,0\nrate = RANDOM_UNIFORM(0,)\n": ("2:25", "'' is not a number"),
    "9,M,1,,0\nrate = VECTOR(0,1)\n": ("2:8", "VECTOR has 2 numbers"),
    "9,M,1,,0\nrate = RANDOM_LOGNORMAL(0,9,1,1)\n": (
        "2:8",
        "RANDOM_LOGNORMAL is not supported; vary the logarithm",
    ),
    "9,M,1,,0\nrate = MULTIVARIATE NORMAL(0,9,1,1)\n": ("2:8", "with method F"),
    "9,M,1,,0\nrate = RANDOM 0 1()\n": ("2:8", "write RANDOM_UNIFORM(0,1)"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_faults_have_a_place(folder, text):
    """They give line and column, what is wrong, and what to do."""
    place, message = FAULTS[text]
    with pytest.raises(ScenarioError) as caught:
        read(folder, text)
    assert len(caught.value.faults) == 1
    where = f"{folder / 'e.vsc'}{':' * bool(place)}{place}: "
    assert str(caught.value).startswith(where)
    assert message in str(caught.value)
    assert "; " in str(caught.value)


def test_all_faults_of_a_file_are_reported(folder):
    """They come in one error, in file order."""
    texts = [text.split("\n")[1] for text in FAULTS if text.startswith("9,M,1,,0\n")]
    with pytest.raises(ScenarioError) as caught:
        read(folder, "\n".join(["x,Q,y", *texts]))
    assert [fault.where.line for fault in caught.value.faults] == [1, 1, 1, *range(2, len(texts) + 2)]


def test_samples_are_found_in_the_folder_of_the_control_file(folder, monkeypatch, tmp_path):
    """The working directory does not matter."""
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
    """Constants of a group with both bounds vary uniformly; the sampling can be written and used."""
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
    assert [variation.name for variation in named.variations] == ["other", "with step"]


def test_named_constants_without_a_range_are_reported():
    """Faults have the constant's place in the model; a group without ranges is one fault."""
    model = model_from_text(RANGED)
    with pytest.raises(ScenarioError) as caught:
        sampling_of_ranges(model, ["half open", "other", "free"])
    assert [fault.what.split("'")[1] for fault in caught.value.faults] == ["half open", "free"]
    with pytest.raises(ScenarioError, match="'nothing' is not in the model"):
        sampling_of_ranges(model, ["nothing"])
    with pytest.raises(ScenarioError, match="no constant of a group 'Uncertainties' has a range; write"):
        sampling_of_ranges(tiny_model("x = 1"))


def test_uncertainties_of_the_flagship_can_be_sampled(project):
    """The project's own model has a group of them."""
    model = model_from_text((project / "models" / "ai_compute.mdl").read_bytes())
    design = make_design(model, sampling_of_ranges(model))
    values = design.values(0, 200)
    for name, row in zip(design.names, values, strict=True):
        bounds = model[name.partition("[")[0]].range
        assert bounds.minimum <= row.min() < row.max() <= bounds.maximum


def test_plausible_ranges_come_from_the_file_beside_the_model(folder):
    """Bounds that a distribution reaches are the ends; where they are far out, 5 % and 95 % quantiles are."""
    path = folder / "ranged.mdl"
    path.write_text(RANGED, "utf-8")
    model = read_model(path)
    assert plausible_sampling(model) is None
    lines = (
        "low and high=RANDOM_TRIANGULAR(1,4,0,2,5)",
        "other=RANDOM_NORMAL(-1000,1000,5,2)",
        "with step=VECTOR(1,2.25,0.5)",
    )
    (folder / "ranged.vsc").write_text("\n".join(["9,L,1,,0", *lines]), "utf-8")
    ranges = plausible_ranges(model, plausible_sampling(model))
    ends = {cell.key: tuple(np.round(found, 4).tolist()) for cell, found in ranges.items()}
    assert ends == {"low_and_high": (1.0, 4.0), "other": (1.7103, 8.2897), "with_step": (1.0, 2.0)}
    (folder / "ranged.vsc").unlink()
    assert plausible_ranges(model, Sampling("file")) == {}


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_impossible_file_names_of_samples_are_reported(tmp_path, name):
    """A name that no file can have counts as a missing file."""
    path = tmp_path / "long.vsc"
    path.write_text(f"9,F,1,{name},0\n", "utf-8")
    with pytest.raises(ScenarioError):
        read_sampling(path)


GROUPED = """
price = 1 ~ ~ |
****
\t.Policy levers
****~
\t|
tax = 2 ~ Dmnl [0,9] ~ |
****
\t.Uncertainties
****~
\t|
growth = 3 ~ Dmnl [1,5] ~ |
"""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, ["growth"]),
        ("9,L,1\nprice=RANDOM_UNIFORM(0,2)\ntax=RANDOM_UNIFORM(0,2)\n", ["price"]),
        ("9,L,1\ntax=RANDOM_UNIFORM(0,2)\n", ["growth"]),
        ("9,L,1\n no such=RANDOM_UNIFORM(0,2)\ntax=RANDOM_UNIFORM(0,2)\n", ["no such"]),
    ],
)
def test_default_sampling_is_that_of_the_file_beside_the_model(text: str | None, names: list[str], tmp_path: Path):
    """Without policy levers; without lines for other constants, the ranges of the group Uncertainties."""
    (tmp_path / "m.mdl").write_text(model_text(GROUPED), "utf-8")
    if text is not None:
        (tmp_path / "m.vsc").write_text(text, "utf-8")
    model = read_model(tmp_path / "m.mdl")
    found = default_sampling(model)
    assert [variation.name for variation in found.variations] == names
    assert read_sampling_of(found.text, tmp_path).variations == found.variations


def read_sampling_of(text: str, folder: Path) -> Sampling:
    (folder / "again.vsc").write_text(text, "utf-8")
    return read_sampling(folder / "again.vsc")


def test_a_file_of_samples_is_not_split(tmp_path: Path):
    """Its columns belong together, those of levers too."""
    (tmp_path / "m.mdl").write_text(model_text(GROUPED), "utf-8")
    (tmp_path / "m.vsc").write_text("2,F,1,m.tab\n", "utf-8")
    (tmp_path / "m.tab").write_text("price\ttax\n1\t2\n3\t4\n", "utf-8")
    model = read_model(tmp_path / "m.mdl")
    assert split_levers(model, plausible_sampling(model)) == (plausible_sampling(model), None)
