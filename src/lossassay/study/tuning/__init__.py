"""Tuning: every arm's parameters are chosen on validation parts, with one budget for all arms."""
