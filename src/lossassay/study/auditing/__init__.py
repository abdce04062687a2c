"""The audit of a study's data: run, stored, counted and drawn."""
