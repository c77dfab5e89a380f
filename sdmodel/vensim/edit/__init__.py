"""Edits to a model file that change the bytes they must and no others."""
