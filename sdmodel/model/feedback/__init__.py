"""Feedback: which variable acts on which, by how much, and the loops that these links close."""
