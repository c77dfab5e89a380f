"""Units: how authors write them, what each expression has, and what does not fit."""
