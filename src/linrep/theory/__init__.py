"""THE PREDICTION: closed forms and convex programs. It may not see the ruler, nor the ruler it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
