"""What judged steps stand on where a card is at hand; elsewhere it is :mod:`linrep.population.residuals`."""

import torch
from jaxtyping import Float
from torch import Tensor

from linrep.population import card
from linrep.population.gradient import PopulationGradient
from linrep.population.packed import Packed
from linrep.population.population import Population

MOST_TOKENS = 128
"""Of a run: float64 takes two registers a number, and a tile has all tokens."""


class CardResiduals:
    """The gradient that judged steps stand on, by a kernel: a twin of a part of ``Residuals``.

    Naively: ``Residuals(population).gradient(f, g)``.

    Args:
        packed: Of the batch of runs, float64.
        dim: k.
    """

    def __init__(self, packed: Packed, dim: int) -> None:
        from linrep.population.kernels.judge import Judge

        self.judge = Judge(packed, dim)

    @classmethod
    def of(cls, population: Population, dim: int) -> "CardResiduals | None":
        """None where there is no card, or a run is too wide for a tile.

        Args:
            population: The batch of runs.
            dim: k.
        """
        small = population.token_index.shape[1] <= MOST_TOKENS and dim <= card.WIDEST
        small &= population.runs <= card.MOST_RUNS
        if not small or population.shard.team.ranks > 1 or not card.known_to_triton(population.device):
            return None
        packed = Packed.of(population.to(dtype=torch.float64))
        return None if packed is None else cls(packed, dim)

    def gradient(
        self, embedding: Float[Tensor, "runs contexts dim"], unembedding: Float[Tensor, "runs tokens dim"]
    ) -> PopulationGradient:
        """Both in float64, exact to rounding however small.

        Args:
            embedding: F, any floating dtype; what counts is the number it stands for.
            unembedding: G.
        """
        with card.current(embedding.device):
            loss, slope_f, slope_g = self.judge(embedding.double(), unembedding.double())
        return PopulationGradient(excess_loss=loss, embedding=slope_f, unembedding=slope_g)
