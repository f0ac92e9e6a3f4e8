"""THE PAPER. Its experiments and those beyond it, run and written up; its claims, each with a verdict."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
