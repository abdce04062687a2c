"""Features of images, as a table."""
