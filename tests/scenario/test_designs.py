"""Designs: the members of every method, independence of slicing, and errors."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sdmodel import simulate
from sdmodel.errors import Place, ScenarioError
from sdmodel.model import Cell
from sdmodel.scenario import Change, Distribution, Samples, Sampling, Scenario, Steps, Variation, make_design
from sdmodel.testing import tiny_model

MODEL = tiny_model("""
Region: North, South
k = 5
base rate = 2
x[Region] = 1, 2
fixed == 3
f((0,0),(1,1),(2,0))
y = k + base rate + x[North] + x[South] + fixed + f(0)
""")
EVEN = Distribution("RANDOM_UNIFORM", (0.0, 1.0))
NORMAL = Distribution("RANDOM_NORMAL", (-1.0, 4.0, 1.0, 2.0))
TENT = Distribution("RANDOM_TRIANGULAR", (0.0, 4.0, 0.0, 1.0, 4.0))
K, BASE, X = Variation("k", (), EVEN), Variation("Base_Rate", (), NORMAL), Variation("x", (), TENT)
SAMPLING = Sampling("multivariate", 101, 7, (K, BASE, X), text="the text")
SAMPLES = Samples(("k", "x[South]"), np.array([[1.0, np.nan], [np.nan, 3.0], [2.0, np.nan]]), "s.tab")
SAMPLINGS = {
    "multivariate": SAMPLING,
    "latin hypercube": replace(SAMPLING, method="latin hypercube"),
    "grid": replace(SAMPLING, method="grid", count=3),
    "univariate": replace(SAMPLING, method="univariate", count=25),
    "file": Sampling("file", samples=SAMPLES),
    "steps": Sampling(
        "multivariate",
        variations=(
            replace(K, distribution=Steps(0, 1, 0.25)),
            replace(BASE, distribution=Steps(1, 3, 1)),
        ),
    ),
    "mixed grid": replace(
        SAMPLING, method="grid", count=4, variations=(replace(K, distribution=Steps(0, 1, 0.25)), BASE)
    ),
}


def design(name, **options):
    return make_design(MODEL, SAMPLINGS[name], **options)


@pytest.mark.parametrize("name", SAMPLINGS)
@given(data=st.data())
def test_slices_of_a_design_equal_the_whole(name, data):
    """Slices joined end to end equal the whole, to the last bit."""
    plan = design(name)
    cuts = data.draw(st.lists(st.integers(0, plan.count), max_size=6).map(sorted))
    edges = [0, *cuts, plan.count]
    parts = [plan.values(first, last) for first, last in itertools.pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), plan.values(0, plan.count))


@given(st.integers(1, 300), st.integers(1, 2**31))
def test_members_do_not_depend_on_their_number(count, seed):
    """Adding members leaves the existing ones unchanged."""
    few, many = (design("multivariate", count=size, seed=seed) for size in (count, count + 50))
    np.testing.assert_array_equal(few.values(0, count), many.values(0, count))


@pytest.mark.parametrize("method", ["multivariate", "latin hypercube"])
def test_adding_a_constant_leaves_the_others_unchanged(method):
    """Each constant has its own stream, wherever it stands in the file."""
    whole = make_design(MODEL, replace(SAMPLING, method=method))
    alone = make_design(MODEL, replace(SAMPLING, method=method, variations=(BASE,)))
    np.testing.assert_array_equal(whole.values(0, 101)[1:2], alone.values(0, 101))


def test_constants_and_seeds_have_their_own_streams():
    """Two constants, two cells of one, or two seeds never share a number."""
    same = Sampling("multivariate", 50, 7, tuple(replace(variation, distribution=EVEN) for variation in (K, BASE, X)))
    values = [make_design(MODEL, same, seed=seed).values(0, 50) for seed in (7, 8)]
    assert len(np.unique(np.concatenate(values))) == 2 * 4 * 50


@given(st.integers(1, 200), st.integers(1, 2**31))
def test_a_latin_hypercube_has_each_stratum_of_each_constant_once(count, seed):
    """The distribution function at the values hits each of N equal strata exactly once."""
    sampling = Sampling("latin hypercube", count, seed, (K, replace(X, distribution=EVEN)))
    values = make_design(MODEL, sampling).values(0, count)
    strata = np.sort(np.floor(values * count).astype(int), axis=1)
    np.testing.assert_array_equal(strata, np.tile(np.arange(count), (3, 1)))


def test_a_large_latin_hypercube_computes_any_member_by_itself(monkeypatch):
    """Each stratum once, in an order that looks random; the ranks of ten billion members need no memory."""
    monkeypatch.setattr("sdmodel.scenario.designs._MAX_RANKED", 10)
    monkeypatch.setattr("sdmodel.scenario.designs._MAX_RANKS", 0)
    for count in (1, 2, 3, 64, 65, 5000):
        design = make_design(MODEL, Sampling("latin hypercube", count, 3, (K, replace(X, distribution=EVEN))))
        values = design.values(0, count)
        strata = np.floor(values * count).astype(int)
        np.testing.assert_array_equal(np.sort(strata, axis=1), np.tile(np.arange(count), (3, 1)))
    assert np.array_equal(design.values(1234, 1300), values[:, 1234:1300])
    assert design.part(7, 9) is design
    order = np.corrcoef([np.arange(count), *strata, *np.roll(strata, 1, axis=1)])
    assert np.abs(order - np.eye(7)).max() < 4 / np.sqrt(count)
    monkeypatch.undo()
    vast = make_design(MODEL, Sampling("latin hypercube", 10**10, 3, (K, X)))
    assert ((vast.values(10**10 - 5, 10**10)[0] >= 0) & (vast.values(10**10 - 5, 10**10)[0] < 1)).all()


@pytest.mark.parametrize("method", ["multivariate", "latin hypercube", "univariate"])
def test_values_follow_their_distributions(method):
    """By the Kolmogorov-Smirnov test, for a fixed seed."""
    plan = make_design(MODEL, replace(SAMPLING, method=method, count=4000))
    values = plan.values(0, plan.count)
    if method == "univariate":
        values = np.array([row[4000 * index : 4000 * (index + 1)] for index, row in enumerate(values)])
    laws = [stats.uniform(), stats.truncnorm(-1, 1.5, 1, 2), stats.triang(0.25, 0, 4), stats.triang(0.25, 0, 4)]
    assert all(stats.kstest(row, law.cdf).pvalue > 0.01 for row, law in zip(values, laws, strict=True))


@pytest.mark.parametrize("method", ["multivariate", "latin hypercube"])
def test_constants_are_sampled_independently(method):
    """Rank correlations of 4000 members stay within three standard errors."""
    values = make_design(MODEL, replace(SAMPLING, method=method, count=4000)).values(0, 4000)
    correlations = stats.spearmanr(values.T).statistic[np.triu_indices(4, 1)]
    assert (np.abs(correlations) < 3 / np.sqrt(4000)).all()


def test_a_grid_combines_the_middles_of_equal_parts():
    """N divisions of each of four cells, the last changing fastest."""
    plan = design("grid")
    middles = np.array([1, 3, 5]) / 6
    levels = [distribution.quantile(middles) for distribution in (EVEN, NORMAL, TENT, TENT)]
    assert plan.count == 81
    np.testing.assert_array_equal(plan.values(0, 81).T, list(itertools.product(*levels)))


def test_steps_alone_give_every_combination_by_either_method():
    """A multivariate search over VECTORs is a grid; the number of simulations does not matter."""
    plan = design("steps", count=7)
    expected = list(itertools.product([0, 0.25, 0.5, 0.75, 1], [1, 2, 3]))
    np.testing.assert_array_equal(plan.values(0, 15).T, expected)
    grid = make_design(MODEL, replace(SAMPLINGS["steps"], method="grid"))
    np.testing.assert_array_equal(grid.values(0, 15), plan.values(0, 15))


def test_a_univariate_design_changes_one_constant_at_a_time():
    """The others keep their values in the model, or in a scenario."""
    scenario = Scenario("s", (Change("k", values=(50.0,)),))
    sampling = replace(SAMPLINGS["univariate"], variations=(K, replace(BASE, distribution=Steps(1, 3, 1)), X))
    plan = make_design(MODEL, sampling, scenario=scenario)
    assert plan.count == 25 + 3 + 25 + 25
    moved = plan.values(0, plan.count) != np.array([[50.0], [2.0], [1.0], [2.0]])
    assert moved.sum(axis=0).max() == 1
    assert [moved[row].sum() for row in (0, 2, 3)] == [25, 25, 25]
    np.testing.assert_array_equal(plan.values(25, 28)[1], [1, 2, 3])


def test_empty_fields_of_samples_repeat_the_row_above():
    """In the first row they take the model's own value."""
    plan = design("file")
    assert plan.cells == (Cell("k"), Cell("x", ("south",)))
    np.testing.assert_array_equal(plan.values(0, 3), [[1, 1, 2], [2, 3, 3]])
    np.testing.assert_array_equal(design("file", count=2).values(0, 2), [[1, 1], [2, 3]])


