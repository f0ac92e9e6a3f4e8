"""THE WORLD. Concepts and their joint, the contexts and tokens they make, and exact truths about them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
