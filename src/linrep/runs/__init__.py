"""THE RECORD. What a user writes and what a run leaves behind: config, result, summary, and their folders."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
