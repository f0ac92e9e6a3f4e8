"""Training encoder and unembedding of many runs at once: gradient descent, the paper's SGD, Adam.

The gradient with respect to every embedding f(d), exact or sampled, reaches the encoder's parameters by its
pull-back; for a table of embeddings that is the gradient itself.

The state is a record of tensors; :func:`train` moves it forward and yields it wherever it may be measured or
saved. Minibatches are drawn a chunk of steps at a time; the record keeps the generator as it was before, so
that a resumed run draws the same chunk again and is bit-equal to one that never stopped.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from linrep.dataset import Dataset
from linrep.encoder import Encoder, Table
from linrep.population import Method, Population, table_gradients
from linrep.schedule import Schedule

CHUNK = 256
"""Steps of sgd drawn at once."""
MOST_STEPS, MOST_LOGITS = 32, 2**26
"""Steps, and logits of exact steps, between looks: at a stop, at divergence, at the clock."""

Optimizer = Literal["gd", "sgd", "adam"]
Batch = tuple[Int[Tensor, "runs batch"], Int[Tensor, "runs batch"]]


@dataclass(slots=True, kw_only=True)
class State:
    """Everything that training changes, in place."""

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


def start(
    population: Population,
    dim: int,
    *,
    init_scale: float,
    optimizer: Optimizer,
    generators: Iterable[torch.Generator],
    order: torch.Generator,
    encoder: Encoder | None = None,
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

    Returns:
        A fresh state.
    """
    contexts, tokens = population.context_index.shape[1], population.token_index.shape[1]
    if encoder is None:
        encoder = Table(contexts, dim, init_scale=init_scale)
    numbers = encoder.numbers
    normals = torch.stack(
        [torch.randn(numbers + tokens * dim, generator=each, dtype=torch.float64) for each in generators]
    )
    unembedding = init_scale * normals[:, numbers:].reshape(-1, tokens, dim)
    trained = [
        each.to(population.device, population.dtype).contiguous()
        for each in (*encoder.start(normals[:, :numbers]), unembedding)
    ]
    return State(
        step=0,
        encoder=encoder,
        parameters=trained[:-1],
        unembedding=trained[-1],
        moments=[torch.zeros_like(each) for each in trained * 2] if optimizer == "adam" else [],
        order=order,
        order_before=order.get_state(),
        diverged_at=torch.full((len(normals),), -1, dtype=torch.int64, device=population.device),
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
    dataset: Dataset | None = None,
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
        dataset: What sgd draws its pairs from; by default the population itself.
        method: Form of the exact gradient.

    Yields:
        The same state object, further on. A run whose numbers stop being finite is marked in ``diverged_at``
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
                _mark_diverged(population, state, step + 1)

    while state.step < steps:
        look = steps_between_looks(population, optimizer)
        stop = min({(state.step // look + 1) * look, steps} | {each for each in wanted if each > state.step})
        if optimizer == "sgd" and (state.step % CHUNK == 0 or not batches):
            batches = _draw(dataset or population, batch_size, state.order)
        before = [tensor.clone() for tensor in (*state.trained, *state.moments)]
        advance(state.step, stop)
        if bool((state.alive & ~_finite(population, state)).any()):
            # Walk the same steps again, looking after each: which step broke is what the user must know.
            for tensor, saved in zip((*state.trained, *state.moments), before, strict=True):
                tensor.copy_(saved)
            advance(state.step, stop, watch=True)
        state.step = stop
        if stop % CHUNK == 0:
            state.order_before = state.order.get_state()
        yield state


def steps_between_looks(population: Population, optimizer: Optimizer) -> int:
    """Few enough that a large world answers to a stop, enough that a small one loses no time to looking."""
    if optimizer == "sgd":
        return MOST_STEPS
    # Of all contexts, not this rank's: ranks look together.
    contexts = math.prod(states + 1 for states in population.sizes)
    logits = population.runs * contexts * population.token_index.shape[1]
    return max(1, min(MOST_STEPS, MOST_LOGITS // logits))


def _draw(source: Population | Dataset, batch_size: int, generator: torch.Generator) -> list[Batch]:
    contexts, tokens = source.sample(CHUNK * batch_size, generator=generator)
    return list(zip(contexts.split(batch_size, 1), tokens.split(batch_size, 1), strict=True))


def _sgd_step(population: Population, state: State, step_size: float, batch: Batch) -> None:
    """One step on sampled pairs: softmax minus one-hot, for the sampled embeddings alone."""
    contexts, tokens = batch
    sampled, descend = state.encoder.sampled(state.parameters, contexts)
    logits = sampled @ state.unembedding.mT
    if population.token_mask is not None:
        logits.masked_fill_(~population.token_mask[:, None, :], -torch.inf)
    residual = torch.softmax(logits, dim=-1)
    residual.scatter_add_(2, tokens[..., None], residual.new_full((), -1.0).expand(*tokens.shape, 1))
    scale = -step_size / contexts.shape[1]
    slope = residual @ state.unembedding
    state.unembedding.baddbmm_(residual.mT, sampled, alpha=scale)
    descend(slope, scale)


def _exact_step(
    population: Population, state: State, step_size: float, step: int, optimizer: Optimizer, method: Method
) -> None:
    embedding, pull_back = state.encoder.exact(state.parameters)
    slope_f, slope_g = table_gradients(population, embedding, state.unembedding, method=method)
    gradients, trained = [*pull_back(slope_f), slope_g], state.trained
    if optimizer == "gd":
        for each, slope in zip(trained, gradients, strict=True):
            each.sub_(slope, alpha=step_size)
        return
    # The kernel of torch.optim.Adam(fused=True) itself: what surrounds it there takes as long as a small
    # world's gradient. It reads memory in order, whatever the strides say.
    torch._fused_adam_(  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage]
        trained,
        [slope.contiguous() for slope in gradients],
        state.moments[: len(trained)],
        state.moments[len(trained) :],
        [],
        [torch.full((), step + 1.0, device=population.device)] * len(trained),
        amsgrad=False,
        beta1=0.9,
        beta2=0.999,
        lr=step_size,
        weight_decay=0.0,
        eps=1e-8,
        maximize=False,
    )


def _finite(population: Population, state: State) -> Tensor:
    # The sum is finite exactly when every entry is, short of overflow, which is divergence too.
    finite = torch.isfinite(torch.stack([each.flatten(1).sum(1) for each in state.trained]).sum(0))
    # A run that left on one rank has left on all: every rank goes on alike.
    return population.shard.team.total((~finite).long()) == 0


def _mark_diverged(population: Population, state: State, step: int) -> None:
    fresh = state.alive & ~_finite(population, state)
    state.diverged_at[fresh] = step
