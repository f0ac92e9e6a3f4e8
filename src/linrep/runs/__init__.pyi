from .config import Config as Config
from .index import run_index as run_index
from .opened import Runs as Runs
from .query import where as where
from .result import Result as Result
from .spectrum import Spectrum as Spectrum
from .summary import Summary as Summary
from .toml import load as load

__all__: list[str]
