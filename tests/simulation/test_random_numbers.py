"""Random numbers: the published generator, every distribution, and the same numbers however a run is made."""

from __future__ import annotations

import math
import pickle
import warnings
from hashlib import blake2b

import numpy as np
import pytest
import xarray as xr
from scipy import special, stats

import sdmodel as sd
from sdmodel.errors import ModelError, ScenarioError, SimulationError
from sdmodel.model import DEFAULT_SEED, FUNCTIONS, Absent, Cell, Start
from sdmodel.scenario import Distribution, Sampling, Scenario, Variation
from sdmodel.simulation import RunWarning
from sdmodel.store import ensemble_record, ensembles
from sdmodel.testing import WasmInstance, model_text, tiny_model, wasm_difference
from sdmodel.vensim import model_from_text, read_change

pytestmark = pytest.mark.filterwarnings("ignore:the random numbers:sdmodel.simulation.RunWarning")

# Every distribution with what the manual says of it, and the same in SciPy: (call without min, max and stream, law)
WEIBULL_SCALE = 1 / special.gamma(1 + 1 / 1.7)
LAWS = {
    "NORMAL": ("{}, 2, 3", stats.norm(2, 3)),
    "EXPONENTIAL": ("{}, 1, 2", stats.expon(1, 2)),
    "GAMMA": ("{}, 2.5, 1, 2", stats.gamma(2.5, 1, 2)),
    "BETA": ("{}, 2.5, 0.7, 1, 4", stats.beta(2.5, 0.7, 1, 4)),
    "WEIBULL": ("{}, 1.7, 1, 2", stats.weibull_min(1.7, 1, 2 * WEIBULL_SCALE)),
    "TRIANGULAR": ("{}, 1, 2, 5", stats.triang(0.25, 1, 4)),
    "LOOKUP": ("table, {}, 1, 2", stats.triang(1 / 3, 1, 6)),
    "UNIFORM": ("{}", None),
    "POISSON": ("{}, 4.5, 0, 1", stats.poisson(4.5)),
    "BINOMIAL": ("{}, 0.8, 12, 0, 1", stats.binom(12, 0.8)),
    "NEGATIVE BINOMIAL": ("{}, 0.4, 3, 0, 1", stats.nbinom(3, 0.4, loc=3)),
}
BOUNDS = {"free": (-1000, 1000), "cut": (1.5, 4.25)}
COUNT = 2000
_TABLE = "table((0,0),(1,1),(3,0))\n"


def philox(counter: list[np.ndarray], key: tuple[int, int]) -> list[np.ndarray]:
    """Philox 4x32-10 from its paper: ten rounds on four words of 32 bits."""
    words = [np.asarray(word, dtype=np.uint64) for word in counter]
    first, second = key
    for _ in range(10):
        products = words[0] * np.uint64(0xD2511F53), words[2] * np.uint64(0xCD9E8D57)
        (high0, low0), (high2, low2) = [(own >> np.uint64(32), own & np.uint64(2**32 - 1)) for own in products]
        words = [high2 ^ words[1] ^ np.uint64(first), low2, high0 ^ words[3] ^ np.uint64(second), low0]
        first, second = (first + 0x9E3779B9) % 2**32, (second + 0xBB67AE85) % 2**32
    return words


def uniforms(place: str, steps, *, seed: int = DEFAULT_SEED, stream: int = 0, member=0) -> np.ndarray:
    """The numbers between 0 and 1 that belong to a place: its variable, the number of its draw, and its labels."""
    site = int.from_bytes(blake2b(place.encode(), digest_size=8).digest(), "little")
    steps, member = np.broadcast_arrays(np.asarray(steps), np.asarray(member))
    words = philox(
        [steps, member, np.full(steps.shape, site % 2**32), np.full(steps.shape, site >> 32)], (seed, stream)
    )
    whole = (words[0] | words[1] << np.uint64(32)) >> np.uint64(12)
    return (whole.astype(float) + 0.5) / 2**52


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0,) * 4, (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)  # fmt: skip
def test_the_generator_is_the_published_one(counter, key, expected):
    """The known answers that its authors give (Random123)."""
    assert tuple(map(int, philox([np.array(word) for word in counter], key))) == expected


