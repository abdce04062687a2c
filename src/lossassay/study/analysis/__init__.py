"""From stored runs to intervals, verdicts, checks and tables."""
