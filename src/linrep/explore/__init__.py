"""The live laboratory: a local page that drives a training, to watch the cube form and to break it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
