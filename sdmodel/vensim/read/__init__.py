"""Reading models: text to segments, statements, and the elements of a model."""
