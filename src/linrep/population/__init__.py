"""THE OBJECTIVE. Worlds as batches of runs: exact targets, gradients, excess loss, and samples."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
