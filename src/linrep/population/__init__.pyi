from .gradient import PopulationGradient as PopulationGradient
from .gradient import population_gradient as population_gradient
from .population import Population as Population

__all__: list[str]
