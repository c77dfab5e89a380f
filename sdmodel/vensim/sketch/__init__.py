"""The sketch at the end of a model file: reading, changing and writing its records."""
