from .config import Config as Config
from .folder import read as read
from .folder import write as write
from .index import run_index as run_index
from .keys import run_key as run_key
from .opened import Runs as Runs
from .query import where as where
from .result import Result as Result
from .store import Store as Store
from .summary import Summary as Summary
from .toml import load as load
from .toml import parse as parse

__all__: list[str]
