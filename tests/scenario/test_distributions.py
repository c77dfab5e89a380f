"""Distributions, each compared with the same distribution of SciPy, truncated to the bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from sdmodel.scenario import DISTRIBUTIONS, Distribution, Steps, distribution_fault, distribution_syntax

TENT = ((0.0, 0.0), (1.0, 2.0), (4.0, 0.5), (6.0, 0.0))


def _tent():
    """SciPy's version of a piecewise linear density, from its integral by quadrature."""

    class Tent(stats.rv_continuous):
        def _pdf(self, x):
            xs, ys = np.array(TENT).T
            return np.interp(x, xs, ys) / np.trapezoid(ys, xs)

        def _cdf(self, x):
            xs = np.linspace(0, 6, 60001)
            return np.interp(x, xs, integrate.cumulative_trapezoid(self._pdf(xs), xs, initial=0))

    return Tent(a=0, b=6)


def weibull(shape, shift, stretch):
    return stats.weibull_min(shape, loc=shift, scale=stretch / special.gamma(1 + 1 / shape))


LAWS = {
    "RANDOM_UNIFORM": ((-2.0, 3.0), stats.uniform(-2, 5)),
    "RANDOM_NORMAL": ((-1.0, 4.0, 1.0, 2.0), stats.norm(1, 2)),
    "RANDOM_TRIANGULAR": ((2.2, 5.0, 2.0, 3.5, 4.5), stats.triang(0.6, 2, 2.5)),
    "RANDOM_EXPONENTIAL": ((0.5, 9.0, 0.25, 2.0), stats.expon(0.25, 2)),
    "RANDOM_GAMMA": ((0.5, 9.0, 3.0, 0.25, 2.0), stats.gamma(3, 0.25, 2 / 3)),
    "RANDOM_BETA": ((1.5, 3.5, 2.0, 5.0, 1.0, 3.0), stats.beta(2, 5, 1, 3)),
    "RANDOM_WEIBULL": ((0.5, 9.0, 1.7, 0.25, 2.0), weibull(1.7, 0.25, 2)),
    "RANDOM_LOOKUP": ((1.0, 11.0, 0.5, 2.0), _tent()(loc=0.5, scale=2)),
    "RANDOM_BINOMIAL": ((2.0, 9.0, 0.4, 12.0, 0.0, 1.0), stats.binom(12, 0.4)),
    "RANDOM_NEGATIVE_BINOMIAL": ((4.0, 20.0, 0.4, 3.0, 0.0, 1.0), stats.nbinom(3, 0.4, loc=3)),
    "RANDOM_POISSON": ((1.0, 12.0, 5.0, 0.0, 1.0), stats.poisson(5)),
}
"""An example of every distribution, with SciPy's of the same law before truncation."""
CONTINUOUS = [
    name for name, (_, law) in LAWS.items() if hasattr(law, "pdf") and isinstance(law.dist, stats.rv_continuous)
]
COUNTED = [name for name in LAWS if name not in CONTINUOUS]


def distribution(name):
    points = {"lookup": "tent", "points": TENT} if name == "RANDOM_LOOKUP" else {}
    return Distribution(name, LAWS[name][0], **points)


def part_below(name, x):
    """The share of a truncated continuous distribution below x."""
    (low, high, *_), law = LAWS[name]
    return (law.cdf(x) - law.cdf(low)) / (law.cdf(high) - law.cdf(low))


def test_every_distribution_of_the_table_is_compared_with_scipy():
    """A new row needs its own example here."""
    assert set(LAWS) == set(DISTRIBUTIONS)
    assert len(COUNTED) == 3
    assert not [name for name in LAWS if distribution_fault(distribution(name))]


