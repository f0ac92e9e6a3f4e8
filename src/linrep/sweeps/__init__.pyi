from .engines import Engine as Engine
from .engines import engine as engine
from .engines import executor as executor
from .file import Axis as Axis
from .file import Point as Point
from .file import Sweep as Sweep
from .file import load_sweep as load_sweep
from .file import parse_sweep as parse_sweep
from .grid import Cell as Cell
from .grid import cells as cells
from .numbers import Numbers as Numbers
from .numbers import gather as gather
from .numbers import tidy as tidy
from .result import SweepResult as SweepResult
from .sweep import Outcome as Outcome
from .sweep import Standing as Standing
from .sweep import run_cells as run_cells

__all__: list[str]
