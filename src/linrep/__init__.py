"""linrep: why, when and how concepts become linear directions in language models."""

__version__ = "0.1.0"