@pytest.mark.parametrize("name", CONTINUOUS)
@given(u=st.floats(0, 1, exclude_max=True))
@example(u=0.0)
@example(u=math.nextafter(1, 0))
def test_quantiles_invert_the_truncated_distribution_function(name, u):
    """The share below a quantile is the requested one, and quantiles never leave the bounds."""
    truncated = distribution(name)
    x = truncated.quantile(np.array([u]))
    assert truncated.minimum <= x[0] <= truncated.maximum
    assert part_below(name, x)[0] == pytest.approx(u, abs=1e-8 if name == "RANDOM_LOOKUP" else 1e-12)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_density_is_normalised_within_the_bounds(name):
    """SciPy's density divided by the probability within the bounds; zero outside; the integral is one."""
    (low, high, *_), law = LAWS[name]
    truncated = distribution(name)
    x = np.linspace(low, high, 103)[1:-1]
    expected = law.logpdf(x) - math.log(law.cdf(high) - law.cdf(low))
    np.testing.assert_allclose(truncated.log_density(x), expected, rtol=1e-7, atol=1e-9)
    assert (truncated.log_density(np.array([low - 1e-9, high + 1e-9])) == -np.inf).all()
    total, _ = integrate.quad(lambda x: math.exp(truncated.log_density(np.array([x]))[0]), low, high, limit=200)
    assert total == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("name", COUNTED)
def test_probabilities_of_whole_numbers_are_normalised_within_the_bounds(name):
    """SciPy's probabilities of the numbers within the bounds, scaled to one; zero between whole numbers."""
    (low, high, *_), law = LAWS[name]
    truncated = distribution(name)
    numbers = np.arange(low, high + 1)
    chances = law.pmf(numbers) / law.pmf(numbers).sum()
    np.testing.assert_allclose(np.exp(truncated.log_density(numbers)), chances, rtol=1e-10)
    assert (truncated.log_density(np.array([low - 1, low + 0.5, high + 1])) == -np.inf).all()


@pytest.mark.parametrize("name", COUNTED)
@given(u=st.floats(0, 1, exclude_max=True))
@example(u=0.0)
@example(u=math.nextafter(1, 0))
def test_the_quantile_of_whole_numbers_is_the_first_whose_sum_exceeds_the_share(name, u):
    """The smallest value at which the summed probabilities exceed the share."""
    truncated = distribution(name)
    numbers = np.arange(truncated.minimum, truncated.maximum + 1)
    summed = np.cumsum(np.exp(truncated.log_density(numbers)))
    found = truncated.quantile(np.array([u]))[0]
    at = int(np.flatnonzero(numbers == found)[0])
    assert summed[at] > u - 1e-12
    assert at == 0 or summed[at - 1] <= u + 1e-12


@given(
    st.floats(-30, 30),
    st.floats(0.01, 30),
    st.floats(0, 1, exclude_max=True),
)
@example(25.0, 5.0, 0.5)
@example(-0.5, 7.0, math.nextafter(1, 0))
def test_a_tail_of_the_normal_keeps_its_digits(low, width, u):
    """The smaller tail at a quantile is right to nine digits, by the error function."""
    high = low + width
    truncated = Distribution("RANDOM_NORMAL", (low, high, 0.0, 1.0))
    x = float(truncated.quantile(np.array([u]))[0])

    def above(z):
        return math.erfc(z / math.sqrt(2)) / 2

    mass = 1 - above(-low) - above(high)
    if low > 0:
        mass = above(low) - above(high)
    elif high < 0:
        mass = above(-high) - above(-low)
    if x > 0:
        assert above(x) == pytest.approx(above(high) + (1 - u) * mass, rel=1e-9, abs=0)
    else:
        assert above(-x) == pytest.approx(above(-low) + u * mass, rel=1e-9, abs=0)


def test_a_share_at_a_step_belongs_to_the_next_whole_number():
    """Half of a fair coin's throws lie below one half, so one half itself is the other side."""
    coin = Distribution("RANDOM_BINOMIAL", (0.0, 1.0, 0.5, 1.0, 0.0, 1.0))
    assert coin.quantile(np.array([0.0, 0.4999, 0.5, 0.9999])).tolist() == [0, 0, 1, 1]


