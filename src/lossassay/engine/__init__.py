"""Training. `one` is the meaning of training; the engine knows no folders, it is handed functions that save."""
