"""Images that a run has not seen: listed and read as its own study reads images."""
