"""A study: planned, run, stored, analysed. Only `store` writes runs."""
