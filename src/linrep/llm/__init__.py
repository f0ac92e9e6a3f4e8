"""The same ruler on language models. Importing this loads neither transformers nor pandas."""

from linrep.llm.intervention import SteerResult, steer
from linrep.llm.loading import LanguageModel, load_model
from linrep.llm.measurement import measure
from linrep.llm.options import MeasureOptions
from linrep.llm.result import LMResult
from linrep.llm.source import LoadOptions
from linrep.llm.tokens import TokenPolicy

__all__ = [
    "LMResult",
    "LanguageModel",
    "LoadOptions",
    "MeasureOptions",
    "SteerResult",
    "TokenPolicy",
    "load_model",
    "measure",
    "steer",
]
