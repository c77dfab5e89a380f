"""Edits of a model file that change only the bytes they must."""
