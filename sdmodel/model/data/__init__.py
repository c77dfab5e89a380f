"""Data variables: their points and how equations look them up, and what runs where points are missing."""
