"""THE DESCENT. From a population to trained vectors F and G: gradient descent, SGD, Adam, and checkpoints."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
