"""Stored runs sent to experiment trackers: MLflow and TensorBoard. Reads what is stored, trains nothing."""
