"""Functions that draw random numbers: their rows, and how a uniform number becomes one of a distribution."""
