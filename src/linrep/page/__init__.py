"""THE PAGES. Every page and figure: one HTML file that opens offline, and its figures for a paper."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
