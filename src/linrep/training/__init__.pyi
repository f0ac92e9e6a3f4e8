from .dataset import Dataset as Dataset
from .encoder import Encoder as Encoder
from .state import State as State
from .state import start as start
from .training import train as train

__all__: list[str]
