"""Sensitivity analysis: closed forms, properties of linear models, and errors."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import sdmodel as sd
from sdmodel.analysis import IMPORTANCE, factors_of, responses_of
from sdmodel.analysis.sensitivity import _doubt, make_experiment
from sdmodel.comparison import Outcome
from sdmodel.errors import AnalysisError, DatasetError, ScenarioError
from sdmodel.model import Model
from sdmodel.scenario import Distribution, Sampling, Scenario, Steps, Variation
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_change

ISHIGAMI = tiny_model(
    """y = SIN(a) + 7*SIN(b)*SIN(b) + 0.1*c*c*c*c*SIN(a)
    a = 0
    b = 0
    c = 0""".replace("    ", ""),
    final=1,
)
LINE = tiny_model("x = INTEG(p*a + q*b + r*c, 0)\np = 1\nq = 1\nr = 1\na = 0\nb = 0\nc = 0", final=4)
SUM = tiny_model("y = a + b + 0*Time\na = 1\nb = 2", final=1)
ROOT = tiny_model("y = SQRT(a) + b\na = 1\nb = 1", final=1)
HILL = tiny_model("y = a*(1 - a) + 0*b + 3\na = 0.25\nb = 1\nidle = 1", final=1)


def _uniform(**bounds: tuple[float, float]) -> Sampling:
    """Constants that vary uniformly between bounds."""
    return _sampling(**{name: Distribution("RANDOM_UNIFORM", ends) for name, ends in bounds.items()})


def _sampling(**laws: Distribution | Steps) -> Sampling:
    return Sampling("multivariate", variations=tuple(Variation(name, (), law) for name, law in laws.items()))


def _changed(*texts: str) -> Scenario:
    return Scenario("", tuple(read_change(text) for text in texts))


def test_sobol_indices_of_the_ishigami_function_match_the_closed_form():
    """Ishigami and Homma (1990): the variance 1/2 + a^2/8 + b pi^4/5 + b^2 pi^8/18 consists of V1, V2 and V13."""
    found = sd.find_sensitivities(
        ISHIGAMI,
        "y",
        method="sobol",
        sampling=_uniform(a=(-np.pi, np.pi), b=(-np.pi, np.pi), c=(-np.pi, np.pi)),
        samples=2048,
        second_order=True,
    ).isel(outcome=0)
    first = 0.5 * (1 + 0.1 * np.pi**4 / 5) ** 2
    second = 49 / 8
    both = 0.01 * np.pi**8 * (1 / 18 - 1 / 50)
    variance = first + second + both
    assert float(found["sd"]) == pytest.approx(np.sqrt(variance), rel=0.01)
    assert float(found["mean"]) == pytest.approx(3.5, abs=0.01)
    assert found["S1"].values == pytest.approx([first / variance, second / variance, 0], abs=0.03)
    assert found["ST"].values == pytest.approx(
        [(first + both) / variance, second / variance, both / variance], abs=0.03
    )
    assert float(found["S2"].sel(parameter="a", other="c")) == pytest.approx(both / variance, abs=0.05)
    assert found["rank"].values.tolist() == [1, 2, 3]
    assert found.attrs["runs"] == 2048 * 8 + 1
    total, half = float(found["S1_sum"]), float(found["S1_sum_conf"])
    assert total == pytest.approx(float(found["S1"].sum()), abs=1e-9)
    assert abs(total - (first + second) / variance) < half < 0.1
    assert str(found["doubt"].values) == ""


def test_sobol_indices_of_few_samples_are_doubtful():
    """Eight samples cannot tell three shares apart; the reason is given."""
    laws = _uniform(a=(-np.pi, np.pi), b=(-np.pi, np.pi), c=(-np.pi, np.pi))
    found = sd.find_sensitivities(ISHIGAMI, "y", method="sobol", sampling=laws, samples=8).isel(outcome=0)
    assert "wider than its value" in str(found["doubt"].values)


@pytest.mark.parametrize(
    ("total", "half", "largest", "reason"),
    [
        (1.3, 0.2, (0.9, 0.1), "the S1 add up to 1.30 ± 0.20, more than 1"),
        (-0.3, 0.2, (0.9, 0.1), "the S1 add up to -0.30 ± 0.20, less than 0"),
        (0.9, 0.2, (0.5, 0.3), "the 95 % interval of the largest ST is wider than its value"),
        (0.6, 0.4, (0.9, 0.1), "the 95 % interval of the sum of S1 is wider than its value"),
        (1.1, 0.2, (0.9, 0.1), ""),
        (0.1, 0.2, (0.9, 0.1), ""),
    ],
)
def test_shares_that_cannot_be_are_not_credible(total: float, half: float, largest: tuple[float, float], reason: str):
    """Shares are between 0 and 1 within their intervals; where the constants act together, S1 may be near 0."""
    share, interval = largest
    measures = {
        "S1_sum": total,
        "S1_sum_conf": half,
        "ST": np.array([0.1, share]),
        "ST_conf": np.array([0.1, interval]),
    }
    assert _doubt(measures) == reason


slopes = st.floats(-5, 5).filter(lambda slope: abs(slope) > 0.01)


@settings(max_examples=6, deadline=None)
@given(st.tuples(slopes, slopes, slopes), st.tuples(*[st.floats(0.1, 10)] * 3), st.sampled_from([2, 4, 6]))
def test_every_method_finds_slope_times_range_in_a_linear_model(slopes, widths, levels):
    """Effects are the same everywhere, so sigma is zero and variances add up."""
    scenario = _changed(*(f"{name} = {value!r}" for name, value in zip("pqr", slopes, strict=True)))
    bounds = {name: (1.0, 1.0 + width) for name, width in zip("abc", widths, strict=True)}
    options = {"sampling": _uniform(**bounds), "scenario": scenario}
    effects = 4 * np.array(slopes) * widths
    small = 1e-9 * np.abs(effects).max()
    tornado = sd.find_sensitivities(LINE, "x", **options).isel(outcome=0)
    assert tornado["swing"].values == pytest.approx(np.abs(effects))
    assert (tornado["high"] - tornado["low"]).values == pytest.approx(effects)
    assert not tornado["bent"].any()
    morris = sd.find_sensitivities(LINE, "x", method="morris", trajectories=4, levels=levels, **options).isel(outcome=0)
    assert morris["mu"].values == pytest.approx(effects, rel=1e-6, abs=small)
    assert morris["mu_star"].values == pytest.approx(np.abs(effects), rel=1e-6, abs=small)
    assert morris["sigma"].values == pytest.approx([0, 0, 0], abs=small)
    sobol = sd.find_sensitivities(LINE, "x", method="sobol", samples=256, **options).isel(outcome=0)
    shares = effects**2 / np.sum(effects**2)
    assert sobol["S1"].values == pytest.approx(shares, abs=0.04)
    assert sobol["ST"].values == pytest.approx(shares, abs=0.04)
    for found in (tornado, morris, sobol):
        measure = found[found.attrs["importance"]].values
        assert np.all(np.diff(measure[np.argsort(found["rank"].values)]) <= 0)


def test_sobol_samples_each_constant_from_its_distribution():
    """The variance of a sum is the sum of the variances; steps are equally likely."""
    laws = {"a": Distribution("RANDOM_TRIANGULAR", (0, 6, 0, 0, 6)), "b": Steps(1, 4, 1)}
    found = sd.find_sensitivities(SUM, "y", method="sobol", samples=2048, sampling=_sampling(**laws)).isel(outcome=0)
    variances = np.array([36 / 18, 15 / 12])
    assert found["S1"].values == pytest.approx(variances / variances.sum(), abs=0.02)
    assert float(found["sd"]) == pytest.approx(np.sqrt(variances.sum()), rel=0.01)
    assert float(found["mean"]) == pytest.approx(2 + 2.5, rel=0.01)


def test_ends_are_bounds_of_uniform_laws_and_quantiles_of_others():
    """Unlikely extremes would distort the ranking."""
    laws = {"a": Distribution("RANDOM_NORMAL", (-100, 100, 5, 2)), "b": Steps(1, 4, 1)}
    found = sd.find_sensitivities(SUM, "y", sampling=_sampling(**laws)).isel(outcome=0)
    assert found["low_value"].values == pytest.approx([5 - 1.6449 * 2, 1], abs=1e-3)
    assert found["high_value"].values == pytest.approx([5 + 1.6449 * 2, 4], abs=1e-3)
    assert found["swing"].values == pytest.approx([4 * 1.6449, 3], abs=1e-3)
    assert found["value"].values.tolist() == [1, 2]
    assert float(found["base"]) == 3


def test_a_peak_between_the_ends_counts():
    """It is marked as bent; a constant without effect has no swing."""
    found = sd.find_sensitivities(HILL, "y", sampling=_uniform(idle=(0, 1), b=(0, 2), a=(0, 1))).isel(outcome=0)
    hill = found.sel(parameter="a")
    assert (float(hill["low"]), float(hill["high"])) == (3, 3)
    assert (float(hill["least"]), float(hill["most"]), float(hill["swing"])) == (3, 3.25, 0.25)
    assert found["bent"].values.tolist() == [False, False, True]
    assert found["rank"].values.tolist() == [2, 3, 1]
    assert found["swing"].values[:2].tolist() == [0, 0]


@pytest.mark.parametrize("method", ["morris", "sobol"])
def test_only_the_seed_decides_random_numbers(method: str):
    """The analysis neither uses nor changes NumPy's global state."""
    options = {
        "method": method,
        "sampling": _uniform(a=(-3, 3), b=(-3, 3), c=(-3, 3)),
        "samples": 64,
        "trajectories": 5,
    }
    np.random.seed(1)  # noqa: NPY002 - the state that must not be used
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - the same
    first = sd.find_sensitivities(ISHIGAMI, "y", seed=7, **options)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002 - the same
    np.random.seed(2)  # noqa: NPY002 - the same
    xr.testing.assert_identical(first, sd.find_sensitivities(ISHIGAMI, "y", seed=7, **options))
    other = sd.find_sensitivities(ISHIGAMI, "y", seed=8, **options)
    measure = IMPORTANCE[method]
    assert not np.array_equal(first[measure], other[measure])
    fresh = [sd.find_sensitivities(ISHIGAMI, "y", seed=0, **options).attrs["seed"] for _ in range(2)]
    assert 0 not in fresh
    assert fresh[0] != fresh[1]


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 12))
def test_outcomes_do_not_depend_on_the_block_size(together: int):
    """Progress ends with all members."""
    factors = factors_of(ISHIGAMI, _uniform(a=(-3, 3), b=(-3, 3)), Scenario(""))
    experiment = make_experiment(
        ISHIGAMI, factors, responses_of(ISHIGAMI, ["y"], [Outcome(), Outcome("max"), Outcome(at=0.5)])
    )
    points = np.random.default_rng(3).uniform(-3, 3, (11, 2))
    calls: list[tuple[int, int]] = []
    found = experiment.run(points, together=together, progress=lambda done, count: calls.append((done, count)))
    assert np.array_equal(found, experiment.run(points))
    assert (calls[0], calls[-1]) == ((0, 11), (11, 11))


