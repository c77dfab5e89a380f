"""Text in and out: the files that Vensim and its users write."""

from __future__ import annotations

from .changes import read_change, read_scenario
from .composition import mdl_text
from .data import Points, read_data
from .document import Document, read_document
from .formulas import read_formula
from .optimisation import read_optimisation, read_payoff
from .reader import model_from_text, read_model
from .samples import read_samples, samples_text
from .savelist import read_savelist
from .sensitivity import read_sampling, sampling_of_ranges, sampling_text
from .sketch import read_sketch, sketch_from_text
from .writing import scenario_text

__all__ = [
    "Document",
    "Points",
    "mdl_text",
    "model_from_text",
    "read_change",
    "read_data",
    "read_document",
    "read_formula",
    "read_model",
    "read_optimisation",
    "read_payoff",
    "read_samples",
    "read_sampling",
    "read_savelist",
    "read_scenario",
    "read_sketch",
    "samples_text",
    "sampling_of_ranges",
    "sampling_text",
    "scenario_text",
    "sketch_from_text",
]
