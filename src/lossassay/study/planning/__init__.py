"""What will be run, decided before the first run and written down."""
