"""Whole steps on a card, many a launch: where runs are so small that each is one program of a kernel.

A world of few tokens takes less time than the call that starts a kernel: so a launch takes all the steps to
the next look. What :mod:`linrep.population.card` is for a gradient, this is for steps; tables lie by rows.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from linrep.population import card
from linrep.population.gradient import Method, Population
from linrep.population.packed import Packed
from linrep.training.descent import FIRST_DECAY, SECOND_DECAY
from linrep.training.encoder import Table
from linrep.training.schedule import Schedule
from linrep.training.state import State

if TYPE_CHECKING:
    from linrep.training.minibatches import Tables

MOST_TOKENS = 128
"""Of a run that one program takes on."""
MOST_OF_FEW = 32
"""Tokens of a run that one program takes on even where runs are fewer than the card's processors."""
MOST_PAIRS = 128
"""Of a minibatch: they are compared with one another for contexts drawn twice."""


def one_program_a_run(population: Population, state: State) -> bool:
    """Whether runs are few tokens wide, trained as tables, and a card and Triton are here."""
    return fits_a_program(population, state) and card.usable(population, state.unembedding.shape[2])


def fits_a_program(population: Population, state: State) -> bool:
    """Whether runs are small enough, wherever they are."""
    _, tokens, dim = state.unembedding.shape
    table = type(state.encoder) is Table and population.shard.team.ranks == 1
    return table and tokens <= MOST_TOKENS and card.fits(population, dim)


class CardDescent:
    """Moves tables along the exact gradient: by Adam where the state has moments, straight down where not.

    Naively: :meth:`linrep.training.descent.Descent.step`, step by step.

    Args:
        packed: The batch of runs.
        state: Changed in place; its tables are laid out by rows first.
    """

    def __init__(self, packed: Packed, state: State) -> None:
        from linrep.population.kernels.stretches import Steps

        by_rows(state)
        self.state, self.steps = state, Steps(packed, state.unembedding.shape[2])

    @classmethod
    def of(cls, population: Population, state: State, method: Method) -> "CardDescent | None":
        """None where it does not serve.

        Args:
            population: The batch of runs.
            state: Changed in place.
            method: Form of the gradient that was asked for.
        """
        if method != "auto" or not one_program_a_run(population, state):
            return None
        if _spreads_better(population):
            return None
        packed = Packed.of(population)
        return None if packed is None else cls(packed, state)

    def advance(self, first: int, last: int, schedule: Schedule) -> None:
        """Take steps ``first`` to before ``last``."""
        if last > first:
            rates = torch.tensor([_rates(step, schedule) for step in range(first, last)], dtype=torch.float32)
            state = self.state
            f, g = state.trained
            with card.current(f.device):
                self.steps(f, g, state.moments, rates.to(f.device, non_blocking=True))


class CardSamples:
    """Takes steps of SGD on pairs of each run's own stream, which are those that the CPU draws.

    Naively: :func:`linrep.training.minibatches.sgd_step` on ``source.chosen(uniforms(keys, step, …))``.

    Args:
        population: The batch of runs.
        state: Changed in place; its tables are laid out by rows first.
        tables: What pairs are drawn from, as the CPU made it.
        keys: 64 bits a run.
        batch_size: Pairs of a step.
    """

    def __init__(
        self, population: Population, state: State, tables: "Tables", keys: Sequence[int], batch_size: int
    ) -> None:
        from linrep.population.kernels import stretches

        by_rows(state)
        device = state.unembedding.device
        self.stretches, self.state, self.batch_size = stretches, state, batch_size
        self.keys = torch.tensor([_signed(key) for key in keys], device=device)
        names = [name for name in stretches.Samples._fields if name != "most"]
        moved = {name: torch.from_numpy(getattr(tables, name)).to(device) for name in names}
        self.source = stretches.Samples(**moved, most=max(population.sizes))
        mask = population.token_mask
        self.taken = None if mask is None else mask.to(torch.uint8).contiguous()

    def pairs(self, first: int, steps: int) -> tuple[Tensor, Tensor]:
        """Rows of contexts and of tokens, ``[runs, steps, batch]``.

        Args:
            first: Step.
            steps: How many.
        """
        with card.current(self.keys.device):
            return self.source.draw(self.keys, first, steps, self.batch_size)

    def advance(self, first: int, last: int, schedule: Schedule) -> None:
        """Take steps ``first`` to before ``last``."""
        if last > first:
            sizes = [schedule(step) / self.batch_size for step in range(first, last)]
            f, g = self.state.trained
            rates = torch.tensor(sizes, dtype=torch.float32).to(f.device, non_blocking=True)
            pairs = self.pairs(first, last - first)
            with card.current(f.device):
                self.stretches.sample_steps(f, g, pairs, self.taken, rates)


def _spreads_better(population: Population) -> bool:
    """Whether runs are so few, and so large, that programs of their own would leave much of a card idle.

    Then a gradient is spread over it (:class:`linrep.population.kernels.launches.Tile`), a graph a step.
    """
    from linrep.population.kernels.launches import processors

    few = population.runs < 2 * processors(population.device)
    return few and population.token_index.shape[1] > MOST_OF_FEW


def by_rows(state: State) -> None:
    """Lay its tables, and their moments, one row after the other, each in a piece of memory of its own."""
    state.parameters = [each.clone(memory_format=torch.contiguous_format) for each in state.parameters]
    state.unembedding = state.unembedding.clone(memory_format=torch.contiguous_format)
    state.moments = [each.clone(memory_format=torch.contiguous_format) for each in state.moments]


def _rates(step: int, schedule: Schedule) -> tuple[float, float, float]:
    """Its size, and what undoes the bias of Adam's two means."""
    number = step + 1
    return schedule(step), 1 / (1 - FIRST_DECAY**number), 1 / (1 - SECOND_DECAY**number)


def _signed(key: int) -> int:
    return key - 2**64 if key >= 2**63 else key
