"""What may change between runs: levers, scenarios and designs."""

from .records import Change, Scenario, merge

__all__ = ["Change", "Scenario", "merge"]
