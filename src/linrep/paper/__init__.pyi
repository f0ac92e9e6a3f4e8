from .catalogue import NAMES as NAMES
from .catalogue import experiment as experiment
from .exhibition import Gallery as Gallery
from .exhibition import gallery as gallery
from .record import Experiment as Experiment

__all__: list[str]
