"""Bring your own vectors: any embeddings with attributes, measured by the same ruler as tables and models."""

from linrep.vectors.measure import VectorsOptions, measure_vectors
from linrep.vectors.result import Row, VectorsResult

__all__ = ["Row", "VectorsOptions", "VectorsResult", "measure_vectors"]