def test_the_simulation_ends_at_the_last_date():
    """The numbers are the same as those of whole runs."""
    sampling = _uniform(a=(0, 1), b=(1, 2))
    alone = sd.find_sensitivities(LINE, "x", Outcome(at=1.5), sampling=sampling)
    both = sd.find_sensitivities(LINE, "x", [1.5, "max"], sampling=sampling)
    assert alone["swing"].values[0].tolist() == both["swing"].values[0].tolist() == [1.5, 1.5]
    assert both["outcome"].values.tolist() == ["x at 1.5", "x, max"]


def test_constants_with_subscripts_vary_cell_by_cell():
    """With the names of the model."""
    model = tiny_model(
        "kind: one, two ~~|\nslope[kind] = 2, 3 ~ m [0,10] ~|\ny[kind] = slope[kind]*Time ~ m ~|", final=1
    )
    sampling = Sampling("multivariate", variations=(Variation("slope", (), Distribution("RANDOM_UNIFORM", (0, 10))),))
    found = sd.find_sensitivities(model, ["y[one]", "Y[ two ]"], sampling=sampling)
    assert found["parameter"].values.tolist() == ["slope[one]", "slope[two]"]
    assert found["outcome"].values.tolist() == ["y[one], last", "y[two], last"]
    assert found["swing"].values.tolist() == [[10, 0], [0, 10]]
    assert found["parameter_units"].values.tolist() == ["m", "m"]
    with pytest.raises(ScenarioError, match=r"'y' is 2 numbers at a time; name one of them, such as 'y\[one\]'"):
        sd.find_sensitivities(model, "y", sampling=sampling)


