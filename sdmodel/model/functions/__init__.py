"""Vensim's functions, one row each, and the functions that do not run here."""
