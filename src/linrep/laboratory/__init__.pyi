from .build import concept_model as concept_model
from .build import resolve as resolve
from .build import worlds as worlds
from .comparison import Beside as Beside
from .comparison import beside as beside
from .comparison import for_config as for_config
from .comparison import for_result as for_result
from .held_out import HeldOut as HeldOut
from .laid import lay as lay
from .loop import Ruler as Ruler
from .reading import Reading as Reading
from .ruler import BatchRuler as BatchRuler
from .stage import Stage as Stage

__all__: list[str]