def _equations() -> str:
    """A variable for each distribution, without bounds that matter and truncated, and one per stream."""
    lines = [
        f"{name.lower()} {kind} = RANDOM {name}({arguments.format(f'{low}, {high}')}, 0)"
        for name, (arguments, _) in LAWS.items()
        for kind, (low, high) in BOUNDS.items()
    ]
    return "\n".join(
        [
            _TABLE,
            *lines,
            "plain = RANDOM 0 1()",
            "other = RANDOM UNIFORM(0, 1, 7)",
            "pink = RANDOM PINK NOISE(5, 2, 4, 0)",
        ]
    )


@pytest.fixture(scope="module")
def run():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunWarning)
        return sd.simulate(tiny_model(_equations(), final=COUNT - 1))


def test_draws_depend_on_seed_stream_member_place_and_step(run):
    """The machine code draws what the paper says, for one run, for members, and with another seed."""
    steps = np.arange(COUNT)
    assert np.array_equal(run["plain"], uniforms("plain#1[]", steps))
    assert np.array_equal(run["other"], uniforms("other#1[]", steps, stream=7))
    small = tiny_model("other = RANDOM UNIFORM(0, 1, 7)\nc = 1", final=COUNT - 1)
    members = sd.simulate(small, {"c": [1, 2, 3, 4, 5]}, seed=2**32 - 1)
    expected = [uniforms("other#1[]", steps, seed=2**32 - 1, stream=7, member=member) for member in range(5)]
    assert np.array_equal(members["other"].values.T, expected)


def _moments(law, low: float, high: float) -> tuple[float, float]:
    """The mean and the deviation of a truncated distribution: sums over counts, or over many equal shares."""
    if hasattr(law.dist, "pmf"):
        points = np.arange(math.ceil(low), min(math.floor(high), 300) + 1)
        weights = law.pmf(points)
    else:
        ends = law.cdf(low), law.cdf(high)
        points = law.ppf(ends[0] + (np.arange(10_000) + 0.5) / 10_000 * (ends[1] - ends[0]))
        weights = np.ones(10_000)
    mean = np.average(points, weights=weights)
    return mean, math.sqrt(np.average((points - mean) ** 2, weights=weights))


@pytest.mark.parametrize("kind", BOUNDS)
@pytest.mark.parametrize("name", LAWS)
def test_every_distribution_is_that_of_scipy(run, name, kind):
    """Number by number from the same draws, by SciPy's own inversion of the truncated distribution; and as a whole."""
    law = LAWS[name][1] or stats.uniform(BOUNDS[kind][0], BOUNDS[kind][1] - BOUNDS[kind][0])
    low, high = BOUNDS[kind]
    values, is_count = run[f"{name.lower().replace(' ', '_')}_{kind}"].values, hasattr(law.dist, "pmf")
    below = law.cdf(math.ceil(low) - 1) if is_count else law.cdf(low)
    shares = below + uniforms(f"{name.lower().replace(' ', '_')}_{kind}#1[]", np.arange(COUNT)) * (
        law.cdf(high) - below
    )
    np.testing.assert_allclose(values, law.ppf(shares), rtol=1e-9, atol=1e-12)
    assert low <= values.min()
    assert values.max() <= high
    mean, deviation = _moments(law, low, high)
    assert abs(values.mean() - mean) < 4 * deviation / math.sqrt(COUNT)
    assert values.std() == pytest.approx(deviation, rel=0.1)
    if not is_count:
        assert stats.kstest(values, lambda x: (law.cdf(x) - below) / (law.cdf(high) - below)).pvalue > 0.001


def test_places_do_not_depend_on_each_other(run):
    """The ranks of neighbouring variables and steps are not correlated beyond chance."""
    columns = np.array([run[f"{name.lower().replace(' ', '_')}_free"].values for name in LAWS])
    bound = 4.5 / math.sqrt(COUNT)
    correlation = stats.spearmanr(columns.T).statistic
    assert np.abs(correlation - np.eye(len(columns))).max() < bound
    assert max(abs(stats.spearmanr(line[1:], line[:-1]).statistic) for line in columns) < bound