@pytest.mark.parametrize("name", SAMPLINGS)
def test_simulate_accepts_a_design(name):
    """Its names are the model's, over the requested members."""
    plan = design(name)
    given_ = plan.dataset(1, 3)
    assert given_.member.values.tolist() == [1, 2]
    run = simulate(MODEL, given_)
    base = {Cell("k"): 5.0, Cell("base_rate"): 2.0, Cell("x", ("north",)): 1.0, Cell("x", ("south",)): 2.0}
    rows = dict(zip(plan.cells, plan.values(1, 3), strict=True))
    expected = 3 + sum(rows.get(cell, np.full(2, own)) for cell, own in base.items())
    np.testing.assert_allclose(run.y.isel(time=0).values, expected, rtol=1e-14)


def test_names_have_the_models_spelling_and_labels():
    """However the file spells them."""
    assert design("multivariate").names == ("k", "base rate", "x[North]", "x[South]")
    odd = tiny_model('"a[b], c" = 1\ny = "a[b], c"')
    plan = make_design(odd, Sampling("multivariate", 2, 1, (Variation("a[b], c", (), EVEN),)))
    np.testing.assert_array_equal(simulate(odd, plan.dataset()).y.isel(time=0), plan.values(0, 2)[0])


def test_a_subscript_varies_part_of_a_constant():
    """A label varies one cell, the range all of them."""
    north = make_design(MODEL, replace(SAMPLING, variations=(replace(X, subscripts=("north",)),)))
    both = make_design(MODEL, replace(SAMPLING, variations=(replace(X, subscripts=("REGION",)),)))
    assert north.names == ("x[North]",)
    np.testing.assert_array_equal(both.values(0, 9)[:1], north.values(0, 9))


