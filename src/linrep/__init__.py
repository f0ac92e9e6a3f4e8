"""linrep: why, when and how concepts become linear directions in language models.

Names are imported when first used: importing the package loads neither torch nor a plotting library.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from linrep.bif import load_network, read_bif, write_bif
    from linrep.concepts import ConceptModel, chain, from_tables, independent, random_dag
    from linrep.config import Config
    from linrep.config_file import load
    from linrep.contexts import World, world
    from linrep.errors import DivergedError, InputError
    from linrep.experiment import run
    from linrep.population import Population, PopulationGradient, population_gradient
    from linrep.result import Result

_HOME = {
    "load_network": "bif",
    "read_bif": "bif",
    "write_bif": "bif",
    "ConceptModel": "concepts",
    "chain": "concepts",
    "from_tables": "concepts",
    "independent": "concepts",
    "random_dag": "concepts",
    "Config": "config",
    "load": "config_file",
    "World": "contexts",
    "world": "contexts",
    "DivergedError": "errors",
    "InputError": "errors",
    "run": "experiment",
    "Population": "population",
    "PopulationGradient": "population",
    "population_gradient": "population",
    "Result": "result",
}

__all__ = [
    "ConceptModel",
    "Config",
    "DivergedError",
    "InputError",
    "Population",
    "PopulationGradient",
    "Result",
    "World",
    "__version__",
    "chain",
    "from_tables",
    "independent",
    "load",
    "load_network",
    "population_gradient",
    "random_dag",
    "read_bif",
    "run",
    "world",
    "write_bif",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'linrep' has no attribute {name!r}")
    return getattr(importlib.import_module(f"linrep.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
