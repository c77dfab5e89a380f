"""Functions of whole arrays: properties that hold for any numbers, closed solutions, and Vensim's own output."""

from __future__ import annotations

import numpy as np
import pytest

from sdmodel.errors import ModelError
from sdmodel.model import without_subscripts
from sdmodel.simulation import NotFiniteWarning, simulate
from sdmodel.testing import tiny_model, wasm_difference

CHANCE = np.random.default_rng(7)
COUNT = 20
"""Labels of the arrays: enough for loops over cells."""
_LABELS = f"r: (r1-r{COUNT})"


def listed(numbers):
    return ", ".join(f"{number:.6g}" for number in numbers)


def number_text(matrix):
    return "; ".join(listed(row) for row in matrix) + ";"


@pytest.fixture(scope="module")
def ordered():
    """A vector with equal numbers that changes over time, its order, ranks and sorted numbers, up and down."""
    values = CHANCE.integers(0, 9, COUNT)
    model = tiny_model(
        f"{_LABELS}\nx[r] = {listed(values)}\nv[r] = x[r] + IF THEN ELSE(MODULO(r + Time, 3) = 0, 2, 0)\n"
        "up[r] = VECTOR SORT ORDER(v[r], 1)\ndown[r] = VECTOR SORT ORDER(v[r], 0)\nrank[r] = VECTOR RANK(v[r], 1)\n"
        "sorted up[r] = VECTOR REORDER(v[r], up[r])\nsorted down[r] = VECTOR ELM MAP(v[r1], down[r])\n"
        f"late: (r2-r{COUNT})\nprevious[late] = VECTOR ELM MAP(v[late], -1)\n"
        "beyond[r] = VECTOR ELM MAP(v[r], 3)\nbefore[r] = VECTOR REORDER(v[r], -1)\n"
        "stock[r] = INTEG(VECTOR ELM MAP(v[r1], up[r]) - stock[r], 0)\n"
    )
    return model, simulate(model)


def test_an_order_is_a_permutation_that_sorts(ordered):
    """At every time; equal numbers stay in order, so the ranks are the inverse permutation."""
    _, run = ordered
    assert (np.sort(run["up"].values, axis=1) == np.arange(COUNT)).all()
    assert (run["sorted_up"].values == np.sort(run["v"].values, axis=1)).all()
    assert (run["sorted_down"].values == np.sort(run["v"].values, axis=1)[:, ::-1]).all()
    assert (np.argsort(run["v"].values, axis=1, kind="stable") == run["up"].values).all()
    assert (np.argsort(run["up"].values, axis=1) + 1 == run["rank"].values).all()


def test_an_element_outside_of_the_variable_is_missing(ordered):
    """`:NA:`, which a run shows as nan; within it the element is that many further on."""
    _, run = ordered
    assert (run["beyond"].values[:, :-3] == run["v"].values[:, 3:]).all()
    assert np.isnan(run["beyond"].values[:, -3:]).all()
    assert np.isnan(run["before"].values).all()
    assert (run["previous"].values == run["v"].values[:, :-1]).all()


def test_webassembly_and_ensembles_compute_the_same(ordered):
    """One member alone, eight side by side, and a browser."""
    model, run = ordered
    assert wasm_difference(model, run) == 0
    members = simulate(model, {"x[r3]": np.linspace(-1, 12, 11)}, save=["up", "stock"])
    for member in (0, 10):
        alone = simulate(
            model,
            {"x[r3]": float(members["x"].sel(r="r3")[member])}
            if "x" in members
            else {"x[r3]": [-1.0, 12.0][member > 0]},
        )
        assert (members["up"].isel(member=member).values == alone["up"].values).all()
        assert (members["stock"].isel(member=member).values == alone["stock"].values).all()


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_matrix_times_its_inverse_is_the_unit_matrix(size):
    """For any numbers, also where a pivot is zero, for each member of an ensemble."""
    matrix = CHANCE.normal(size=(size, size))
    matrix[0, 0] = 0.0 if size > 1 else 2.0
    model = tiny_model(
        f"r: (r1-r{size})\nc: (c1-c{size})\nm[r, c] = {number_text(matrix)}\nn[r, c] = m[r, c] * (1 + Time)\n"
        f"i[c, r] = INVERT MATRIX(n[r, c], {size})",
        final=1,
    )
    run = simulate(model, {"m[r1,c1]": np.linspace(matrix[0, 0], 1.5, 3)}, save=["n", "i"])
    for time, member in ((0, 0), (1, 1), (1, 2)):
        own = {"member": member}
        n = np.broadcast_to(run["n"].isel(time=time).isel(own, missing_dims="ignore").values, (size, size))
        found = run["i"].isel(time=time).isel(own, missing_dims="ignore").values @ n
        assert found == pytest.approx(np.eye(size), abs=1e-9)