def test_values_are_stretched_and_then_shifted():
    """Twice the standard values, plus three."""
    u = np.linspace(0.01, 0.99, 9)
    plain = Distribution("RANDOM_WEIBULL", (0.0, 50.0, 2.0, 0.0, 1.0)).quantile(u)
    moved = Distribution("RANDOM_WEIBULL", (3.0, 103.0, 2.0, 3.0, 2.0)).quantile(u)
    np.testing.assert_allclose(moved, 3 + 2 * plain, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "own"), [("RANDOM_EXPONENTIAL", ()), ("RANDOM_GAMMA", (4.0,)), ("RANDOM_WEIBULL", (0.8,))]
)
def test_distributions_from_zero_have_mean_one(name, own):
    """As Vensim's manual states for its exponential, gamma and Weibull."""
    truncated = Distribution(name, (0.0, 1e6, *own, 0.0, 1.0))
    mean, _ = integrate.quad(lambda u: truncated.quantile(np.array([u]))[0], 0, 1, limit=400)
    assert mean == pytest.approx(1, abs=2e-4)


def test_a_tent_shaped_lookup_is_the_triangular_distribution():
    """Two ways to write the same distribution."""
    u = np.linspace(0, 0.999, 50)
    tent = Distribution("RANDOM_LOOKUP", (1.5, 6.0, 0.0, 1.0), "tent", ((1.0, 0.0), (2.0, 7.0), (7.0, 0.0)))
    triangle = Distribution("RANDOM_TRIANGULAR", (1.5, 6.0, 1.0, 2.0, 7.0))
    np.testing.assert_allclose(tent.quantile(u), triangle.quantile(u), rtol=1e-12)
    np.testing.assert_allclose(tent.log_density(u + 2), triangle.log_density(u + 2), rtol=1e-12)


