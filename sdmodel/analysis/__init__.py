"""Questions about levers: a design, many simulations and one reduction, joined."""

from .sweeping import sweep_levers

__all__ = ["sweep_levers"]
