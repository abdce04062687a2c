"""Where runs are computed. An executor hands jobs to worker processes and passes on what they say."""
