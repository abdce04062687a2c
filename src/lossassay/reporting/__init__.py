"""Draws what is stored: report.html and figures/. Computes no number and never sees torch."""
