"""Measurements with their raw numbers. Nothing here is imported by the package."""