def test_one_constant_and_one_time_are_enough():
    """The smallest possible model."""
    still = tiny_model("x = INTEG(1, a)\na = 2", final=0)
    for method in IMPORTANCE:
        found = sd.find_sensitivities(still, "x", method=method, sampling=_uniform(a=(0, 4)), samples=64).isel(
            outcome=0
        )
        expected = {"tornado": 4, "morris": 4, "sobol": 1}[method]
        assert float(found[IMPORTANCE[method]][0]) == pytest.approx(expected, rel=0.05)


def test_an_outcome_that_does_not_vary_has_no_effects():
    """No shares of its variance, and no warning about 0/0."""
    options = {"sampling": _uniform(idle=(0, 1), b=(0, 1)), "samples": 16}
    assert np.isnan(sd.find_sensitivities(HILL, "y", method="sobol", second_order=True, **options)["ST"]).all()
    assert sd.find_sensitivities(HILL, "y", method="morris", **options)["mu_star"].values.tolist() == [[0, 0]]
    assert sd.find_sensitivities(HILL, "y", **options)["swing"].values.tolist() == [[0, 0]]


def test_a_few_runs_that_are_not_finite_are_left_out():
    """Sobol and Morris lose the samples that they belong to; more than a tenth is an error."""
    bad = _uniform(a=(-1, 1), b=(0, 1))
    tornado = sd.find_sensitivities(ROOT, "y", sampling=bad).isel(outcome=0)
    assert int(tornado["not_finite"]) == 2
    assert np.isnan(tornado["low"].values[0])
    assert float(tornado["swing"][0]) == 1
    for method in ("morris", "sobol"):
        with pytest.raises(AnalysisError, match="'y, last' is not finite in .* of .* runs, so that .* are lost"):
            sd.find_sensitivities(ROOT, "y", method=method, sampling=bad, samples=64)
    few = sd.find_sensitivities(ROOT, "y", method="sobol", sampling=_uniform(a=(-0.02, 1), b=(0, 1)), samples=256)
    assert 0 < int(few["not_finite"][0]) < 60
    assert few["S1"].values[0] == pytest.approx([0.4, 0.6], abs=0.06)  # variances 1/18 and 1/12
    options = {"method": "morris", "levels": 60, "trajectories": 200}
    hit = sd.find_sensitivities(ROOT, "y", sampling=_uniform(a=(-0.01, 1), b=(0, 1)), **options)
    assert int(hit["not_finite"][0]) > 0
    assert float(hit["mu"].values[0, 1]) == pytest.approx(1)


