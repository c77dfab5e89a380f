"""Diagrams: the records of a sketch, and views laid out for a model without one."""
