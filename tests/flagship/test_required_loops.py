"""The feedback loops that the flagship must have: found by way points, with their polarity in base."""

from __future__ import annotations

import pytest

import sdmodel as sd

ORDERS = (
    "indicated compute, Desired Compute, desired acquisition rate, desired order rate, ordering, Chips On Order, "
    "desired fab capacity, fab expanding, Fab Capacity, total shipments"
)
DELIVERY = "shipments, Ghost Compute Backlog, installable, installation, Installed Compute"
DEMAND = "billed price, Price Felt By Users, price effect on demand, unrestrained demand, token demand"
RETURN = "potential billed revenue, billed revenue, Annual Revenue, revenue per GW, expected return ratio"
SENTIMENT = "AI profit, indicated sentiment, Investor Sentiment, indicated growth, Expected Growth"

LOOPS = {
    "hype": (
        "R",
        (
            f"Expected Growth, {ORDERS}, vendor revenue, vendor growth, indicated sentiment, Investor Sentiment, "
            "indicated growth"
        ),
    ),
    "Jevons": (
        "R",
        (
            f"fleet performance, token capacity, unit cost, Price, {DEMAND}, changing volume, Token Volume, "
            f"token volume total, billed tokens, {RETURN}, {ORDERS}, {DELIVERY}"
        ),
    ),
    "scarcity price": (
        "B",
        f"demand over capacity, Perceived Pressure, indicated premium, Scarcity Premium, Price, {DEMAND}, total demand",
    ),
    "ghost drag": (
        "B",
        (
            "Ghost Compute Backlog, total ghost compute, supply line gap, desired order rate, ordering, Chips On Order, "
            "desired fab capacity, fab expanding, Fab Capacity, total shipments, shipments"
        ),
    ),
    "obsolescence": (
        "B",
        f"Ghost Compute Backlog, writing off, total write off, impairment, {SENTIMENT}, {ORDERS}, shipments",
    ),
    "powered shells": ("B", "installation, total installation, Powered Shells"),
    "site boom, response": (
        "B",
        (
            "site gap, announcing, Sites Announced, starting, Sites Under Construction, built rate, completing, "
            "Powered Shells, powered sites"
        ),
    ),
    "site boom, growth": (
        "R",
        (
            "site gap, announcing, Sites Announced, starting, Sites Under Construction, built rate, completing, "
            "Powered Shells, installation, Installed Compute, installed compute total, desired sites"
        ),
    ),
    "penetration": ("B", "Active Users, potential users, adopting"),
    "imitation": ("R", "Active Users, adoption fraction, adopting"),
    "substitution": (
        "B",
        (
            "Price[premium], premium over cheap price, indicated cheap share, switching to cheap, Cheap Share, "
            "mean cheap share, markup in force[premium]"
        ),
    ),
    "depreciation": ("B", f"vendor revenue, investing, Book Value, depreciation, {SENTIMENT}, {ORDERS}"),
    "budget ceiling": (
        "B",
        (
            "budget use, budget factor, Willingness To Pay, token demand, changing volume, Token Volume, "
            "token volume total, billed tokens, potential billed revenue"
        ),
    ),
    "reallocation": (
        "R",
        "billed revenue, reallocating, Wage Bill Reallocated, budget ceiling, budget use, budget factor",
    ),
}
"""The polarity of each loop and all its variables, from cause to effect."""

SHORT = {
    "hype": ("R", "Expected Growth, ordering, vendor revenue, Investor Sentiment"),
    "ghost drag": ("B", "total ghost compute, ordering, total shipments, Ghost Compute Backlog"),
    "penetration": ("B", "Active Users[chat], potential users"),
    "imitation": ("R", "Active Users[chat], adoption fraction"),
    "powered shells": ("B", "Powered Shells, installation"),
    "substitution": ("B", "premium over cheap price, Cheap Share, markup in force"),
}
"""Loops that the search finds from a few way points."""


def _names(way: str) -> list[str]:
    return way.split(", ")


@pytest.mark.parametrize("name", LOOPS)
def test_required_loop_closes_with_its_polarity(model, name: str):
    """All its links exist, none is always without effect, and their product never has the other sign."""
    polarity, way = LOOPS[name]
    (loop,) = sd.find_loops(model, _names(way))
    assert list(loop.variables) == _names(way)
    assert {link.polarity for link in loop.links} <= {"+", "-"}
    assert loop.polarity == polarity


@pytest.mark.parametrize("name", SHORT)
def test_few_way_points_find_the_same_polarity(model, name: str):
    """The links found between the way points have the known polarity of the loop."""
    polarity, way = SHORT[name]
    loop = sd.find_loops(model, _names(way))[0]
    assert [variable for variable in loop.variables if variable in _names(way)] == _names(way)
    assert loop.polarity == polarity


def test_substitution_lowers_spending_through_revenue(model):
    """Dearer premium tokens move users to cheap ones, so revenue per GW and capital expenditure fall."""
    way = f"premium over cheap price, Cheap Share, mean cheap share, billed price, {RETURN}, ordering, capex"
    (path,) = sd.find_paths(model, _names(way))
    assert (path.variables[0], path.variables[-1]) == ("premium over cheap price", "capex")
    assert path.polarity == "-"


def test_every_stock_of_chips_drains_itself(model):
    """The more chips an order book, a store or a fleet has, the faster they leave: a short balancing loop each."""
    loops = {loop.variables[0]: loop for loop in sd.find_loops(model)}
    for stock in ("Chips On Order", "Ghost Compute Backlog", "Installed Compute"):
        assert (loops[stock].polarity, len(loops[stock].links)) == ("B", 2)