@pytest.mark.parametrize("step", [1, 0.125])
def test_pink_noise_has_its_deviation_and_its_correlation_time(step):
    """Whatever the time step, and the integrator: a stock that follows white noise."""
    text = "pink = RANDOM PINK NOISE(5, 2, 4, 0)\nwhite = RANDOM PINK NOISE(5, 2, 0.01, 3)"
    values = sd.simulate(tiny_model(text, final=4000, step=step, saveper=1), integrator="rk4")
    pink, white = values["pink"].values, values["white"].values
    assert pink.mean() == pytest.approx(5, abs=0.3)
    assert pink.std() == pytest.approx(2, rel=0.08)
    assert np.corrcoef(pink[4:], pink[:-4])[0, 1] == pytest.approx((1 - step / 4) ** (4 / step), abs=0.08)
    assert white.std() == pytest.approx(2, rel=0.08)
    assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 0.07


MACRO = """:MACRO: RANDOM PINK NOISE(mean, deviation, time, seed)
RANDOM PINK NOISE = INTEG((mean + deviation*RANDOM NORMAL(-6, 6, 0, 1, seed) - RANDOM PINK NOISE)/time, mean)
	~	mean
	~		|
:END OF MACRO:
"""


def test_a_macro_of_the_same_name_replaces_pink_noise():
    own = sd.simulate(
        model_from_text(
            model_text("x = RANDOM PINK NOISE(5, 2, 4, 1)").replace("{UTF-8}\n", "{UTF-8}\n" + MACRO), "own.mdl"
        )
    )["x"]
    assert own[0] == 5
    assert own.values.std() > 0


EDGES = {
    "RANDOM NORMAL(-1, 1, 0.5, 0, 0)": 0.5,  # no deviation
    "RANDOM NORMAL(0, 10, 0, 0, 0)": 0,
    "RANDOM NORMAL(3, 3, 0, 1, 0)": 3,
    "RANDOM NORMAL(50, 60, 0, 1, 0)": 50,  # beyond what any normal number reaches
    "RANDOM UNIFORM(4, 4, 0)": 4,
    "RANDOM TRIANGULAR(0, 9, 2, 2, 2, 0)": 2,
    "RANDOM POISSON(0, 100, 0, 0, 1, 0)": 0,
    "RANDOM POISSON(0, 100, -1, 0, 1, 0)": 0,
    "RANDOM BINOMIAL(0, 100, 1, 7.6, 0, 1, 0)": 8,  # trials are rounded
    "RANDOM BINOMIAL(0, 100, 0, 7, 0, 1, 0)": 0,
    "RANDOM NEGATIVE BINOMIAL(0, 100, 1, 3, 0, 1, 0)": 3,
    "RANDOM EXPONENTIAL(2, 2, 0, 1, 0)": 2,
    "RANDOM LOOKUP(flat, 0, 9, 0, 1, 0)": 4,  # no area
}


def test_edges_of_distributions():
    lines = [f"y{index} = {call}" for index, call in enumerate(EDGES)]
    run = sd.simulate(tiny_model("flat((4,0),(5,0))\n" + "\n".join(lines), final=3))
    for index, (call, expected) in enumerate(EDGES.items()):
        assert run[f"y{index}"].values.tolist() == [expected] * 4, call


@pytest.mark.parametrize(
    ("call", "law"),
    [
        ("POISSON(0, 1e12, 3e4, 0, 1, 0)", stats.poisson(3e4)),
        ("POISSON(0, 1e12, 1e8, 0, 1, 0)", stats.poisson(1e8)),  # from the expansion
        ("BINOMIAL(0, 1e12, 0.7, 1e8, 0, 1, 0)", stats.binom(10**8, 0.7)),
        ("GAMMA(0, 1e12, 1000, 0, 1, 0)", stats.gamma(1000)),
        ("BETA(0, 1, 0.1, 20, 0, 1, 0)", stats.beta(0.1, 20)),
        ("NORMAL(-50, 50, 10, -2, 0)", stats.norm(10, 2)),  # a negative stretch turns the distribution round
    ],
)
def test_large_and_skewed_parameters(call, law):
    values = sd.simulate(tiny_model(f"x = RANDOM {call}", final=300))["x"].values
    u = uniforms("x#1[]", np.arange(301))
    np.testing.assert_allclose(values, law.ppf(1 - u if "-2" in call else u), rtol=1e-8, atol=1e-14)


