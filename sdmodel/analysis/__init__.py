"""Questions about levers: a design, many simulations and one reduction, joined."""

__all__: list[str] = []
