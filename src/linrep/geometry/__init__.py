"""THE RULER. Matrices and index pairs in, frozen records out; it knows no model, so tables and
language models are measured by the same functions.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
