"""What the features of each run are worth as biomarkers, and which arm leaves the better ones."""
