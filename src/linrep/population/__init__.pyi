from .excess_loss import accurate_excess_loss as accurate_excess_loss
from .gradient import PopulationGradient as PopulationGradient
from .gradient import population_gradient as population_gradient
from .population import Population as Population
from .sampling import Sampler as Sampler
from .sharding import Shard as Shard
from .sharding import Team as Team
from .sharding import team as team

__all__: list[str]
