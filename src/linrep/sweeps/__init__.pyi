from .engines import engine as engine
from .file import Sweep as Sweep
from .file import load_sweep as load_sweep
from .file import parse_sweep as parse_sweep
from .grid import Cell as Cell
from .grid import cells as cells
from .numbers import Numbers as Numbers
from .result import SweepResult as SweepResult
from .sweep import run_cells as run_cells

__all__: list[str]
