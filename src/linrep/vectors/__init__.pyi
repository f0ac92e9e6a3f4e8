from .measure import VectorsOptions as VectorsOptions
from .measure import measure_vectors as measure_vectors
from .result import VectorsResult as VectorsResult

__all__: list[str]