ERRORS = [
    ({"method": "guess"}, AnalysisError, "method is 'guess'; it must be one of tornado, morris, sobol"),
    ({"method": "sobol", "samples": 100}, AnalysisError, "samples: 100 is not a power of two, .*; give 64 or 128"),
    ({"method": "sobol", "samples": 1}, AnalysisError, "not a power of two, .*; give 2 or 4"),
    ({"method": "sobol", "samples": 2**26}, AnalysisError, "ask for fewer samples"),
    ({"method": "morris", "trajectories": 1}, AnalysisError, "give at least 2"),
    ({"method": "morris", "levels": 5}, AnalysisError, "levels: 5 is not an even number"),
    ({"outcomes": Outcome(at=99)}, DatasetError, "99 is outside the run"),
    ({"outcomes": 99}, DatasetError, "99 is outside the run"),
    ({"outcomes": "middle"}, DatasetError, "'middle' is not a statistic; choose one of last, min"),
    ({"outcomes": []}, AnalysisError, "no outcome is requested"),
    ({"names": []}, AnalysisError, "no outcome is requested"),
    ({"names": "z"}, ScenarioError, "--on: 'z' is not in the model; "),
    ({"names": "a"}, ScenarioError, "'a' is a constant, which does not vary"),
    ({"names": "y[one]"}, ScenarioError, "'y' has no subscripts; write its name alone"),
    ({"sampling": None}, ScenarioError, "no constant of a group 'Uncertainties' has a range"),
    ({"sampling": Sampling("file")}, AnalysisError, "a file of samples has no distributions; write a line such as"),
    ({"sampling": Sampling("grid")}, ScenarioError, "nothing is varied"),
    ({"sampling": _uniform(a=(2, 1))}, ScenarioError, "the minimum 2 is not below the maximum 1; write RANDOM_UNIFORM"),
    ({"sampling": _uniform(d=(1, 2))}, ScenarioError, "'d' is not in the model"),
    ({"scenario": _changed("y = 2")}, ScenarioError, "'y' is an auxiliary, not a constant"),
]


@pytest.mark.parametrize(("changes", "error", "message"), ERRORS, ids=[message[:40] for _, _, message in ERRORS])
def test_invalid_requests_are_reported(changes: dict, error: type[Exception], message: str):
    """As far as possible before anything is simulated."""
    options = {"names": "y", "sampling": _uniform(a=(0, 1), b=(0, 1))} | changes
    with pytest.raises(error, match=message):
        sd.find_sensitivities(SUM, **options)


@pytest.mark.parametrize("method", ["morris", "sobol"])
def test_a_missing_salib_is_reported(method: str, monkeypatch):
    """With the command that installs it; a tornado does not need it."""
    for part in ("sample", "analyze"):
        monkeypatch.setitem(sys.modules, f"SALib.{part}.{method}", None)
    with pytest.raises(AnalysisError) as caught:
        sd.find_sensitivities(SUM, "y", method=method, sampling=_uniform(a=(0, 1)))
    message = 'the method needs SALib, which is not installed; pip install "sdmodel[sensitivity]"'
    assert str(caught.value) == message
    assert sd.find_sensitivities(SUM, "y", sampling=_uniform(a=(0, 1)))["swing"].values.tolist() == [[1]]


def test_the_attributes_record_method_and_settings():
    """And the model."""
    model: Model = SUM
    found = sd.find_sensitivities(model, "y", method="morris", sampling=_uniform(a=(0, 1)), trajectories=3, seed=5)
    expected = {
        "model": model.path,
        "model_sha256": model.sha256,
        "method": "morris",
        "importance": "mu_star",
        "runs": 7,
    }
    expected |= {"trajectories": 3, "levels": 4, "seed": 5}
    assert expected.items() <= found.attrs.items()