def test_no_distribution_hides_a_number_that_is_not_finite():
    calls = []
    for name, row in FUNCTIONS.items():
        if row.draws and name != "RANDOM PINK NOISE":
            for index, kind in enumerate(row.kinds):
                arguments = ["2"] * len(row.arguments)
                arguments[index] = "bad"
                calls += (
                    [f"{name}({', '.join(['t', *arguments[1:]] if 'table' in row.kinds else arguments)})"]
                    if kind == "finite"
                    else []
                )
    equations = [f"y{index} = {call}" for index, call in enumerate(calls)]
    model = tiny_model("\n".join(["bad = 1/zero", "zero = 0", "t((0,1),(1,1))", *equations]), final=1)
    with pytest.warns(sd.NotFiniteWarning):
        run = sd.simulate(model)
    assert [call for index, call in enumerate(calls) if np.isfinite(run[f"y{index}"]).any()] == []


MANY = """
d: (L1-L20)
few: L1, L2
v[d] = RANDOM NORMAL(-9, 9, 0, 1, 0) + RANDOM EXPONENTIAL(0, 99, 0, 1, 5)
gamma = RANDOM GAMMA(0, 99, 3, 0, 1, 5)
w[few] = RANDOM NORMAL(-9, 9, 0, 1, 0) + RANDOM NORMAL(-9, 9, 0, 1, 0)
total = SUM(RANDOM UNIFORM(0, 1, 0) * size[few!])
size[few] = 1, 1
level = INTEG(v[L1] * gain, RANDOM UNIFORM(0, 1, 0))
pink = RANDOM PINK NOISE(0, 1, 3, 2)
held = SAMPLE IF TRUE(RANDOM 0 1() > 0.5, RANDOM UNIFORM(0, 1, 0), 0)
count = RANDOM POISSON(0, 99, 3 + pink, 0, 1, 0)
first = INITIAL(RANDOM 0 1())
gain = 1
"""
NAMES = ("v", "w", "gamma", "total", "level", "pink", "held", "count", "first")


@pytest.fixture(scope="module")
def many():
    return tiny_model(MANY, final=12)


@pytest.fixture(scope="module")
def alone(many):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunWarning)
        return sd.simulate(many)


def _same(one, other, *, exact=True):
    for name in NAMES:
        if exact:
            assert np.array_equal(one[name], other[name]), name
        else:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-12, atol=1e-13, err_msg=name)


def test_numbers_are_the_same_for_any_split(many, alone):
    """One member alone, many in threads, a few of them by themselves: the draws are the same, and so are the numbers."""
    gains = np.linspace(1, 2, 1100)
    whole = sd.simulate(many, {"gain": gains}, threads=2)
    _same(whole, sd.simulate(many, {"gain": gains}, threads=1))
    _same(alone, whole.isel(member=0), exact=False)
    some = [3, 1030, 1099]
    _same(whole.isel(member=some), sd.simulate(many, {"gain": whole["gain"].isel(member=some)}))
    assert len(np.unique(whole["first"])) == 1100


def test_runs_that_differ_by_a_lever_have_the_same_noise(many):
    """Along a dimension of its own, or one after the other; members differ."""
    gain = xr.DataArray([1.0, 2.0], dims="gain")
    both = sd.simulate(many, {"gain": gain, "size[L1]": [1, 2, 3]})
    rise = both["level"].isel(time=-1) - both["level"].isel(time=0)
    np.testing.assert_allclose(rise.isel(gain=1), 2 * rise.isel(gain=0), rtol=1e-12)
    assert len(np.unique(rise.isel(gain=0))) == 3
    assert "gain" not in both["v"].dims or np.array_equal(both["v"].isel(gain=0), both["v"].isel(gain=1))


def test_labels_and_calls_have_numbers_of_their_own(many, alone):
    """Every cell, every call in an equation and every term of a SUM; other equations and labels may come and go."""
    steps = np.arange(13)
    point = stats.norm.ppf
    expected = [
        point(uniforms(f"w#1[{label}]", steps)) + point(uniforms(f"w#2[{label}]", steps)) for label in ("l1", "l2")
    ]
    np.testing.assert_allclose(alone["w"].values.T, expected, atol=1e-12)
    np.testing.assert_allclose(
        alone["total"], sum(uniforms(f"total#1[{label}]", steps) for label in ("l1", "l2")), rtol=1e-14
    )
    other = tiny_model(MANY.replace("few: L1, L2", "few: L3, L2, L1").replace("size[few] = 1, 1", "new = RANDOM 0 1()\nsize[few] = 1, 1, 1"), final=12)  # fmt: skip
    run = sd.simulate(other)
    assert np.array_equal(run["w"].sel(few="L2"), alone["w"].sel(few="L2"))
    assert np.array_equal(run["v"], alone["v"])


