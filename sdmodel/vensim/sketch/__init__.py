"""The sketch at the end of a model file: reading its records, adding to them, comparing and writing them."""
