"""Ensembles simulated and stored in a stream, slab by slab, in bounded memory."""

from .streaming import design_record, run_ensemble

__all__ = ["design_record", "run_ensemble"]