@pytest.mark.parametrize("integrator", ["rk2", "rk4", "rk4-auto"])
def test_a_draw_holds_for_a_whole_time_step(many, alone, integrator):
    """An integrator evaluates rates several times a step, with the same draws."""
    run = sd.simulate(many, integrator=integrator)
    _same(run, alone, exact=False)


def test_a_resumed_run_goes_on_with_its_numbers(many, alone):
    """From a stored run, from a member of an ensemble, step by step, and after a run that went on before."""
    later = sd.simulate(many, start=alone, at=5)
    _same(later, alone.sel(time=slice(5, None)))
    _same(sd.simulate(many, start=later, at=9), alone.sel(time=slice(9, None)))
    members = sd.simulate(many, {"gain": [1, 2, 3]}, seed=11)
    third = members.isel(member=2)
    again = sd.simulate(many, start=third, at=4)
    _same(again, third.sel(time=slice(4, None)), exact=False)
    _same(sd.simulate(many, start=again, at=8), third.sel(time=slice(8, None)), exact=False)
    steps = sd.open_simulation(many, seed=11)
    for _ in range(6):
        steps.step()
    assert steps["level"] == sd.simulate(many, seed=11)["level"].sel(time=6)


SEEDED = "NOISE SEED = 5\na = RANDOM 0 1()\nb = RANDOM UNIFORM(0, 1, stream)\nstream = 3\nc = 1"


def test_noise_seed_decides_the_default_stream_alone():
    """As in Vensim; a seed given to the run decides all streams, and is in the record."""
    model = tiny_model(SEEDED)
    own, changed = sd.simulate(model), sd.simulate(model, {"NOISE SEED": 6})
    assert np.array_equal(own["a"], uniforms("a#1[]", np.arange(11), seed=5))
    assert not (own["a"] == changed["a"]).any()
    assert np.array_equal(own["b"], changed["b"])
    assert np.array_equal(own["b"], uniforms("b#1[]", np.arange(11), stream=3))
    seeded = sd.simulate(model, seed=6)
    assert np.array_equal(seeded["a"], changed["a"])
    assert np.array_equal(seeded["b"], uniforms("b#1[]", np.arange(11), seed=6, stream=3))
    assert (seeded.attrs["noise_seed"], float(seeded["noise_seed"])) == (6, 6)
    assert "noise_seed" not in own.attrs
    varied = sd.simulate(model, {"NOISE SEED": [5, 6]})
    assert np.array_equal(varied["a"].isel(member=1), uniforms("a#1[]", np.arange(11), seed=6, member=1))


def test_a_run_says_that_its_numbers_are_not_those_of_vensim():
    model = tiny_model(SEEDED)
    with pytest.warns(
        RunWarning, match="the random numbers of the seed 5 are sdmodel's own; Vensim draws others"
    ) as caught:
        run = sd.simulate(model)
    assert len(caught) == 1
    assert run.attrs["random_numbers"] == str(caught[0].message)
    assert "random_numbers" not in sd.simulate(tiny_model("a = 1")).attrs


@pytest.mark.wrong_types
@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "4"])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(SimulationError, match="seed is .*; it must be a whole number from 0 to 4294967295"):
        sd.simulate(tiny_model(SEEDED), seed=seed)


def test_a_computed_noise_seed_cannot_be_overridden():
    model = tiny_model("NOISE SEED = INTEGER(c)\nc = 5.5\na = RANDOM 0 1()")
    assert np.array_equal(sd.simulate(model)["a"], uniforms("a#1[]", np.arange(11), seed=5))
    with pytest.raises(SimulationError, match="NOISE SEED is computed in the model, .*; make it a constant"):
        sd.simulate(model, seed=1)


