from .build import worlds as worlds
from .comparison import for_config as for_config
from .loop import Ruler as Ruler
from .reading import Reading as Reading

__all__: list[str]
