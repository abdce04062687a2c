"""A run written out for other programs."""
