"""Training embedding and unembedding tables of many runs at once: gradient descent, the paper's SGD, Adam.

The state is a record of tensors; :func:`train` moves it forward and yields it wherever it may be measured or
saved. Minibatches are drawn a chunk of steps at a time; the record keeps the generator as it was before, so
that a resumed run draws the same chunk again and is bit-equal to one that never stopped.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.optim.adam import adam

from linrep.population import Method, Population, table_gradients
from linrep.schedule import Schedule

CHUNK = 256
"""Steps of sgd drawn at once."""
LOOK = {"sgd": 32, "gd": 8, "adam": 8}
"""Steps between looks: at a stop, at divergence, at the clock."""

Optimizer = Literal["gd", "sgd", "adam"]
Batch = tuple[Int[Tensor, "runs batch"], Int[Tensor, "runs batch"]]


@dataclass(slots=True, kw_only=True)
class State:
    """Everything that training changes, in place."""

    step: int
    embedding: Float[Tensor, "runs contexts dim"]
    unembedding: Float[Tensor, "runs tokens dim"]
    moments: list[Tensor]
    """Adam's first moments, then second moments, of both tables; empty for gd and sgd."""
    order: torch.Generator
    """Draws the minibatches."""
    order_before: Tensor
    """State of ``order`` before the chunk under way was drawn."""
    diverged_at: Int[Tensor, " runs"]
    """First step after which a run's tables were not finite; -1 while they are."""

    @property
    def tables(self) -> list[Tensor]:
        """Embedding and unembedding."""
        return [self.embedding, self.unembedding]

    @property
    def alive(self) -> Tensor:
        """Which runs have stayed finite."""
        return self.diverged_at < 0


def start(
    population: Population,
    dim: int,
    *,
    init_scale: float,
    optimizer: Optimizer,
    generators: Iterable[torch.Generator],
    order: torch.Generator,
) -> State:
    """Normal tables of standard deviation ``init_scale`` at step 0.

    Args:
        population: The batch of runs.
        dim: k, the width of both tables.
        init_scale: Standard deviation of every entry.
        optimizer: "adam" gets its moments.
        generators: One a run, so that a run's start does not depend on how many train beside it.
        order: Draws the minibatches later.

    Returns:
        A fresh state.
    """
    contexts, tokens = population.context_index.shape[1], population.token_index.shape[1]
    drawn = [
        init_scale * torch.randn(contexts + tokens, dim, generator=generator, dtype=torch.float64)
        for generator in generators
    ]
    both = torch.stack(drawn).to(population.device, population.dtype)
    tables = [both[:, :contexts].clone(), both[:, contexts:].clone()]
    return State(
        step=0,
        embedding=tables[0],
        unembedding=tables[1],
        moments=[torch.zeros_like(table) for table in tables * 2] if optimizer == "adam" else [],
        order=order,
        order_before=order.get_state(),
        diverged_at=torch.full((len(both),), -1, dtype=torch.int64, device=population.device),
    )


def train(
    population: Population,
    state: State,
    *,
    optimizer: Optimizer,
    schedule: Schedule,
    steps: int,
    stops: Sequence[int] = (),
    batch_size: int = 100,
    method: Method = "auto",
) -> Iterator[State]:
    """Train up to ``steps``, handing out the state at every stop, every few steps, and at the end.

    Args:
        population: The batch of runs.
        state: Where to begin: fresh, or saved at any step. Changed in place.
        optimizer: gd and adam follow the exact gradient; sgd samples contexts and tokens.
        schedule: Step size of each step.
        steps: Number of steps in all.
        stops: Steps at which the state is wanted.
        batch_size: Pairs of context and token in a step of sgd.
        method: Form of the exact gradient.

    Yields:
        The same state object, further on. A run whose tables stop being finite is marked in ``diverged_at``
        with the exact step; the others go on.
    """
    wanted = {stop for stop in stops if state.step < stop <= steps}
    batches: list[Batch] = []
    state.order.set_state(state.order_before)

    def advance(first: int, last: int, watch: bool = False) -> None:
        for step in range(first, last):
            if optimizer == "sgd":
                _sgd_step(population, state, schedule(step), batches[step % CHUNK])
            else:
                _exact_step(population, state, schedule(step), step, optimizer, method)
            if watch:
                _mark_diverged(state, step + 1)

    while state.step < steps:
        look = LOOK[optimizer]
        stop = min({(state.step // look + 1) * look, steps} | {each for each in wanted if each > state.step})
        if optimizer == "sgd" and (state.step % CHUNK == 0 or not batches):
            batches = _draw(population, batch_size, state.order)
        before = [tensor.clone() for tensor in (*state.tables, *state.moments)]
        advance(state.step, stop)
        if bool((state.alive & ~_finite(state)).any()):
            # Walk the same steps again, looking after each: which step broke is what the user must know.
            for tensor, saved in zip((*state.tables, *state.moments), before, strict=True):
                tensor.copy_(saved)
            advance(state.step, stop, watch=True)
        state.step = stop
        if stop % CHUNK == 0:
            state.order_before = state.order.get_state()
        yield state


def _draw(population: Population, batch_size: int, generator: torch.Generator) -> list[Batch]:
    contexts, tokens = population.sample(CHUNK * batch_size, generator=generator)
    return list(zip(contexts.split(batch_size, 1), tokens.split(batch_size, 1), strict=True))


def _sgd_step(population: Population, state: State, step_size: float, batch: Batch) -> None:
    """One step on sampled pairs: softmax minus one-hot, with only the sampled rows of F touched."""
    contexts, tokens = batch
    runs, rows, dim = state.embedding.shape
    flat = (contexts + rows * torch.arange(runs, device=contexts.device)[:, None]).reshape(-1)
    table = state.embedding.view(runs * rows, dim)
    sampled = table[flat].view(runs, -1, dim)
    logits = sampled @ state.unembedding.mT
    if population.token_mask is not None:
        logits.masked_fill_(~population.token_mask[:, None, :], -torch.inf)
    residual = torch.softmax(logits, dim=-1)
    residual.scatter_add_(2, tokens[..., None], residual.new_full((), -1.0).expand(*tokens.shape, 1))
    scale = -step_size / contexts.shape[1]
    descent = residual @ state.unembedding
    state.unembedding.baddbmm_(residual.mT, sampled, alpha=scale)
    table.index_add_(0, flat, descent.view(-1, dim), alpha=scale)


def _exact_step(
    population: Population, state: State, step_size: float, step: int, optimizer: Optimizer, method: Method
) -> None:
    slopes = table_gradients(population, state.embedding, state.unembedding, method=method)
    # The fused Adam reads memory in order, whatever the strides say.
    gradients = [slope.contiguous() for slope in slopes]
    if optimizer == "gd":
        for table, slope in zip(state.tables, gradients, strict=True):
            table.sub_(slope, alpha=step_size)
        return
    adam(
        state.tables,
        gradients,
        state.moments[:2],
        state.moments[2:],
        [],
        [torch.tensor(float(step)) for _ in gradients],
        fused=True,
        amsgrad=False,
        beta1=0.9,
        beta2=0.999,
        lr=step_size,
        weight_decay=0.0,
        eps=1e-8,
        maximize=False,
    )


def _finite(state: State) -> Tensor:
    # The sum is finite exactly when every entry is, short of overflow, which is divergence too.
    return torch.isfinite(state.embedding.sum((1, 2)) + state.unembedding.sum((1, 2)))


def _mark_diverged(state: State, step: int) -> None:
    fresh = state.alive & ~_finite(state)
    state.diverged_at[fresh] = step
