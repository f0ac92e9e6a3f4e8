from .state import State as State
from .training import train as train

__all__: list[str]
