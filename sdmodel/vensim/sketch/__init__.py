"""The sketch at the end of a model file: reading its records, adding to them and writing them."""
