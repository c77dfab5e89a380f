"""Models of many cells, with the traits of large published ones: partial definitions, four subscripts, a table for each label, data."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import sdmodel as sd
from sdmodel.errors import ModelError
from sdmodel.model import order, plan
from sdmodel.program import compile_program
from sdmodel.testing import model_text, tiny_model

_SIZES = {"Region": 9, "Sector": 11, "Fuel": 8, "Tech": 6}
_RANGES = [f"{name}: {', '.join(f'{name[:2]}{n}' for n in range(count))}" for name, count in _SIZES.items()]
_EQUATIONS = """
Burnt: Fu1, Fu2, Fu5
Place: (p0-p8) -> Region
cost[Sector, Fuel] = GET DIRECT CONSTANTS('costs.csv', ',', 'A1')
price[Region, Fuel] :EXCEPT: [Re0, Fuel], [Re2, Fu3] = 2 + SUM(cost[Sector!, Fuel]) / 100
price[Re0, Fuel] = 4 * Fuel
price[Re2, Fu3] = 7
demand[Region, Sector, Fuel, Tech] = use[Fuel](Time) * Tech / (1 + cost[Sector, Fuel] * price[Region, Fuel])
dirty[Region, Sector, Burnt, Tech] = demand[Region, Sector, Burnt, Tech] / 2
stock[Region, Sector, Tech] = INTEG(SUM(demand[Region, Sector, Fuel!, Tech]) - stock[Region, Sector, Tech] / 10, Region)
local[Place, Sector] = SUM(stock[Region, Sector, Tech!])
total = SUM(demand[Region!, Sector!, Fuel!, Tech!]) + SUM(dirty[Region!, Sector!, Burnt!, Tech!])
"""
_TABLES = "\n".join(f"use[Fu{n}]((0, {n}), {'(1, 9), ' if n % 2 else ''}(4, {2 * n + 1}))" for n in range(8))


def test_a_large_model_has_the_numbers_of_numpy(tmp_path):
    """Every value follows from arrays; the code has a loop for each equation, and no cell is written out but single ones."""
    regions, sectors, fuels, techs = _SIZES.values()
    cost = np.arange(sectors * fuels).reshape(sectors, fuels) / 7
    (tmp_path / "costs.csv").write_text("\n".join(",".join(map(repr, row)) for row in cost.tolist()), "utf-8")
    path = tmp_path / "large.mdl"
    path.write_text(model_text("\n".join([*_RANGES, _TABLES]) + _EQUATIONS, final=4), "utf-8")
    model = sd.read_model(path)
    layout = compile_program(model).layout
    assert len(layout.row) > 7_000
    assert layout.parts < 50
    run = sd.simulate(model)
    price = np.broadcast_to(2 + cost.sum(axis=0) / 100, (regions, fuels)).copy()
    price[0], price[2, 3] = 4 * np.arange(1, fuels + 1), 7
    assert np.allclose(run.price, price, rtol=1e-14)
    tables = [([0, 1, 4], [n, 9, 2 * n + 1]) if n % 2 else ([0, 4], [n, 2 * n + 1]) for n in range(fuels)]
    stock = np.repeat(np.arange(1.0, regions + 1), sectors * techs).reshape(regions, sectors, techs)
    for time in range(5):
        use = np.array([np.interp(time, *table) for table in tables])
        share = use / (1 + cost * price[:, np.newaxis])
        demand = share[..., np.newaxis] * np.arange(1, techs + 1)
        assert np.allclose(run.demand[time], demand, rtol=1e-13)
        assert np.allclose(run.dirty[time], demand[:, :, [1, 2, 5]] / 2, rtol=1e-13)
        assert np.allclose(run.stock[time], stock, rtol=1e-13)
        assert np.allclose(run.local[time], stock.sum(axis=2), rtol=1e-13)
        assert np.isclose(run.total[time], demand.sum() + demand[:, :, [1, 2, 5]].sum() / 2, rtol=1e-12)
        stock = stock + demand.sum(axis=2) - stock / 10


def test_a_sum_over_many_labels_is_a_loop_with_the_order_of_its_terms():
    """Its rounding is that of adding one label after the other, row by row."""
    ranges = "A: (a1-a40)\nB: (b1-b30)\nC: c1, c2"
    model = tiny_model(
        f"{ranges}\nx[A, B] = 1 / (A * B + Time)\nwhole = SUM(x[A!, B!])\npart[B, C] = C * SUM(x[A!, B] ^ C)\n"
        "most[C] = VMAX(x[A!, B!] * C)\nleast = VMIN(x[A!, B!])\nof[C] = SUM(x[A!, B!] * C)",
        final=1,
    )
    run = sd.simulate(model)
    for time in range(2):
        x = 1 / (np.arange(1.0, 41)[:, np.newaxis] * np.arange(1, 31) + time)
        assert float(run.whole[time]) == np.add.accumulate(x.ravel())[-1]
        assert run.of[time].values.tolist() == [np.add.accumulate(x.ravel() * c)[-1] for c in (1, 2)]
        assert np.allclose(run.part[time], np.array([c * (x**c).sum(axis=0) for c in (1, 2)]).T, rtol=1e-13)
        assert run.most[time].values.tolist() == [x.max(), 2 * x.max()]
        assert float(run.least[time]) == x.min()


def test_cells_that_depend_on_each_other_are_ordered_one_by_one():
    """Only the equations of such cells are taken apart: here a chain of fifty, and of two elements in turn."""
    labels = "L: (l1-l50)\nlater: (l2-l50)\nearlier: (l1-l49) -> later"
    chain = "x[l1] = 1 + Time\nx[later] = y[earlier] + 1\ny[L] = 2 * x[L]\nz[L] = y[L] - x[L]"
    model = tiny_model(f"{labels}\n{chain}", final=1)
    order = plan(model)
    assert {part.key for part in order.at_step if len(part) > 1} == {"z"}
    values = [1.0]
    while len(values) < 50:
        values.append(2 * values[-1] + 1)
    assert sd.simulate(model).x[0].values.tolist() == values


@pytest.mark.parametrize("equations", ["x[L] = x[L] + 1", "x[L] = y[L]\ny[L] = x[l3]"])
def test_a_cycle_in_many_cells_is_named(equations):
    with pytest.raises(ModelError, match=r"simultaneous equations: x\[l\d+\] <- .*x\[l\d+\]; put a stock"):
        tiny_model(f"L: (l1-l50)\n{equations}")


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
@pytest.mark.parametrize("members", [1, 9])
def test_a_stock_of_an_array_that_is_not_finite_is_noticed(monkeypatch, integrator, members):
    """An array that Euler advances together with its rates is watched like its cells one by one."""
    equations = f"""
    R: {", ".join(f"r{n}" for n in range(20))}
    fastest = 20
    level[R] = INTEG(gain[R], 1)
    gain[R] = level[R] * IF THEN ELSE(R = fastest, 1e60, 0.1)
    other[R] = INTEG(1 - other[R], R)
    """
    found = []
    for fewest in (16, 100):
        monkeypatch.setattr(order, "FEWEST", fewest)
        model = tiny_model(equations, final=8)
        assert bool(compile_program(model).layout.direct) == (fewest == 16)
        varied = {"fastest": xr.DataArray(np.arange(float(members)), dims="member")} if members > 1 else {}
        with pytest.warns(sd.NotFiniteWarning) as noticed:
            run = sd.simulate(model, integrator=integrator, constants=varied)
        found.append((run, [str(own.message) for own in noticed]))
    (whole, texts), (cells, others) = found
    assert texts == others
    assert np.isnan(whole.level).any()
    assert np.isfinite(whole.other).all()
    for name in ("level", "gain", "other"):
        np.testing.assert_array_equal(whole[name], cells[name])
