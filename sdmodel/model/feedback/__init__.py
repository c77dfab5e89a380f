"""Feedback: the links between cells of a model in a run, and the loops and paths along them."""