def test_members_may_differ_by_noise_alone(many):
    """A number of members, the numbers of some, or a design without constants."""
    whole = sd.simulate(many, members=1100, seed=7)
    _same(whole, sd.simulate(many, {"gain": np.ones(1100)}, seed=7))
    some = [3, 1030, 1099]
    _same(whole.isel(member=some), sd.simulate(many, members=some, seed=7))
    assert sd.simulate(many, members=some)["member"].values.tolist() == some
    design = sd.make_design(many, count=5)
    assert (design.count, design.names) == (5, ())
    _same(whole.isel(member=slice(5)), sd.simulate(many, design.dataset(), seed=7))


@pytest.mark.wrong_types
@pytest.mark.parametrize("members", [0, -1, 2.5, "3", [], [[1]], [-1], [0.5]])
def test_members_are_a_whole_number_or_numbers(many, members):
    with pytest.raises(ScenarioError, match="members: are .*; give a whole number from 1, or the numbers of"):
        sd.simulate(many, members=members)


def test_members_of_a_model_without_noise_would_be_equal():
    plain = tiny_model("a = 1")
    with pytest.raises(ScenarioError, match="members: would all be equal, .*; vary a constant"):
        sd.simulate(plain, members=3)
    with pytest.raises(ScenarioError, match="nothing is varied"):
        sd.make_design(plain, count=3)


def test_a_line_for_a_noise_seed_that_the_model_lacks_samples_noise_alone(tmp_path, many):
    """As people write it for Vensim; a model that has the constant samples it."""
    path = tmp_path / "noise.vsc"
    path.write_text("20,L,7,,0\nNOISE SEED=RANDOM_UNIFORM(0,1000)\n", "utf-8")
    sampling = sd.read_sampling(path)
    assert (sd.make_design(many, sampling).names, sd.make_design(many, sampling).count) == ((), 20)
    assert sd.make_design(tiny_model(SEEDED), sampling).names == ("NOISE SEED",)


# What compares levers uses the same noise for all its runs; members of an ensemble have noise of their own


@pytest.fixture(scope="module")
def noisy():
    return tiny_model("level = INTEG(noise*gain*base, 0)\nnoise = RANDOM NORMAL(-9, 9, 1, 1, 0)\ngain = 1\nbase = 1")


@pytest.fixture(scope="module")
def ends(noisy):
    """The level at the end, of each of 40 members."""
    return sd.simulate(noisy, members=40)["level"].isel(time=-1).values


@pytest.fixture(scope="module")
def design(noisy):
    return sd.make_design(noisy, count=40)


def test_the_noise_of_an_attribution(noisy, ends, design):
    doubled = Scenario("doubled", (read_change("gain = 2"),))
    found = sd.attribute_levers(noisy, doubled, save=["level"], design=design)
    quantiles = found["level_spread"].isel(time=-1, lever=0).values
    np.testing.assert_allclose(quantiles, np.quantile(ends, found["probability"]), rtol=1e-12)
    mean = found["level"].sel(measure="shapley").isel(time=-1, lever=0)
    assert float(mean) == pytest.approx(ends.mean(), rel=1e-12)
    alone = sd.attribute_levers(noisy, doubled, save=["level"])
    assert float(alone["level"].sel(measure="alone").isel(time=-1, lever=0)) == pytest.approx(ends[0], rel=1e-12)


def test_the_noise_of_a_ranking(noisy, ends, design):
    found = sd.rank_levers(noisy, "level", levers={"gain": (0, 2)}, goal="max", design=design)
    assert float(found["effect"].sel(lever="gain", outcome="level")) == pytest.approx(ends[0], rel=1e-12)
    quantiles = found["effect_spread"].sel(lever="gain", outcome="level")
    np.testing.assert_allclose(quantiles, np.quantile(ends, found["probability"]), rtol=1e-12)


def test_the_noise_of_a_sweep(noisy, ends, design):
    swept = sd.sweep_levers(noisy, {"gain": [1, 3]}, design=design)["level"].isel(time=-1)
    np.testing.assert_allclose(swept.sel(gain=3), 3 * ends, rtol=1e-12)
    np.testing.assert_allclose(swept.sel(gain=1), ends, rtol=1e-12)


def test_the_noise_of_a_prepared_simulation(noisy, ends):
    """An optimiser sees no noise between its points; a seed gives all of them other numbers."""
    run = sd.compile_model(noisy, save=["level"], constants=["gain"])
    np.testing.assert_allclose(run([[1.0], [2.0], [3.0]])["level"][:, -1], ends[0] * np.array([1, 2, 3]), rtol=1e-12)
    other = pickle.loads(pickle.dumps(sd.compile_model(noisy, save=["level"], seed=9)))  # noqa: S301 - made here
    np.testing.assert_allclose(other()["level"], sd.simulate(noisy, seed=9)["level"], rtol=1e-12)


