"""One self-contained page about stored runs."""

__all__: list[str] = []
