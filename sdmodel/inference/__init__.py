"""A model compared with data: observations and their errors, how well a run fits, calibration and posterior."""

from .calibration import SEED, STARTS, STEPS, Agreement, Calibration, calibrate_model, fingerprints, sample_posterior
from .diagnostics import Marginal, Posterior
from .fit import BandFit, FitTable, SeriesFit, fit_panels, fit_run
from .likelihood import evaluate_series, log_likelihood, predictive_draws, residuals, split_series
from .members import Equality, ExtraConstants, ensemble_samples, extra_constants
from .observations import Observations, RawSeries, join_observations, read_observations
from .optimum import Direction, Identification, Optimum, Search, close_pairs, leading_constants
from .parameters import DEFAULT_GROUP, Parameter, free_constants, unused_priors
from .posterior import Chain, default_walkers, load_calibrate_module, posterior_draws, read_chain, write_chain
from .results import CHAIN, calibration_record, check_can_write, correlations, write_results
from .series import ErrorKind, ErrorModel, Series, find_series_file, join_series, read_series, series_from_payoff

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
    "Equality",
    "ErrorKind",
    "ErrorModel",
    "ExtraConstants",
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
    "calibration_record",
    "check_can_write",
    "close_pairs",
    "correlations",
    "default_walkers",
    "ensemble_samples",
    "evaluate_series",
    "extra_constants",
    "find_series_file",
    "fingerprints",
    "fit_panels",
    "fit_run",
    "free_constants",
    "join_observations",
    "join_series",
    "leading_constants",
    "load_calibrate_module",
    "log_likelihood",
    "posterior_draws",
    "predictive_draws",
    "read_chain",
    "read_observations",
    "read_series",
    "residuals",
    "sample_posterior",
    "series_from_payoff",
    "split_series",
    "unused_priors",
    "write_chain",
    "write_results",
]
