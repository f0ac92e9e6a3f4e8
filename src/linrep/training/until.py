"""When a run may end before its last step: its loss, or its gradient, is as small as was asked for."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from linrep.population.gradient import Population
from linrep.population.sharding import ALONE, Team

BEGUN = 0.9
"""Of the excess loss of tables that know nothing: above, a run is where every small start begins, at a saddle
that all leave, however small its gradient is there and however slow it moves."""
LEAST = 1e-9
"""Nats: what is smaller may be no more than rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """What ends a run; with both, both must hold; with neither, its steps alone end it."""

    excess: float | None = None
    """Nats of excess loss."""
    gradient: float | None = None
    """Nats, by :func:`gradient_nats`."""
    nothing: Float64[Tensor, " runs"] | None = None
    """Nats, by :func:`excess_of_nothing`: where it is given, a gradient ends no run that has not begun."""

    @property
    def wanted(self) -> bool:
        """Whether there is anything to wait for."""
        return self.excess is not None or self.gradient is not None

    def reached(
        self, excess: Float64[Tensor, " runs"], gradient: Float64[Tensor, " runs"]
    ) -> Bool[Tensor, " runs"]:
        """Which runs are there.

        Example:
            >>> excess = torch.tensor([0.2, 0.1], dtype=torch.float64)
            >>> Until(excess=0.1).reached(excess, torch.zeros_like(excess))
            tensor([False,  True])
        """
        found = torch.full_like(excess, self.wanted, dtype=torch.bool)
        if self.excess is not None:
            found &= excess <= self.excess
        if self.gradient is not None:
            found &= gradient <= self.gradient
            if self.nothing is not None:
                found &= (excess < BEGUN * self.nothing) | (self.nothing <= LEAST)
        return found


def excess_of_nothing(population: Population) -> Float64[Tensor, " runs"]:
    r"""Excess loss of F = 0, :math:`\sum_d \omega(d) (\ln T - H(d))` over a run's T tokens, in nats.

    Args:
        population: The batch of runs; every rank has a part in it, and its result.

    Example:
        >>> import linrep
        >>> population = Population.of([linrep.world(linrep.load_network("cancer"))])
        >>> excess_of_nothing(population)
        tensor([2.7518], dtype=torch.float64)
    """
    mask = population.token_mask
    tokens = population.token_index.shape[1] if mask is None else mask.sum(-1, keepdim=True).double()
    lost = torch.as_tensor(tokens, dtype=torch.float64, device=population.device).log() - population.entropy
    return population.shard.team.total((population.weights * lost).sum(-1))


def gradient_nats(
    slopes: tuple[Float[Tensor, "runs contexts dim"], Float[Tensor, "runs tokens dim"]],
    tables: tuple[Float[Tensor, "runs contexts dim"], Float[Tensor, "runs tokens dim"]],
    team: Team = ALONE,
) -> Float64[Tensor, " runs"]:
    r"""How much the loss could change to first order if both tables moved by their own length, in nats.

    :math:`\|\nabla L\| \cdot \|(F, G)\|`: unlike the norm of the gradient it has the unit of the loss.

    Naively: ``cat([dF, dG]).norm() * cat([F, G]).norm()``.

    Args:
        slopes: Gradient with respect to F (this rank's contexts) and G.
        tables: F and G.
        team: Whose ranks share the contexts.
    """

    def square(f: Tensor, g: Tensor) -> Tensor:
        return team.total(_square(f)) + _square(g)

    return (square(*slopes) * square(*tables)).sqrt()


def _square(table: Tensor) -> Float64[Tensor, " runs"]:
    return table.double().square().sum(tuple(range(1, table.ndim)))
