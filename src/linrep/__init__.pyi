# The public API, and where each name lives; `__init__.py` reads it.
from . import cli as cli
from . import explore as explore
from . import geometry as geometry
from . import laboratory as laboratory
from . import llm as llm
from . import page as page
from . import paper as paper
from . import population as population
from . import runs as runs
from . import sweeps as sweeps
from . import theory as theory
from . import training as training
from . import vectors as vectors
from . import worlds as worlds
from .errors import DivergedError as DivergedError
from .errors import InputError as InputError
from .laboratory.experiment import predict as predict
from .laboratory.experiment import run as run
from .laboratory.loop import Ruler as Ruler
from .laboratory.measuring import measure as measure
from .laboratory.reading import Reading as Reading
from .population.gradient import PopulationGradient as PopulationGradient
from .population.gradient import population_gradient as population_gradient
from .population.population import Population as Population
from .runs.config import Config as Config
from .runs.opened import open as open
from .runs.result import Result as Result
from .runs.toml import load as load
from .sweeps.result import SweepResult as SweepResult
from .sweeps.result import sweep as sweep
from .worlds.concepts import ConceptModel as ConceptModel
from .worlds.concepts import chain as chain
from .worlds.concepts import from_tables as from_tables
from .worlds.concepts import independent as independent
from .worlds.concepts import random_dag as random_dag
from .worlds.contexts import world as world
from .worlds.network import load_network as load_network
from .worlds.network import read_bif as read_bif
from .worlds.network import write_bif as write_bif
from .worlds.truth import World as World

__version__: str
__all__: list[str]
