"""MANY RUNS. Grids of configs over processes, Dask and SLURM, and their numbers as one table."""
