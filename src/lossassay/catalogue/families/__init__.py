"""The catalogue's entries, one file for each family of losses."""