@pytest.mark.parametrize("corners", [(0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (0.0, 0.5, 1.0)], ids=str)
def test_a_triangle_can_have_its_peak_at_either_end(corners):
    """Compared with SciPy's untruncated triangle."""
    truncated = Distribution("RANDOM_TRIANGULAR", (0.0, 1.0, *corners))
    u = np.linspace(0, 0.99, 34)
    np.testing.assert_allclose(truncated.quantile(u), stats.triang(corners[1]).ppf(u), atol=1e-14)
    x = np.linspace(0.01, 0.99, 9)
    np.testing.assert_allclose(truncated.log_density(x), stats.triang(corners[1]).logpdf(x), rtol=1e-12)


@given(st.floats(-100, 100), st.integers(0, 400), st.floats(0.001, 10))
def test_steps_run_from_one_bound_to_the_other(low, count, step):
    """As many as fit; the maximum is included where a whole number of steps meets it."""
    values = Steps(low, low + count * step, step).values
    assert len(values) == count + 1
    assert values[0] == low
    assert values[-1] == pytest.approx(low + count * step, rel=1e-12, abs=1e-9)
    short = Steps(low, low + (count + 0.5) * step, step)
    assert short.count == count + 1


WRONG = {
    ("RANDOM_UNIFORM", (2.0, 1.0)): "the minimum 2 is not below the maximum 1",
    ("RANDOM_UNIFORM", (1.0, 1.0)): "the minimum 1 is not below",
    ("RANDOM_UNIFORM", (1.0, math.inf)): "not finite",
    ("RANDOM_NORMAL", (0.0, 1.0, 0.5, 0.0)): "sd is 0; give a number above 0",
    ("RANDOM_NORMAL", (0.0, 1.0, 500.0, 1.0)): "has no value between 0 and 1; widen",
    ("RANDOM_TRIANGULAR", (0.0, 9.0, 1.0, 5.0, 4.0)): "peak 5 lies outside of start 1 and stop 4",
    ("RANDOM_TRIANGULAR", (0.0, 9.0, 4.0, 4.0, 4.0)): "start 4 is not below stop 4",
    ("RANDOM_TRIANGULAR", (0.0, 1.0, 0.0, 2.0, 1e160)): "start 0 and stop 1e+160 are too far apart",
    ("RANDOM_TRIANGULAR", (0.0, 1.0, 4.0, 5.0, 6.0)): "has no value between 0 and 1",
    ("RANDOM_GAMMA", (0.0, 1.0, 0.5, 0.0, 1.0)): "order is 0.5",
    ("RANDOM_BETA", (0.0, 1.0, 0.0, 1.0, 0.0, 1.0)): "A is 0",
    ("RANDOM_BETA", (0.0, 1.0, 1.0, 1.0, 0.0, -1.0)): "stretch is -1",
    ("RANDOM_POISSON", (0.0, 9.0, 0.0, 0.0, 1.0)): "mean is 0",
    ("RANDOM_BINOMIAL", (0.0, 9.0, 1.5, 3.0, 0.0, 1.0)): "P is 1.5",
    ("RANDOM_BINOMIAL", (0.0, 9.0, 0.5, 2.5, 0.0, 1.0)): "N is 2.5",
    ("RANDOM_BINOMIAL", (0.2, 0.8, 0.5, 2.0, 0.0, 1.0)): "has no value between 0.2 and 0.8",
    ("RANDOM_NEGATIVE_BINOMIAL", (0.0, 9.0, 0.0, 2.0, 0.0, 1.0)): "P is 0",
    ("RANDOM_WEIBULL", (0.0, 9.0, -1.0, 0.0, 1.0)): "shape is -1",
}


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_distributions_without_values_are_reported(case):
    """The reason and what to do."""
    message = distribution_fault(Distribution(*case))
    assert WRONG[case] in message
    assert "; " in message


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_wrong_number_of_arguments_is_reported_with_the_syntax(name):
    """The message shows how the distribution is written."""
    message = distribution_fault(Distribution(name, (0.0, 1.0, *[1.0] * 7)))
    assert message.endswith(f"write {distribution_syntax(name)}")
    assert distribution_syntax(name).startswith(f"{name}(min,max")


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (((0.0, 1.0),), "fewer than two"),
        (((0.0, 1.0), (1.0, -1.0)), "below zero"),
        (((0.0, 0.0), (1.0, 0.0)), "zero everywhere"),
        (((0.0, 1.0), (1e101, 1.0)), "points too far out"),
        (((0.0, 1.0), (1e-171, 0.0), (1.0, 0.0)), "points too close together"),
    ],
)
def test_a_lookup_must_be_a_density(points, message):
    """No point below zero, and at least one above."""
    assert message in distribution_fault(Distribution("RANDOM_LOOKUP", (0.0, 1.0, 0.0, 1.0), "f", points))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (Steps(1, 0, 1), "is above the maximum"),
        (Steps(0, 1, 0), "give a number above 0"),
        (Steps(0, 1, 1e-9), "larger increment"),
        (Steps(0, math.nan, 1), "not finite"),
    ],
    ids=str,
)
def test_impossible_steps_are_refused(steps, message):
    """A fault instead of an endless loop."""
    assert message in distribution_fault(steps)


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.floats(-3, 10), st.integers(0, 30).map(float), st.floats(0, 1)
)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@given(data=st.data())
def test_accepted_distributions_have_values(name, data):
    """Finite, increasing with the share, within the bounds and with a density; everything else is refused before."""
    low, high = sorted(data.draw(st.tuples(NUMBERS, NUMBERS)))
    count = len(DISTRIBUTIONS[name].parameters)
    own = data.draw(st.lists(NUMBERS, min_size=count, max_size=count))
    own = sorted(own) if name == "RANDOM_TRIANGULAR" else own
    points = data.draw(st.lists(st.tuples(NUMBERS, NUMBERS.map(abs)), min_size=2, max_size=4))
    truncated = Distribution(name, (low, high, *own), points=tuple(points) if name == "RANDOM_LOOKUP" else ())
    if distribution_fault(truncated):
        return
    values = truncated.quantile(np.array([0.0, 1e-16, 0.25, 0.5, 0.75, math.nextafter(1, 0)]))
    assert np.isfinite(values).all()
    assert (np.diff(values) >= -1e-12 * np.abs(values).max()).all()
    assert low <= values.min() <= values.max() <= high
    assert not np.isnan(truncated.log_density(values)).any()
