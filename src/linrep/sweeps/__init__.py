"""MANY RUNS. Grids of configs over processes, Dask and SLURM, and their numbers as one table."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
