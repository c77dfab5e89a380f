"""Vensim's functions: one row each, in a file per family, and the functions that do not run here."""
