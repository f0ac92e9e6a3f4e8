"""Bring your own vectors: any embeddings with attributes, measured by the same ruler as tables and models."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