def test_the_noise_of_a_module_of_webassembly(noisy, ends):
    """The page of the explorer sets the number of the member."""
    instance = WasmInstance(sd.compile_wasm(noisy, save=["level"]))
    for member in (0, 7):
        assert instance.run(member=member)[1][0][-1] == pytest.approx(ends[member], rel=1e-12)
    assert sd.compile_wasm(tiny_model("a = 1")).description["random"] == {}


def test_bytes_are_the_same_for_any_split_between_processes(tmp_path, many, monkeypatch):
    """In one process, in two, and in two that go on with half an ensemble; of noise alone, and with sampled constants."""
    monkeypatch.setattr(ensembles, "_MAX_BLOCK", 16)
    gain = Variation("gain", (), Distribution("RANDOM_UNIFORM", (1.0, 2.0)))
    sampled = sd.make_design(many, Sampling("multivariate", variations=(gain,)), count=70)

    def stop(done: int, _: int) -> None:
        if done:
            raise InterruptedError

    with sd.WorkerProcesses(2) as workers:
        for name, design in (("noise", sd.make_design(many, count=70)), ("sampled", sampled)):
            whole = sd.open_run(sd.run_ensemble(many, design, tmp_path / f"{name}.zarr", seed=7, save=NAMES)).load()
            options = {"seed": 7, "save": NAMES}
            shared = sd.run_ensemble(many, design, tmp_path / f"{name}-2.zarr", executor=workers, **options)
            _same(whole, sd.open_run(shared))
            _same(whole, sd.simulate(many, design.dataset(), executor=workers, **options))
            path = tmp_path / f"{name}-3.zarr"
            with pytest.raises(InterruptedError):
                sd.run_ensemble(many, design, path, progress=stop, executor=workers, **options)
            assert 0 < ensemble_record(path)[0]["members_done"] < 70
            _same(whole, sd.open_run(sd.run_ensemble(many, design, path, resume=True, threads=1, **options)))


def test_a_module_of_webassembly_draws_the_same_numbers(many, alone):
    assert wasm_difference(many, alone) < 1e-12


def test_distributions_agree_as_webassembly(run):
    assert wasm_difference(tiny_model(_equations(), final=20), run.isel(time=slice(0, 21))) < 1e-12


def test_what_must_be_known_before_a_run_takes_the_median():
    """Such as the delay time that decides the order of a delay."""
    medians = {"RANDOM NORMAL(0, 8, 4, 1, 0)": 4, "RANDOM UNIFORM(2, 4, 0)": 3, "RANDOM PINK NOISE(5, 1, 1, 0)": 5,
               "RANDOM GAMMA(0, 99, 2, 0, 1, 0)": stats.gamma(2).median(), "RANDOM BETA(0, 1, 2, 2, 0, 1, 0)": 0.5,
               "RANDOM POISSON(0, 99, 4, 0, 1, 0)": 4, "RANDOM TRIANGULAR(0, 9, 0, 1, 2, 0)": 1}  # fmt: skip
    for call, expected in medians.items():
        found = Start(tiny_model(f"x = {call}")).read(Cell("x"))
        assert found == pytest.approx(expected, rel=1e-12), call


def test_random_models_can_be_pickled(many, alone):
    _same(sd.simulate(pickle.loads(pickle.dumps(many))), alone)  # noqa: S301 - made here


def test_every_random_function_of_the_table_is_tested_here():
    tested = {f"RANDOM {name}" for name in LAWS} | {"RANDOM 0 1", "RANDOM PINK NOISE"}
    assert tested == {name for name, row in FUNCTIONS.items() if row.draws}
    assert all(isinstance(FUNCTIONS[name].arrays, Absent) for name in tested)


def test_wrong_arguments_name_the_right_ones():
    with pytest.raises(
        ModelError,
        match=r"RANDOM NORMAL takes 5 arguments, not 3; write RANDOM NORMAL\(min, max, mean, deviation, stream\)",
    ):
        tiny_model("x = RANDOM NORMAL(0, 1, 2)")