@pytest.mark.parametrize("matrix", [[[6, 12], [1, 2]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[0, 0], [0, 0]]])
def test_a_singular_matrix_is_named_with_its_time(matrix):
    """Also where rounding leaves a small number in the place of zero; until then the inverse is right."""
    size = len(matrix)
    model = tiny_model(
        f"r: (r1-r{size})\nc: (c1-c{size})\nm[r, c] = {number_text(matrix)}\n"
        f"n[r, c] = m[r, c] + IF THEN ELSE(Time < 3 :AND: r = c, 1, 0)\ni[r, c] = INVERT MATRIX(n[r, c], {size})",
        final=5,
    )
    with pytest.warns(NotFiniteWarning, match=r"'i\[r1,c1\]' is not finite from time 3"):
        run = simulate(model)
    assert np.isfinite(run["i"].values[:3]).all()
    assert np.isnan(run["i"].values[3:]).any()


def test_what_is_allocated_adds_up():
    """To the supply, or to the requests if those are less; nobody gets more than requested, or less than nothing.

    One member for each type of curve, and one with all of them, each with different widths.
    """
    requests = np.array([3.0, 0, 2, 4, 7, 1])
    model = tiny_model(
        f"branch: (b1-b6)\npprofile: ptype, ppriority, pwidth, pextra\nrequest[branch] = {listed(requests)}\n"
        f"profile[branch, pprofile] = {number_text([[1, centre, 1, 1.5] for centre in (1, 2, 2, 3, 1, 4)])}\n"
        "got[branch] = ALLOCATE AVAILABLE(request[branch], profile[branch, ptype], Time)",
        final=20,
    )
    types = [*[(kind,) * 6 for kind in range(6)], (0, 1, 2, 3, 4, 5)]
    cases = [(kinds, widths) for kinds in types for widths in ((1, 2, 0.5, 3, 1, 1), (0,) * 6, (1e-9,) * 6)]
    varied = {f"profile[b{i + 1},ptype]": [float(kinds[i]) for kinds, _ in cases] for i in range(6)}
    varied |= {f"profile[b{i + 1},pwidth]": [float(widths[i]) for _, widths in cases] for i in range(6)}
    got = simulate(model, varied)["got"].transpose("member", "time", "branch").values
    assert len(got) == len(cases)
    expected = np.minimum(np.arange(21), requests.sum())
    assert got.sum(axis=2) == pytest.approx(np.tile(expected, (len(cases), 1)), rel=1e-12)
    assert (got >= 0).all()
    assert (got <= requests * (1 + 1e-15)).all()
    assert (np.diff(got, axis=1) >= -1e-12).all()  # a larger supply takes nothing from anybody


def test_higher_priorities_come_first():
    """Priorities further apart than the width are served one after the other; equal ones share in proportion to requests."""
    model = tiny_model(
        "r: A, B, C, D\nrequest[r] = 4, 3, 2, 6\npriority[r] = 1, 5, 9, 1\nsupply = Time\n"
        "got[r] = ALLOCATE BY PRIORITY(request[r], priority[r], ELMCOUNT(r), 2, supply)\n"
        "at = MARKETP(request[A], priority[A], ELMCOUNT(r), 2, supply)\n"
        "gets[r] = ALLOC P(request[r], priority[r], 2, at)",
        final=16,
    )
    run = simulate(model)
    time = run.time.values
    left = np.clip(time - 5, 0, 10)
    expected = np.transpose([left * 0.4, np.clip(time - 2, 0, 3), np.clip(time, 0, 2), left * 0.6])
    assert run["got"].values == pytest.approx(expected, abs=1e-12)
    assert run["gets"].values == pytest.approx(expected, abs=1e-12)


