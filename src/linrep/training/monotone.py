r"""Descent whose every step lowers the loss: each run finds its own step size.

A step along the gradient is taken if the loss falls by a share of what the gradient promises (Armijo's
rule), and the run's step size then grows; otherwise the run stays and its step size halves. F and G move by
one step size, so that :math:`F^\top F - G^\top G` is kept as gradient flow keeps it, up to the order of a
step; the sum of the steps taken is the time that gradient flow would have run.

One gradient a step, in float64 whatever the tables' dtype: what is judged is the loss of the very numbers
that are stored.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.population.gradient import Method, Population, PopulationGradient, population_gradient
from linrep.population.judging import CardResiduals
from linrep.population.residuals import Residuals
from linrep.training.encoder import Table
from linrep.training.replayed import Replayed
from linrep.training.state import State, not_ended
from linrep.training.until import Until, gradient_nats

SUFFICIENT = 0.1
"""Share of the promised fall that a step must bring."""
GROW, SHRINK = 1.3, 0.5
CLEAR = 1e-11
"""Nats that the plain loss resolves in float64, for logits up to a few thousand. Where a smaller fall
decides, the loss without cancellation does."""


class Monotone:
    """Moves every run that has not ended down the exact gradient, never up the loss.

    Naively: ``torch.optim.SGD`` with a backtracking line search for each run by itself.

    Args:
        population: The batch of runs.
        state: Changed in place; its ``adaptive`` numbers are from :func:`fresh`.
        method: Form of the gradient.
        until: When a run ends, and stays as it is.
        ridge: λ of λ/2C (‖F‖² + ‖G‖²) beside the loss, C contexts.
    """

    def __init__(
        self,
        population: Population,
        state: State,
        method: Method = "auto",
        until: Until | None = None,
        ridge: float = 0.0,
    ) -> None:
        self.population, self.state = population.to(dtype=torch.float64), state
        self.method: Method = method
        self.until = Until() if until is None else until
        on_card = CardResiduals.of(population, state.unembedding.shape[2]) if method == "auto" else None
        if on_card is not None:
            state.adaptive["careful"].fill_(True)  # it always is, and so is whoever goes on from here
        careful = bool(state.adaptive["careful"])
        self.residuals = on_card or (Residuals(population) if careful else None)
        contexts = population.shard.team.total((population.weights > 0).sum(-1))
        self.ridge = ridge / contexts.double()
        self.with_ridge = ridge > 0
        self.loss, self.slopes, gradient = self._evaluated(state.trained)
        self._end(self.loss, gradient)
        # What ends a run asks the host for the step; a network's pull-back is autograd's.
        same_launches = on_card is not None and type(state.encoder) is Table and not self.until.wanted
        self.replayed = Replayed(self._moved, population.device) if same_launches else None

    @staticmethod
    def fresh(runs: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """What a state keeps for it: step size, time, whether steps are so small that care is needed."""
        return {
            "step_size": torch.ones(runs, dtype=torch.float64, device=device),
            "time": torch.zeros(runs, dtype=torch.float64, device=device),
            "careful": torch.zeros(1, dtype=torch.bool, device=device),
            **not_ended(runs, device),
        }

    def step(self) -> None:
        """Move every run that finds a lower loss; one gradient."""
        if self.replayed is not None:
            self.replayed()
            self.state.step += 1
            return
        loss, gradient, taken = self._moved()
        self.state.step += 1
        self._end(loss, gradient, taken)

    def _moved(self) -> tuple[Tensor, Tensor, Tensor]:
        """Loss and gradient of the candidates, and which runs took theirs."""
        state, size = self.state, self.state.adaptive["step_size"]
        moving = state.under_way
        fall = SUFFICIENT * size * self._squares()
        if self.residuals is None and bool((fall[moving] < CLEAR).any()):
            # From here on: a resumed run must not fall back to the plain form.
            state.adaptive["careful"].fill_(True)
            self.residuals = Residuals(self.population)
            self.loss, self.slopes, _ = self._evaluated(state.trained)
        candidate = [
            (table.double() - _as(size, table) * slope.double()).to(table.dtype)
            for table, slope in zip(state.trained, self.slopes, strict=True)
        ]
        loss, slopes, gradient = self._evaluated(candidate)
        # Where nothing is left to descend a step of any size would be taken, and sizes outgrow all numbers.
        moving &= fall > 0
        taken = moving & (loss <= self.loss - fall)
        for old, new in (*zip(state.trained, candidate, strict=True), *zip(self.slopes, slopes, strict=True)):
            old.copy_(torch.where(_as(taken, old), new, old))
        self.loss.copy_(torch.where(taken, loss, self.loss))
        state.adaptive["time"] += torch.where(taken, size, 0.0)
        grown = torch.where(taken, size * GROW, size * SHRINK)
        size.copy_(torch.where(moving, grown, size))
        return loss, gradient, taken

    def _end(self, loss: Tensor, gradient: Tensor, fresh: Tensor | None = None) -> None:
        if self.until.wanted:
            there = self.until.reached(loss, gradient)
            self.state.end(there if fresh is None else there & fresh)

    def _evaluated(self, trained: Sequence[Tensor]) -> tuple[Float64[Tensor, " runs"], list[Tensor], Tensor]:
        """Objective, its gradient with respect to all that is trained, and that of the tables if asked."""
        f, pull_back = self.state.encoder.exact(list(trained[:-1]))
        tables = (f.detach().double(), trained[-1].double())
        found = self._gradient(*tables)
        loss, slopes = found.excess_loss, (found.embedding, found.unembedding)
        team = self.population.shard.team
        if self.with_ridge:
            lengths = team.total(tables[0].square().sum((1, 2))) + tables[1].square().sum((1, 2))
            loss = loss + self.ridge / 2 * lengths
            pull = self.ridge[:, None, None]
            slopes = (slopes[0] + pull * tables[0], slopes[1] + pull * tables[1])
        wanted = self.until.gradient is not None
        gradient = gradient_nats(slopes, tables, team) if wanted else torch.zeros_like(loss)
        return loss, [*pull_back(slopes[0].to(f.dtype)), slopes[1].clone()], gradient

    def _gradient(self, f: Tensor, g: Tensor) -> PopulationGradient:
        if self.residuals is not None:
            return self.residuals.gradient(f, g)
        return population_gradient(self.population, f, g, method=self.method)

    def _squares(self) -> Float64[Tensor, " runs"]:
        squares = [slope.double().square().sum(tuple(range(1, slope.ndim))) for slope in self.slopes]
        return self.population.shard.team.total(torch.stack(squares[:-1]).sum(0)) + squares[-1]


def _as(numbers: Tensor, table: Tensor) -> Tensor:
    """One number a run, to go with a table of any shape."""
    return numbers.view(-1, *[1] * (table.ndim - 1))
