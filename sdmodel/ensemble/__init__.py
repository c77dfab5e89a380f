"""Many members of a model in a stream: simulated slab by slab, stored block by block, in bounded memory."""

from .streaming import DESIGN, design_record, run_ensemble

__all__ = ["DESIGN", "design_record", "run_ensemble"]
