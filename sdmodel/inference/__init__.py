"""A model against data: what was observed, how far it may lie from the model, and what follows for both."""

from .calibration import SEED, STARTS, STEPS, Agreement, Calibration, calibrate_model, marks, with_posterior
from .chain import Chain, read_chain, write_chain
from .diagnostics import Marginal, Posterior
from .fitting import BandFit, FitTable, SeriesFit, fit_panels, fit_run
from .identification import Direction, Identification, close_pairs, leading
from .likelihood import log_likelihood, modelled, parted_series, predictive, residuals
from .mapping import joined_series, read_series
from .members import Beyond, Equality, constants_beyond, samples_of
from .observations import Observations, RawSeries, joined_observations, read_observations
from .parameters import DEFAULT_GROUP, Parameter, free_constants, priors_unused
from .payoffs import series_of_payoff
from .posterior import draws, least_walkers, module_of_calibrate
from .results import CHAIN, check_free, correlations, record, write_results
from .search import Optimum, Search
from .series import ErrorKind, ErrorModel, Series, series_beside

__all__ = [
    "CHAIN",
    "DEFAULT_GROUP",
    "SEED",
    "STARTS",
    "STEPS",
    "Agreement",
    "BandFit",
    "Beyond",
    "Calibration",
    "Chain",
    "Direction",
    "Equality",
    "ErrorKind",
    "ErrorModel",
    "FitTable",
    "Identification",
    "Marginal",
    "Observations",
    "Optimum",
    "Parameter",
    "Posterior",
    "RawSeries",
    "Search",
    "Series",
    "SeriesFit",
    "calibrate_model",
    "check_free",
    "close_pairs",
    "constants_beyond",
    "correlations",
    "draws",
    "fit_panels",
    "fit_run",
    "free_constants",
    "joined_observations",
    "joined_series",
    "leading",
    "least_walkers",
    "log_likelihood",
    "marks",
    "modelled",
    "module_of_calibrate",
    "parted_series",
    "predictive",
    "priors_unused",
    "read_chain",
    "read_observations",
    "read_series",
    "record",
    "residuals",
    "samples_of",
    "series_beside",
    "series_of_payoff",
    "with_posterior",
    "write_chain",
    "write_results",
]