def test_a_design_equals_its_copy_and_is_short_to_print():
    """As in a notebook."""
    one, other = (make_design(MODEL, SAMPLING, count=20, seed=seed) for seed in (1, 2))
    copied = pickle.loads(pickle.dumps(one))  # noqa: S301 - made here
    assert (copied == one, {copied} == {one}, one == other) == (True, True, False)
    assert repr(one) == "Design(count=20, seed=1, method='multivariate')"


def test_the_digest_identifies_a_design():
    """It covers everything that decides the numbers, and nothing else."""
    again = replace(SAMPLING, path="elsewhere.vsc", text="other words")
    others = [
        replace(SAMPLING, seed=8),
        replace(SAMPLING, count=102),
        replace(SAMPLING, variations=(K, BASE)),
        replace(SAMPLING, variations=(K, BASE, replace(X, distribution=EVEN))),
        *SAMPLINGS.values(),
        Sampling("file", samples=replace(SAMPLES, values=SAMPLES.values + 1)),
    ]
    first = make_design(MODEL, SAMPLING).digest
    assert make_design(MODEL, again).digest == first
    digests = {make_design(MODEL, sampling).digest for sampling in others}
    assert len(digests) == len(others)  # one of them is the first itself
    assert first in digests
    moved = Scenario("s", (Change("k", values=(50.0,)),))
    assert design("univariate", scenario=moved).digest != design("univariate").digest
    assert design("multivariate", scenario=moved).digest == first


DIGESTS = {
    "multivariate": "2552b3b0edc61edb170e38c3c7e3f409bcc82db5a16e6816490f07d74ea9b60e",
    "grid": "d6a124703512fe05175f8e56277e4ffee9cb50d6740d58fb7d056c07d60cc55a",
    "univariate": "8a38976886606a2e123e8d4a65aaae3b7defdc8d9f2abdc1d26b4ca037d5aa57",
}


@pytest.mark.parametrize("method", DIGESTS)
def test_digests_stay_the_same_between_versions(method):
    """Stored ensembles of earlier versions can be resumed and paired: these digests were made by version 0.1."""
    varied = (
        Variation("z", (), Steps(0.0, 1.0, 0.25)),
        Variation("rate", (), Distribution("RANDOM_WEIBULL", (0.0, 4.0, 2.0, 0.5, 1.0))),
    )
    model = tiny_model("rate = 0.1\nz = 4")
    chosen = varied[1:] if method == "multivariate" else varied
    assert make_design(model, Sampling(method, 7, 77, chosen)).digest == DIGESTS[method]


def test_a_design_records_its_seed_and_text():
    """Seed 0 chooses a fresh seed, which gives the same numbers again."""
    plan = make_design(MODEL, replace(SAMPLING, seed=0))
    assert plan.seed > 0
    assert plan.seed != make_design(MODEL, SAMPLING, seed=0).seed
    assert plan.text == "the text"
    np.testing.assert_array_equal(plan.values(0, 9), make_design(MODEL, SAMPLING, seed=plan.seed).values(0, 9))