def test_shipments_are_those_of_vensim():
    """Vensim's output for three regions (models/allocate of SDEverywhere), which has about four digits for the normal curve."""
    model = tiny_model(
        "pprofile: ptype, ppriority, pwidth, pextra\ncurve: fixed, rectangular, triangular, normal, exponential\n"
        "region: Boston, Dayton, Fresno\np[curve, region, ptype] = curve - 1\np[curve, region, ppriority] = region\n"
        "p[curve, region, pwidth] = 1\np[curve, region, pextra] = 0\ndemand[region] = 3, 2, 4\n"
        "got[curve, region] = ALLOCATE AVAILABLE(demand[region], p[curve, region, ptype], 10 * Time / 12)",
        final=12,
    )
    got = simulate(model)["got"]
    found = got.sel(time=5)
    assert found.sel(curve="fixed").values == pytest.approx([1.38889, 0.925926, 1.85185], rel=1e-5)
    for curve in ("rectangular", "triangular"):
        assert found.sel(curve=curve).values == pytest.approx([0, 0.166667, 4], abs=1e-5)
    assert found.sel(curve="normal").values == pytest.approx([0.306989, 0.788443, 3.07123], rel=1e-4)
    assert float(found.sel(curve="exponential", region="Fresno")) == pytest.approx(3.01155, rel=1e-5)
    assert float(got.sel(time=10, curve="exponential", region="Fresno")) == pytest.approx(3.91562, rel=1e-5)
    assert got.sel(time=11).values == pytest.approx(np.tile([3, 2, 4], (5, 1)))


def test_a_market_clears_at_its_price():
    """What is bought at the price is what is sold, for curves of any type."""
    model = tiny_model(
        "buyer: (d1-d5)\nseller: (s1-s4)\npprofile: ptype, ppriority, pwidth, pextra\nwants[buyer] = 5, 3, 6, 2, 4\n"
        "has[seller] = 4, 3, 5, 2\ncurve[buyer, ptype] = buyer\ncurve[buyer, ppriority] = 4 + buyer + Time / 4\n"
        "curve[buyer, pwidth] = 2\ncurve[buyer, pextra] = 1.2\noffer[seller, ptype] = seller\n"
        "offer[seller, ppriority] = 2 + seller\noffer[seller, pwidth] = 3\noffer[seller, pextra] = 0.5\n"
        "price = FIND MARKET PRICE(wants[d1], curve[d1, ptype], has[s1], offer[s1, ptype])\n"
        "bought[buyer] = DEMAND AT PRICE(wants[buyer], curve[buyer, ptype], price)\n"
        "sold[seller] = SUPPLY AT PRICE(has[seller], offer[seller, ptype], price)"
    )
    run = simulate(model)
    assert run["bought"].sum("buyer").values == pytest.approx(run["sold"].sum("seller").values, rel=1e-12)
    assert (np.diff(run["price"].values) > 0).all()  # buyers pay more and more
    assert (run["sold"] < run["has"]).any()


def test_the_range_that_sets_the_size_of_an_array_may_be_any():
    """ELMCOUNT takes a range that the left-hand side does not have: three ranges list the sectors of an input-output table."""
    model = tiny_model(
        "sector: A, B\nsource: A, B\ntarget: A, B\nneeds[A, target] = 0.5, 0.25\nneeds[B, target] = 0, 0.5\n"
        "rest[source, target] = IF THEN ELSE(source = target, 1, 0) - needs[source, target]\n"
        "total[source, target] = INVERT MATRIX(rest[source, source], ELMCOUNT(sector))\n"
        "asked[source] = 7, 3\nrank[source] = 1, 2\n"
        "got[source] = ALLOCATE BY PRIORITY(asked[source], rank[source], ELMCOUNT(sector) - 1, 1, 9)",
        final=1,
    )
    run = simulate(model)
    assert run["total"].values[-1].tolist() == [[2, 1], [0, 2]]  # of [[0.5, -0.25], [0, 0.5]]
    assert run["got"].values[-1].tolist() == [7, 0]  # the first only, since the size is 1


