"""Calibrated probabilities and decisions of one run."""