def test_a_lookup_of_the_model_is_a_density():
    """RANDOM_LOOKUP takes the points of the lookup that it names."""
    density = Distribution("RANDOM_LOOKUP", (0.0, 2.0, 0.0, 1.0), "F")
    plan = make_design(MODEL, replace(SAMPLING, variations=(replace(K, distribution=density),), count=2000))
    assert stats.kstest(plan.values(0, 2000)[0], stats.triang(0.5, 0, 2).cdf).pvalue > 0.01


PLACE = Place("e.vsc", 4, 2)
REFUSED = {
    "no such constant": (replace(K, name="base rat"), "'base rat' is not in the model; did you mean 'base rate'?"),
    "no constant": (replace(K, name="y"), "'y' is an auxiliary, not a constant"),
    "unchangeable": (replace(K, name="fixed"), "'fixed' is unchangeable"),
    "no such label": (replace(X, subscripts=("East",)), "'x' has no cell [east]"),
    "no such lookup": (
        replace(K, distribution=Distribution("RANDOM_LOOKUP", (0.0, 1.0, 0.0, 1.0), "g")),
        "'g' is not a lookup of the model; name one without subscripts",
    ),
    "no values": (
        replace(K, distribution=Distribution("RANDOM_UNIFORM", (1.0, 0.0))),
        "'k': the minimum 1 is not below",
    ),
    "twice": (replace(BASE, name="base_rate"), "'base rate' is varied twice, first at "),
    "steps beside draws": (
        replace(K, distribution=Steps(0, 1, 0.5)),
        "VECTOR cannot be combined with random distributions",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_forbidden_lines_are_reported_with_their_place(case):
    """The fault names the line of the file, and what to do."""
    variation, message = REFUSED[case]
    sampling = replace(SAMPLING, variations=(replace(variation, place=PLACE), replace(BASE, place=Place("e.vsc", 3))))
    if case == "twice":
        sampling = replace(sampling, variations=sampling.variations[::-1])
    with pytest.raises(ScenarioError) as caught:
        make_design(MODEL, sampling)
    assert str(caught.value).startswith(f"e.vsc:4:2: {message}")
    assert "; " in str(caught.value)


def test_a_misspelt_lookup_is_guessed():
    """The nearest name is the remedy."""
    model = tiny_model("k = 1\ngrowth table((0,1),(2,1))\ny = growth table(k)")
    density = Distribution("RANDOM_LOOKUP", (0.0, 1.0, 0.0, 1.0), "growth tabel")
    sampling = replace(SAMPLING, variations=(Variation("k", (), density, place=PLACE),))
    with pytest.raises(ScenarioError, match="'growth tabel' is not a lookup of the model; did you mean 'growth table'"):
        make_design(model, sampling)


IMPOSSIBLE = {
    "nothing varies": (replace(SAMPLING, variations=()), {}, "nothing is varied"),
    "no members": (SAMPLING, {"count": 0}, "the number of simulations is 0"),
    "a part of a member": (SAMPLING, {"count": 1.5}, "count is 1.5, seed is 7; give whole numbers, a seed below 2"),
    "a text as a seed": (SAMPLING, {"seed": "a"}, "count is None, seed is 'a'; give whole numbers"),
    "a seed that no file holds": (SAMPLING, {"seed": 2**63}, "seed is 9223372036854775808; give whole numbers"),
    "too many": (SAMPLING, {"count": 10**11}, "has 100,000,000,000 members"),
    "grid too large": (
        replace(SAMPLING, method="grid"),
        {"count": 1001},
        "a grid of 1001 x 1001 x 1001 x 1001 has 1,004,006,004,001 members",
    ),
    "no file": (replace(SAMPLING, method="file"), {}, "names no file of samples"),
    "short file": (SAMPLINGS["file"], {"count": 4}, "has 3 rows, not 4"),
    "unknown column": (
        Sampling("file", samples=replace(SAMPLES, names=("k", "payoff"), places=(PLACE, PLACE))),
        {},
        "e.vsc:4:2: 'payoff' is not in the model",
    ),
    "column twice": (Sampling("file", samples=replace(SAMPLES, names=("k", "K"))), {}, "'k' is varied twice"),
}


@pytest.mark.wrong_types
@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible_designs_are_refused(case):
    """One fault that says what to do, before anything is sampled."""
    sampling, options, message = IMPOSSIBLE[case]
    with pytest.raises(ScenarioError, match="; ") as caught:
        make_design(MODEL, sampling, **options)
    assert message in str(caught.value)


def test_members_beyond_the_last_are_an_error_of_the_caller():
    """A truncated slice could be taken for the whole."""
    with pytest.raises(ValueError, match="not among the 101"):
        design("multivariate").values(0, 102)