def test_normal_curves_are_as_in_an_output_file_of_vensim():
    """The standard deviation is at least 0.05, and a price is looked for up to five of them away from the centres.

    The numbers are those of SDEverywhere's model allocate_normal_width, run by Vensim.
    """
    model = tiny_model(
        "pprofile: ptype, ppriority, pwidth, pextra\nwidth case: (w0-w2)\nagent: a1, a2\nwidth[width case] = 0, 0.06, 1\n"
        "profile[width case, agent, ptype] = 3\nprofile[width case, a1, ppriority] = 10\n"
        "profile[width case, a2, ppriority] = 10.03\nprofile[width case, agent, pwidth] = width[width case]\n"
        "profile[width case, agent, pextra] = 0\nfixed[agent, pprofile] = 0\nquantity[agent] = 1\nwants[a1] = 0.2 * Time\nwants[a2] = 0\n"
        "price[width case] = FIND MARKET PRICE(wants[a1], fixed[a1, ptype], quantity[a1], profile[width case, a1, ptype])\n"
        "bought[width case, agent] = DEMAND AT PRICE(quantity[agent], profile[width case, agent, ptype], 9.7 + 0.055 * Time)",
        final=12,
    )
    run = simulate(model, save=["price", "bought"]).sel(time=[0, 2, 5, 12])
    assert run["price"].values == pytest.approx(
        np.array([[9.75, 9.7, 5], [9.971, 9.96291, 9.17328], [10.015, 10.015, 10.015], [10.28, 10.33, 15.03]]), abs=1e-4
    )
    assert run["bought"].values[1:3, :2] == pytest.approx(
        np.array([[[0.999927, 0.999995], [0.999225, 0.999876]], [[0.691451, 0.864343], [0.66153, 0.820331]]]), abs=2e-5
    )


def test_fixed_quantities_have_no_market_price():
    """All are bought and sold at any price (manual, "Specifying the Curves", ptype 0), so none clears the market: `:NA:`."""
    model = tiny_model(
        "buyer: d1, d2\nseller: s1, s2, s3\npprofile: ptype, ppriority, pwidth, pextra\nwants[buyer] = 500, 300\n"
        "has[seller] = 200, 300, 450\ncurve[buyer, pprofile] = 0\noffer[seller, pprofile] = 0\n"
        "price = FIND MARKET PRICE(wants[d1], curve[d1, ptype], has[s1], offer[s1, ptype])\n"
        "bought[buyer] = DEMAND AT PRICE(wants[buyer], curve[buyer, ptype], price)\n"
        "sold[seller] = SUPPLY AT PRICE(has[seller], offer[seller, ptype], price)",
        final=1,
    )
    run = simulate(model)
    assert np.isnan(run["price"].values).all()
    assert run["bought"].values[-1].tolist() == [500, 300]
    assert run["sold"].values[-1].tolist() == [200, 300, 450]


@pytest.mark.parametrize(
    ("action", "error", "expected"),
    [(0, 0, 5), (1, 0, 4), (2, 0, 1), (3, 0, 4), (4, 0, 2.5), (6, 1, 5), (7, 0, 4), (8, 0, 1), (9, 0, 4), (10, 0, 2.5),
     (0, 2, np.nan), (0, 3, np.nan), (12, 0, np.nan)],
)  # fmt: skip
def test_a_selection_and_its_errors(action, error, expected):
    """Each action of the manual; with error 2 or 3 more than one selected number is an error."""
    model = tiny_model(
        "r: A, B, C\nchosen[r] = 1, 0, 1\nv[r] = 1, 2, 4\nw[r] = IF THEN ELSE(r = 2, 1 / (r - 2), v[r])\n"
        f"y = VECTOR SELECT(chosen[r!], w[r!], -7, {action}, {error})\n"
        f"none = VECTOR SELECT(0 * chosen[r!], v[r!], -7, {action}, 0)",
        final=1,
    )
    with pytest.warns(NotFiniteWarning):  # what is not selected is not used: w[B] is not finite
        run = simulate(model)
    assert run["y"].values[-1] == pytest.approx(expected, nan_ok=True)
    assert run["none"].values[-1] == -7


