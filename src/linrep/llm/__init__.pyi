from .history.measuring import emergence as emergence
from .history.result import EmergenceResult as EmergenceResult
from .intervention import SteerResult as SteerResult
from .intervention import steer as steer
from .loading import LanguageModel as LanguageModel
from .loading import load_model as load_model
from .measurement import measure as measure
from .options import MeasureOptions as MeasureOptions
from .replication import LMPaper as LMPaper
from .replication import paper as paper
from .result import LMResult as LMResult
from .source import LoadOptions as LoadOptions
from .tokens import TokenPolicy as TokenPolicy

__all__: list[str]
