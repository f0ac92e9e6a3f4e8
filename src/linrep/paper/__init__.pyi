from .catalogue import NAMES as NAMES
from .catalogue import experiment as experiment
from .record import Experiment as Experiment

__all__: list[str]