_CURVE = [0.0, 3, 4, 8, 8, 11]
"""Ordinates of a lookup, whose points are 2 apart from 10 to 20."""


@pytest.mark.parametrize(
    ("mode", "value"),
    [
        (0, lambda x: np.interp(x, np.arange(10, 21, 2), _CURVE)),
        (2, lambda x: _CURVE[int(np.clip((x - 10) // 2, 0, 5))]),
        (3, lambda x: 1.5 * (x - 10) if x < 10 else 8 + 1.5 * (x - 18) if x > 20 else np.interp(x, np.arange(10, 21, 2), _CURVE)),
        (4, lambda x: _CURVE[int(np.clip(-((10 - x) // 2), 0, 5))]),
        (1, lambda x: _area(np.clip(x, 10, 20))),
        (6, lambda x: 0 if not 10 <= x <= 20 else np.diff(_CURVE)[min(int((x - 10) // 2), 4)] / 2),
        (9, lambda x: np.diff(_CURVE)[int(np.clip((x - 10) // 2, 0, 4))] / 2),
        (7, lambda x: _area(x) if 10 <= x <= 20 else 0.75 * (x - 10) ** 2 if x < 10 else _area(20) + (x - 20) * (11 + 0.75 * (x - 20))),
        (5, lambda y: np.interp(y, [0, 3, 4, 8, 11], [10, 12, 14, 16, 20]) if y <= 8 else min(18 + (y - 8) / 1.5, 20)),
        (8, lambda y: 10 + y / 1.5 if y < 3 else np.interp(y, [3, 4, 8], [12, 14, 16]) if y <= 8 else 18 + (y - 8) / 1.5),
        (10, lambda _: np.nan),
    ],
)  # fmt: skip
def test_a_vector_is_a_lookup(mode, value, lookups):
    """In each mode of the manual, within and beyond its ends; a level part has its first place as inverse."""
    expected = [value(float(x)) for x in lookups["x"]]
    assert lookups["y"].sel(mode=f"mode{mode}").values == pytest.approx(expected, abs=1e-12, nan_ok=True)


def _area(x):
    """The area under the curve from 10."""
    inside = [*(point for point in np.arange(10.0, 21, 2) if point < x), x]
    return np.trapezoid(np.interp(inside, np.arange(10, 21, 2), _CURVE), inside)


@pytest.fixture(scope="module")
def lookups():
    """The lookup at many places, in all modes."""
    model = tiny_model(
        f"r: (r1-r6)\nmode: (mode0-mode10)\ncurve[r] = {listed(_CURVE)}\nx = Time / 2\n"
        "y[mode] = VECTOR LOOKUP(curve[r1], x, 10, 20, mode - 1)",
        initial=-10,
        final=46,
    )
    with pytest.warns(NotFiniteWarning, match=r"mode10"):  # which does not exist
        return simulate(model)


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        ("y[r] = VECTOR RANK(v[r] + 1, 1)", "VECTOR RANK needs a variable with subscripts as its 'vector'; make an expression"),
        ("y = VECTOR RANK(v[r1], 1)", "VECTOR RANK returns an array; give the left-hand side a subscript"),
        ("y[s] = VECTOR RANK(v[r1], 1)", "VECTOR RANK returns 3 numbers, and 's' on the left-hand side has 2; give it as many"),
        ("y[r] = INVERT MATRIX(v[r], 3)", "INVERT MATRIX needs a variable with two subscripts as its 'matrix'"),
        ("y[r, s] = INVERT MATRIX(m[r, s], 3)", "INVERT MATRIX needs as many rows as columns, and 'm[r,s]' has 3 and 2"),
        ("y = SUM(VECTOR RANK(v[r!], 1))", "VECTOR RANK takes a whole array; leave out the '!'"),
        ("y = VECTOR ELM MAP(part[r1], 1)", "'part[r2]' has no equation; define it or leave it out"),
        ("y[r] = ALLOCATE AVAILABLE(v[r], m[r, s1], 1)", "ALLOCATE AVAILABLE needs a type, a priority and a width in each of its 'profiles'"),
        ("y[s] = ALLOCATE AVAILABLE(u[s], p[r, t1], 1)", "ALLOCATE AVAILABLE needs as many 'profiles' as numbers before them, 2"),
    ],
)  # fmt: skip
def test_arrays_of_another_shape_are_faults(equation, message):
    """The message names the function, what it needs, and the line."""
    text = (
        "r: r1, r2, r3\ns: s1, s2\nt: t1, t2, t3\nv[r] = 1, 2, 3\nu[s] = 1\nm[r, s] = 1\np[r, t] = 1\n"
        f"part[r1] = 1\npart[r3] = 2\n{equation}"
    )
    with pytest.raises(ModelError) as caught:
        tiny_model(text)
    assert message in str(caught.value)


def test_an_offset_that_labels_determine_reads_one_cell():
    """So cells may follow from each other, the effects of the others are not in question, and it can be written out."""
    model = tiny_model(
        "stage: (s1-s20)\nlater: (s2-s20)\nx[s1] = 1 + Time\nx[later] = 1 + VECTOR ELM MAP(x[later], -1)\n"
        "back[stage] = VECTOR ELM MAP(x[s1], ELMCOUNT(stage) - stage)\nfourth = VECTOR REORDER(x[s1], 3)"
    )
    run = simulate(model)
    expected = np.add.outer(np.arange(1, 12), np.arange(20))
    assert (run["x"].values == expected).all()
    assert (run["back"].values == expected[:, ::-1]).all()
    assert (run["fourth"].values == expected[:, 3]).all()
    flat = simulate(without_subscripts(model).model)
    assert (flat["x_s20"].values == expected[:, -1]).all()
    with pytest.raises(
        ModelError, match="VECTOR RANK works on a whole array, which a model without subscripts cannot have"
    ):
        without_subscripts(tiny_model("r: A, B\nx[r] = 1, 2\ny[r] = VECTOR RANK(x[r], 1)"))


def test_an_array_function_may_be_part_of_an_equation():
    """Vensim wants it to be the whole right-hand side; here it gets a hidden variable of its own."""
    model = tiny_model(
        f"{_LABELS}\nx[r] = MODULO(7 * r, {COUNT})\ny[r] = 1 + 2 * VECTOR RANK(x[r], 1)\n"
        "z = SUM(x[r!] * y[r!])\nfirst[r] = INITIAL(VECTOR ELM MAP(x[r1], r - 1))"
    )
    run = simulate(model)
    assert (run["y"].values == 1 + 2 * (run["x"].values + 1)).all()
    assert (run["first"].values == run["x"].values).all()


@pytest.mark.parametrize("count", [3, 17])
def test_what_an_unchangeable_array_selects_is_all_that_is_read(count):
    """As in Vensim's example of prerequisites: elements follow from those before them, few and as a block; also without subscripts."""
    before = "; ".join(", ".join("1" if other == own - 1 else "0" for other in range(count)) for own in range(count))
    text = f"""task: (t1-t{count})
prereq <-> task
before[task, prereq] == {before};
product == 1
done[task] = 1.5*ready[task] + 0*Time
ready[task] = VECTOR SELECT(before[task, prereq!], done[prereq!], 2, product, 0)
total = INTEG(SUM(done[task!]), 0)"""
    model = tiny_model(text)
    run = simulate(model)
    np.testing.assert_allclose(run["done"].values[-1], 2 * 1.5 ** np.arange(1, count + 1), rtol=1e-12)
    assert wasm_difference(model, run) == 0
    flat = simulate(without_subscripts(model).model)
    np.testing.assert_allclose(flat["total"].values, run["total"].values, rtol=1e-12)
    with pytest.raises(ModelError, match="simultaneous equations"):
        simulate(tiny_model(text.replace("==", "=", 1)))
