"""THE LABORATORY. Config to Result: where worlds, training, ruler and prediction meet."""
