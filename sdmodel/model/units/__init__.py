"""Units: how model files write them, the units of each expression, and where they do not fit together."""
