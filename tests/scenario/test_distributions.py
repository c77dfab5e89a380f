"""Distributions: each against SciPy's of the same law, cut at the bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from sdmodel.scenario import DISTRIBUTIONS, Distribution, Steps, signature, wrong_with

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
"""An example of every distribution, with SciPy's of the same law before it is cut."""
CONTINUOUS = [
    name for name, (_, law) in LAWS.items() if hasattr(law, "pdf") and isinstance(law.dist, stats.rv_continuous)
]
COUNTED = [name for name in LAWS if name not in CONTINUOUS]


def distribution(name):
    points = {"lookup": "tent", "points": TENT} if name == "RANDOM_LOOKUP" else {}
    return Distribution(name, LAWS[name][0], **points)


def part_below(name, x):
    """The part of a continuous law, cut at its bounds, that lies below x."""
    (low, high, *_), law = LAWS[name]
    return (law.cdf(x) - law.cdf(low)) / (law.cdf(high) - law.cdf(low))


def test_every_distribution_of_the_table_is_held_against_scipy():
    """A new row needs its own example here."""
    assert set(LAWS) == set(DISTRIBUTIONS)
    assert len(COUNTED) == 3
    assert not [name for name in LAWS if wrong_with(distribution(name))]


@pytest.mark.parametrize("name", CONTINUOUS)
@given(u=st.floats(0, 1, exclude_max=True))
@example(u=0.0)
@example(u=math.nextafter(1, 0))
def test_the_quantile_inverts_the_distribution_function_cut_at_the_bounds(name, u):
    """As much lies below the value as was asked for, and it never leaves the bounds."""
    drawn = distribution(name)
    x = drawn.quantile(np.array([u]))
    assert drawn.minimum <= x[0] <= drawn.maximum
    assert part_below(name, x)[0] == pytest.approx(u, abs=1e-8 if name == "RANDOM_LOOKUP" else 1e-12)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_density_is_that_of_the_law_over_the_part_within_the_bounds(name):
    """Against SciPy's density; outside of the bounds there is none, and over all it comes to one."""
    (low, high, *_), law = LAWS[name]
    drawn = distribution(name)
    x = np.linspace(low, high, 103)[1:-1]
    expected = law.logpdf(x) - math.log(law.cdf(high) - law.cdf(low))
    np.testing.assert_allclose(drawn.log_density(x), expected, rtol=1e-7, atol=1e-9)
    assert (drawn.log_density(np.array([low - 1e-9, high + 1e-9])) == -np.inf).all()
    total, _ = integrate.quad(lambda each: math.exp(drawn.log_density(np.array([each]))[0]), low, high, limit=200)
    assert total == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("name", COUNTED)
def test_whole_numbers_have_the_chances_of_the_law_over_those_within_the_bounds(name):
    """Chances by SciPy, of the numbers that the bounds let through, made to come to one; nothing between them."""
    (low, high, *_), law = LAWS[name]
    drawn = distribution(name)
    numbers = np.arange(low, high + 1)
    chances = law.pmf(numbers) / law.pmf(numbers).sum()
    np.testing.assert_allclose(np.exp(drawn.log_density(numbers)), chances, rtol=1e-10)
    assert (drawn.log_density(np.array([low - 1, low + 0.5, high + 1])) == -np.inf).all()


@pytest.mark.parametrize("name", COUNTED)
@given(u=st.floats(0, 1, exclude_max=True))
@example(u=0.0)
@example(u=math.nextafter(1, 0))
def test_the_quantile_of_whole_numbers_is_the_first_with_more_below_it_than_asked(name, u):
    """The least value at which the summed chances exceed the part."""
    drawn = distribution(name)
    numbers = np.arange(drawn.minimum, drawn.maximum + 1)
    summed = np.cumsum(np.exp(drawn.log_density(numbers)))
    found = drawn.quantile(np.array([u]))[0]
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
    """The smaller of the parts on either side of a value is the right one to nine digits, by the error function."""
    high = low + width
    drawn = Distribution("RANDOM_NORMAL", (low, high, 0.0, 1.0))
    x = float(drawn.quantile(np.array([u]))[0])

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


def test_a_part_that_ends_at_a_whole_number_belongs_to_the_next():
    """Half of a fair coin's throws lie below the half, so that the half itself is the other side."""
    coin = Distribution("RANDOM_BINOMIAL", (0.0, 1.0, 0.5, 1.0, 0.0, 1.0))
    assert coin.quantile(np.array([0.0, 0.4999, 0.5, 0.9999])).tolist() == [0, 0, 1, 1]


