"""Views of a model: what its author drew, and a layout for a model without a sketch."""
