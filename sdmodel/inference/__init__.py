"""A model against data: what was observed, how far it may lie from the model, and what follows for both."""

from .calibration import SEED, STARTS, STEPS, Agreement, Calibration, calibrate_model, marks, with_posterior
from .chain import Chain, read_chain, write_chain
from .diagnostics import Marginal, Posterior
from .fitting import BandFit, FitTable, SeriesFit, fit_panels, fit_run
from .identification import Direction, Identification, close_pairs, leading
from .likelihood import log_likelihood, modelled, parted_series, predictive, residuals
from .mapping import read_series
from .observations import Observations, RawSeries, read_observations
from .parameters import DEFAULT_GROUP, Parameter, free_constants
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
    "Calibration",
    "Chain",
    "Direction",
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
    "correlations",
    "draws",
    "fit_panels",
    "fit_run",
    "free_constants",
    "leading",
    "least_walkers",
    "log_likelihood",
    "marks",
    "modelled",
    "module_of_calibrate",
    "parted_series",
    "predictive",
    "read_chain",
    "read_observations",
    "read_series",
    "record",
    "residuals",
    "series_beside",
    "series_of_payoff",
    "with_posterior",
    "write_chain",
    "write_results",
]
