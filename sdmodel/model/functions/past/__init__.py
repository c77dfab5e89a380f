"""Functions of all earlier inputs: their rows, and how they go through the past.

What they compute now is written as code that goes back step by step (`reading.py`); a DELAY FIXED of one time step keeps the inputs.
"""
