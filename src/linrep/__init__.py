"""linrep: why, when and how concepts become linear directions in language models.

Every room is an attribute, the verbs stand beside them, and each is imported when first used: importing the
package loads neither torch nor a plotting library. ``__init__.pyi`` lists them.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
