"""Exact steps of gradient descent and Adam: tables, gradient and moments are one piece of memory each.

A small world's gradient takes a tenth of a millisecond, in which every call of PyTorch shows: a step is the
gradient, written where it is needed, and one call that moves everything. In that memory a table lies column
after column, as its gradient does; row after row on a card that has kernels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from linrep.population import card
from linrep.population.gradient import Method, Population, table_gradients
from linrep.training.encoder import Table
from linrep.training.replayed import Replayed
from linrep.training.state import State

FIRST_DECAY, SECOND_DECAY, EPSILON = 0.9, 0.999, 1e-8
ALIGNED = 16
"""Parts begin at multiples of so many numbers, as vector instructions like it."""
AHEAD = 64
"""Steps whose numbers are made tensors at once."""


class Descent:
    """Moves a state along the exact gradient: by Adam where it has moments, straight down where not.

    Naively: ``torch.optim.SGD(state.trained)`` or ``torch.optim.Adam(state.trained)``.

    Args:
        population: The batch of runs.
        state: Changed in place; what it trains is first laid out anew, so tensors taken from it before are
            copies from then on.
        method: Form of the gradient.
    """

    def __init__(self, population: Population, state: State, method: Method) -> None:
        self.population, self.state = population, state
        self.method: Method = method
        count = len(state.trained)
        table = isinstance(state.encoder, Table)
        # As kernels take them on a card; elsewhere as all that follows is fastest.
        rows = method == "auto" and card.usable(population, state.unembedding.shape[2])
        self.by_columns = [table and not rows] * (count - 1) + [not rows]
        self.memory, trained = self._laid(state.trained)
        state.parameters, state.unembedding = trained[:-1], trained[-1]
        self.moments: list[Tensor] = []
        if state.moments:
            first, first_parts = self._laid(state.moments[:count])
            second, second_parts = self._laid(state.moments[count:])
            self.moments, state.moments = [first, second], first_parts + second_parts
        self.gradient, self.slopes = self._laid([torch.zeros_like(each) for each in trained])
        self.room = (self.slopes[0].mT if table else None, self.slopes[-1].mT)
        self.clocks: dict[int, Tensor] = {}
        # What a step reads that is another at each of them: its size, and its number.
        self.size, self.clock = self.memory.new_zeros(()), torch.zeros((), device=self.memory.device)
        alone = table and population.shard.team.ranks == 1
        self.replayed = Replayed(self._as_launched, self.memory.device) if rows and alone else None

    def step(self, step_size: float, number: int) -> None:
        """Move everything once.

        Args:
            step_size: Of this step.
            number: Of this step, from 1.
        """
        if self.replayed is not None:
            self.size.fill_(step_size)
            self.clock.fill_(number)
            self.replayed()
            return
        self._slopes()
        if self.moments:
            self._adam(step_size, self._clock(number))
        else:
            self.memory.sub_(self.gradient, alpha=step_size)

    def _as_launched(self) -> None:
        """A step of whatever size and number lie in memory."""
        self._slopes()
        if self.moments:
            self._adam(self.size, self.clock)
        else:
            self.memory.addcmul_(self.gradient, self.size, value=-1)

    def _slopes(self) -> None:
        """The gradient, in its memory."""
        state = self.state
        embedding, pull_back = state.encoder.exact(state.parameters)
        slope_f, _ = table_gradients(
            self.population, embedding, state.unembedding, method=self.method, out=self.room
        )
        if self.room[0] is None:
            for slope, found in zip(self.slopes[:-1], pull_back(slope_f), strict=True):
                slope.copy_(found)

    def _adam(self, step_size: float | Tensor, clock: Tensor) -> None:
        """The kernel of ``torch.optim.Adam(fused=True)`` itself: what surrounds it there takes far longer."""
        first, second = self.moments
        torch._fused_adam_(  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage]
            [self.memory],
            [self.gradient],
            [first],
            [second],
            [],
            [clock],
            amsgrad=False,
            beta1=FIRST_DECAY,
            beta2=SECOND_DECAY,
            lr=step_size,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )

    def _clock(self, number: int) -> Tensor:
        if number not in self.clocks:
            ahead = torch.arange(number, number + AHEAD, dtype=torch.float32, device=self.memory.device)
            self.clocks = dict(enumerate(ahead.unbind(), start=number))
        return self.clocks[number]

    def _laid(self, tensors: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Copies one after the other: their memory, and each of them in it."""
        starts = [0]
        for each in tensors:
            starts.append(starts[-1] + each.numel() + -each.numel() % ALIGNED)
        memory = tensors[0].new_zeros(starts[-1])
        parts: list[Tensor] = []
        for tensor, start, turned in zip(tensors, starts[:-1], self.by_columns, strict=True):
            space = memory[start : start + tensor.numel()]
            part = space.view(tensor.mT.shape).mT if turned else space.view(tensor.shape)
            parts.append(part.copy_(tensor))
        return memory, parts
