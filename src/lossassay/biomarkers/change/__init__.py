"""Features over several visits of the same patients."""
