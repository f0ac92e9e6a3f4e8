from .catalogue import NAMES as NAMES
from .catalogue import experiment as experiment
from .record import Answer as Answer
from .record import Experiment as Experiment
from .report import Report as Report
from .reproduce import reports as reports

__all__: list[str]
