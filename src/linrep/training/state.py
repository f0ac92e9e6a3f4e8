"""What training changes: parameters, unembedding, moments, the order of minibatches; and how it starts."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from linrep.population.gradient import Population
from linrep.population.sharding import Shard
from linrep.training.encoder import Encoder, Table
from linrep.training.normals import Normals

Optimizer = Literal["gd", "sgd", "adam", "newton"]
STEP_SIZE, ENDED = "step_size", "ended_at"
"""In what a state keeps to choose its steps: each run's step size; the step at which it ended."""


@dataclass(slots=True, kw_only=True)
class State:
    """Everything that training changes, in place.

    Example:
        >>> import linrep
        >>> population = linrep.Population.of([linrep.world(linrep.load_network("cancer"))])
        >>> draw = torch.Generator()
        >>> state = start(population, 5, init_scale=0.1, optimizer="gd", generators=[draw], order=draw)
        >>> state.unembedding.shape
        torch.Size([1, 32, 5])
    """

    step: int
    encoder: Encoder
    """What the parameters are parameters of; itself never changed."""
    parameters: list[Tensor]
    """Of the encoder, run axis first; for a table the embedding alone."""
    unembedding: Float[Tensor, "runs tokens dim"]
    moments: list[Tensor]
    """Adam's first moments, then second moments, of all that is trained; empty for gd and sgd."""
    order: torch.Generator
    """Draws the minibatches."""
    order_before: Tensor
    """State of ``order`` before the chunk under way was drawn."""
    diverged_at: Int[Tensor, " runs"]
    """First step after which a run's numbers were not finite; -1 while they are."""
    adaptive: dict[str, Tensor] = field(default_factory=dict)
    """What a rule that chooses its own steps keeps from one to the next, by name; empty for fixed steps."""

    @property
    def embedding(self) -> Float[Tensor, "runs contexts dim"]:
        """F of every context, by the encoder as it stands."""
        return self.encoder.embed(self.parameters)

    @property
    def tables(self) -> list[Tensor]:
        """Embedding and unembedding: what is measured."""
        return [self.embedding, self.unembedding]

    @property
    def trained(self) -> list[Tensor]:
        """The encoder's parameters and the unembedding: what training moves."""
        return [*self.parameters, self.unembedding]

    @property
    def alive(self) -> Tensor:
        """Which runs have stayed finite."""
        return self.diverged_at < 0

    @property
    def ended_at(self) -> Int[Tensor, " runs"]:
        """The step at which a run came to what was asked for, and stayed; -1 for the others."""
        return self.adaptive.get(ENDED, torch.full_like(self.diverged_at, -1))

    @property
    def under_way(self) -> Tensor:
        """Which runs still move."""
        return self.alive & (self.ended_at < 0)

    @property
    def over(self) -> bool:
        """Whether runs have ended and none is left that moves."""
        return ENDED in self.adaptive and not bool(self.under_way.any())

    def end(self, runs: Bool[Tensor, " runs"]) -> None:
        """Let runs stay as they are from this step on; those that have ended before keep their step."""
        ended = self.ended_at
        self.adaptive[ENDED] = torch.where(runs & (ended < 0), self.step, ended)


def not_ended(runs: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """What a state keeps where runs may end before the last step."""
    return {ENDED: torch.full((runs,), -1, dtype=torch.int64, device=device)}


def start(
    population: Population,
    dim: int,
    *,
    init_scale: float,
    optimizer: Optimizer,
    generators: Iterable[torch.Generator],
    order: torch.Generator,
    encoder: Encoder | None = None,
    adaptive: dict[str, Tensor] | None = None,
) -> State:
    """A normal start: an unembedding of standard deviation ``init_scale``, and the encoder's parameters.

    Args:
        population: The batch of runs.
        dim: k, the width of both tables.
        init_scale: Standard deviation of every entry of a table.
        optimizer: "adam" gets its moments.
        generators: One a run, so that a run's start does not depend on how many train beside it.
        order: Draws the minibatches later.
        encoder: From contexts to embeddings; by default a table of ``init_scale``.
        adaptive: What the rule of its steps keeps, fresh.

    Returns:
        A fresh state.
    """
    contexts, tokens = population.context_index.shape[1], population.token_index.shape[1]
    if encoder is None:
        encoder = Table(contexts, dim, init_scale=init_scale)
    draws = [Normals(encoder.numbers + tokens * dim, each) for each in generators]
    started = encoder.start(draws, population.dtype)
    unembedding = torch.empty(len(draws), tokens, dim, dtype=population.dtype)
    for run, draw in enumerate(draws):
        draw.fill(unembedding[run], init_scale)
    trained = [each.to(population.device) for each in (*started, unembedding)]
    return State(
        step=0,
        encoder=encoder,
        parameters=trained[:-1],
        unembedding=trained[-1],
        moments=[torch.zeros_like(each) for each in trained * 2] if optimizer == "adam" else [],
        order=order,
        order_before=order.get_state(),
        diverged_at=torch.full((len(draws),), -1, dtype=torch.int64, device=population.device),
        adaptive={} if adaptive is None else adaptive,
    )


def gathered(state: State, shard: Shard) -> State | None:
    """The state with the embedding of all contexts and no moments, to be measured; None but on rank 0.

    Args:
        state: This rank's; alone, the result is the same object.
        shard: Which contexts it has.
    """
    if shard.team.ranks == 1:
        return state
    embedding = shard.gather(state.parameters[0])
    return None if embedding is None else replace(state, parameters=[embedding], moments=[])
