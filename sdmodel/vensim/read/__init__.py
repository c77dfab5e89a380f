"""From the text of a model file to a Model."""
