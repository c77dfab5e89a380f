"""The feedback loops that the flagship must have: found by way points, with their polarity in base."""

from __future__ import annotations

import pytest

import sdmodel as sd

ORDERS = "Desired Compute, desired acquisition, desired orders, ordering, Chips On Order"
DELIVERY = "possible shipments, shipping, Ghost Compute Backlog, installing, Installed Compute"
DEMAND = "tokens per task, token demand, demand by payer"
SENTIMENT = "AI profit, Investor Sentiment, indicated growth, Expected Growth"

LOOPS = {
    "hype": (
        "R",
        (
            f"Expected Growth, {ORDERS}, possible shipments, shipping, vendor revenue, vendor growth, "
            "Investor Sentiment, indicated growth"
        ),
    ),
    "Jevons through served tokens and orders": (
        "R",
        (
            "fleet performance, token capacity, served fraction, metered revenue, Annual Revenue, indicated growth, "
            f"Expected Growth, {ORDERS}, {DELIVERY}"
        ),
    ),
    "Jevons through money": (
        "R",
        (
            "fleet performance, token capacity, served fraction, metered revenue, Annual Revenue, "
            "operating cash flow, spending limit, funding adequacy, finishing, powering on site, Powered Shells, "
            "installing, Installed Compute"
        ),
    ),
    "scarcity price": (
        "B",
        (
            "demand over capacity, Perceived Pressure, indicated log margin, Log Margin, Price, segment price, "
            f"{DEMAND}, compute demand"
        ),
    ),
    "ghost drag": (
        "B",
        (
            "Ghost Compute Backlog, total ghost compute, desired orders, ordering, Chips On Order, possible shipments, "
            "shipping"
        ),
    ),
    "powered shells": ("B", "installing, Powered Shells"),
    "site boom, response": (
        "B",
        (
            "site gap, announcing, Sites Announced, starting, Sites Under Construction, building, finishing, "
            "powering on site, Powered Shells, powered sites"
        ),
    ),
    "grid queue": ("B", "Sites Awaiting Power, connection wait, on site power share, powering on site"),
    "imitation, then penetration": ("mixed", "Active Users, adopting"),
    "rivals spread, then saturate": ("mixed", "First Mover Share"),
    "depreciation": (
        "B",
        f"Book Value, depreciation, {SENTIMENT}, {ORDERS}, possible shipments, shipping, vendor revenue, capex",
    ),
    "budget ceiling": ("B", "reallocating, Budget"),
    "debt": ("B", "Debt, debt headroom, borrowing"),
    "cash": ("B", "Cash, paying out"),
}
"""The polarity of each loop and all its variables, from cause to effect."""


def _names(way: str) -> list[str]:
    return way.split(", ")


@pytest.mark.parametrize("name", LOOPS)
def test_required_loop_closes_with_its_polarity(model, name: str):
    """All its links exist, none is always without effect, and their product never has the other sign."""
    polarity, way = LOOPS[name]
    loops = [loop for loop in sd.find_loops(model, _names(way)) if list(loop.variables) == _names(way)]
    assert [loop.polarity for loop in loops] == [polarity]


def test_substitution_lowers_revenue(model):
    """Dearer premium tokens move users to cheap ones, so the price of what they use falls."""
    (path,) = sd.find_paths(model, ["indicated cheap share", "Cheap Share", "segment price", "metered revenue"])
    assert path.polarity == "-"


def test_obsolescence_lowers_sentiment_and_orders(model):
    """Chips written off are a loss, and losses end the mood that ordered them."""
    way = "writing off, depreciation, AI profit, Investor Sentiment, indicated growth, Expected Growth, Desired Compute"
    (path,) = sd.find_paths(model, _names(way))
    assert path.polarity == "-"
