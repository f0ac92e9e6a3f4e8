"""THE LABORATORY. Config to Result: where worlds, training, ruler and prediction meet."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
