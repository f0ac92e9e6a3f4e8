"""Whether the loss rises under fixed steps: looked at two steps in a row, here and there over training.

Two in a row, because beyond the edge of stability a loss goes up and down by turns; and at places that keep
no rhythm of their own.
"""

import torch
from torch import Tensor

from linrep.population.gradient import Method, Population, population_gradient
from linrep.training.state import State

WINDOWS = 32
"""Places looked at; a loss is worked out three times at each."""
STRIDE = 0.6180339887498949
"""The golden ratio's fraction: multiples of it, modulo 1, keep no rhythm."""
CLEAR = 1e-6
"""Share of the loss by which it must rise to count: what float64 tells for sure of a plain loss."""
ROSE, LOOKED, BEFORE = "rose", "looked", "loss_before"
KEPT = (ROSE, LOOKED, BEFORE)
"""What a state keeps: how many steps raised a run's loss, of how many; its loss before the step under way."""


class Rising:
    """Counts in the state the steps at which each run's loss rose.

    Args:
        population: The batch of runs.
        state: Its ``adaptive`` numbers are from :func:`fresh`; counted in place.
        steps: Of all of training.
        method: Form of the gradient.
    """

    def __init__(self, population: Population, state: State, steps: int, method: Method = "auto") -> None:
        self.population, self.state = population.to(dtype=torch.float64), state
        self.steps: int = steps
        self.method: Method = method

    @staticmethod
    def fresh(runs: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """What a state keeps for it."""
        none = torch.zeros(runs, dtype=torch.int64, device=device)
        before = torch.full((runs,), torch.nan, dtype=torch.float64, device=device)
        return {ROSE: none, LOOKED: none.clone(), BEFORE: before}

    def wants(self, step: int) -> bool:
        """Whether :meth:`look` has something to see before the step of this index."""
        return place_in_window(step, self.steps) is not None

    def look(self, step: int) -> None:
        """Before the step of this index, from 0."""
        place = place_in_window(step, self.steps)
        if place is None:
            return
        kept, state = self.state.adaptive, self.state
        f, g = state.embedding.detach().double(), state.unembedding.double()
        loss = population_gradient(self.population, f, g, method=self.method).excess_loss
        if place > 0:
            counted = state.under_way & ~kept[BEFORE].isnan()
            kept[LOOKED] += counted
            kept[ROSE] += counted & (loss > kept[BEFORE] * (1 + CLEAR))
        kept[BEFORE].copy_(loss)


def place_in_window(step: int, steps: int) -> int | None:
    """0, 1, 2 at the three losses of a window, None between windows.

    Example:
        >>> [place_in_window(step, 160) for step in range(5, 13)]
        [None, 0, 1, 2, None, 0, 1, 2]
    """
    spacing = max(3, steps // WINDOWS)
    number, within = divmod(step, spacing)
    place = within - int(STRIDE * number % 1 * (spacing - 2))
    return place if 0 <= place < 3 else None
