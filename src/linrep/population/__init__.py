"""THE OBJECTIVE. Worlds as batches of runs: exact targets, gradients, excess loss, and samples."""
