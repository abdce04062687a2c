"""Scores that were made elsewhere: read, checked and compared."""