def test_values_are_shifted_after_they_are_stretched():
    """Twice the values of the standard law, and three."""
    u = np.linspace(0.01, 0.99, 9)
    plain = Distribution("RANDOM_WEIBULL", (0.0, 50.0, 2.0, 0.0, 1.0)).quantile(u)
    moved = Distribution("RANDOM_WEIBULL", (3.0, 103.0, 2.0, 3.0, 2.0)).quantile(u)
    np.testing.assert_allclose(moved, 3 + 2 * plain, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "own"), [("RANDOM_EXPONENTIAL", ()), ("RANDOM_GAMMA", (4.0,)), ("RANDOM_WEIBULL", (0.8,))]
)
def test_laws_that_start_at_zero_have_mean_one(name, own):
    """As Vensim's manual says of its exponential, gamma and Weibull."""
    drawn = Distribution(name, (0.0, 1e6, *own, 0.0, 1.0))
    mean, _ = integrate.quad(lambda u: drawn.quantile(np.array([u]))[0], 0, 1, limit=400)
    assert mean == pytest.approx(1, abs=2e-4)


def test_a_lookup_with_a_tent_is_the_triangular_distribution():
    """Two ways to say the same."""
    u = np.linspace(0, 0.999, 50)
    tent = Distribution("RANDOM_LOOKUP", (1.5, 6.0, 0.0, 1.0), "tent", ((1.0, 0.0), (2.0, 7.0), (7.0, 0.0)))
    triangle = Distribution("RANDOM_TRIANGULAR", (1.5, 6.0, 1.0, 2.0, 7.0))
    np.testing.assert_allclose(tent.quantile(u), triangle.quantile(u), rtol=1e-12)
    np.testing.assert_allclose(tent.log_density(u + 2), triangle.log_density(u + 2), rtol=1e-12)


@pytest.mark.parametrize("corners", [(0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (0.0, 0.5, 1.0)], ids=str)
def test_a_triangle_may_have_its_peak_at_either_end(corners):
    """Against SciPy's, whole."""
    drawn = Distribution("RANDOM_TRIANGULAR", (0.0, 1.0, *corners))
    u = np.linspace(0, 0.99, 34)
    np.testing.assert_allclose(drawn.quantile(u), stats.triang(corners[1]).ppf(u), atol=1e-14)
    x = np.linspace(0.01, 0.99, 9)
    np.testing.assert_allclose(drawn.log_density(x), stats.triang(corners[1]).logpdf(x), rtol=1e-12)


@given(st.floats(-100, 100), st.integers(0, 400), st.floats(0.001, 10))
def test_steps_run_from_one_bound_to_the_other(low, count, step):
    """As many as fit, the maximum among them where a whole number of steps meets it."""
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
def test_what_has_no_values_is_told_with_its_cure(case):
    """A reason and what to do."""
    told = wrong_with(Distribution(*case))
    assert WRONG[case] in told
    assert "; " in told


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_wrong_number_of_arguments_is_answered_with_the_signature(name):
    """Every distribution tells how it is written."""
    told = wrong_with(Distribution(name, (0.0, 1.0, *[1.0] * 7)))
    assert told.endswith(f"write {signature(name)}")
    assert signature(name).startswith(f"{name}(min,max")


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (((0.0, 1.0),), "fewer than two"),
        (((0.0, 1.0), (1.0, -1.0)), "below zero"),
        (((0.0, 0.0), (1.0, 0.0)), "zero everywhere"),
    ],
)
def test_a_lookup_must_be_a_density(points, told):
    """Nothing below zero, and something above it."""
    assert told in wrong_with(Distribution("RANDOM_LOOKUP", (0.0, 1.0, 0.0, 1.0), "f", points))


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (Steps(1, 0, 1), "is above the maximum"),
        (Steps(0, 1, 0), "give a number above 0"),
        (Steps(0, 1, 1e-9), "larger increment"),
        (Steps(0, math.nan, 1), "not finite"),
    ],
    ids=str,
)
def test_steps_that_lead_nowhere_are_refused(steps, told):
    """A fault instead of a loop without an end."""
    assert told in wrong_with(steps)


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.floats(-3, 10), st.integers(0, 30).map(float), st.floats(0, 1)
)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@given(data=st.data())
def test_whatever_is_accepted_has_values(name, data):
    """Finite, rising with the part asked for, within the bounds and of some density; anything else is told beforehand."""
    low, high = sorted(data.draw(st.tuples(NUMBERS, NUMBERS)))
    count = len(DISTRIBUTIONS[name].parameters)
    own = data.draw(st.lists(NUMBERS, min_size=count, max_size=count))
    own = sorted(own) if name == "RANDOM_TRIANGULAR" else own
    points = data.draw(st.lists(st.tuples(NUMBERS, NUMBERS.map(abs)), min_size=2, max_size=4))
    drawn = Distribution(name, (low, high, *own), points=tuple(points) if name == "RANDOM_LOOKUP" else ())
    if wrong_with(drawn):
        return
    values = drawn.quantile(np.array([0.0, 1e-16, 0.25, 0.5, 0.75, math.nextafter(1, 0)]))
    assert np.isfinite(values).all()
    assert (np.diff(values) >= -1e-12 * np.abs(values).max()).all()
    assert low <= values.min() <= values.max() <= high
    assert not np.isnan(drawn.log_density(values)).any()
