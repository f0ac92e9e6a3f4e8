"""Training encoder and unembedding of many runs at once: gradient descent, the paper's SGD, Adam.

The gradient with respect to every embedding f(d), exact or sampled, reaches the encoder's parameters by its
pull-back; for a table of embeddings that is the gradient itself.

The state is a record of tensors; :func:`train` moves it forward and yields it wherever it may be measured or
saved. A run that is resumed is bit-equal to one that never stopped; how minibatches are drawn so stands in
:mod:`linrep.training.minibatches`.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from linrep.population import card
from linrep.population.gradient import Method, Population, population_gradient
from linrep.training.dataset import Dataset
from linrep.training.descent import Descent
from linrep.training.minibatches import CHUNK, Own, Shared
from linrep.training.monotone import Monotone
from linrep.training.newton import LAST_RIDGE, Newton
from linrep.training.on_card import CardDescent
from linrep.training.rising import KEPT, ROSE, Rising
from linrep.training.schedule import Schedule
from linrep.training.state import STEP_SIZE, Optimizer, State
from linrep.training.until import Until, gradient_nats

MOST_STEPS, MOST_LOGITS = 64, 2**26
"""Steps, and logits of exact steps, between looks: at a stop, at divergence, at the clock."""
MOST_ON_CARD = 2**35
"""Logits where kernels take the steps: a look waits for all of them, and copies to the host."""


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
    keys: Sequence[int] | None = None,
    method: Method = "auto",
    until: Until | None = None,
    ridge: float = LAST_RIDGE,
) -> Iterator[State]:
    """Train up to ``steps``, handing out the state at every stop, every few steps, and at the end.

    Args:
        population: The batch of runs.
        state: Where to begin: fresh, or saved at any step. Changed in place.
        optimizer: gd and adam follow the exact gradient, newton its curvature too; sgd samples contexts and
            tokens. A state whose ``adaptive`` has step sizes makes gd monotone.
        schedule: Step size of each step, where they are fixed.
        steps: Number of steps in all.
        stops: Steps at which the state is wanted.
        batch_size: Pairs of context and token in a step of sgd.
        dataset: What sgd draws its pairs from; by default the population itself.
        keys: One a run, by :func:`linrep.seeds.key`: sgd draws each run's pairs from a stream of its own. By
            default from the state's ``order``, which all runs share.
        method: Form of the exact gradient.
        until: What ends a run before its last step; it stays as it is from then on. Fixed steps are judged
            wherever the state is handed out, steps that a rule chooses one by one.
        ridge: newton's last.

    Yields:
        The same state object, further on, until no run is under way. A run whose numbers stop being finite
        is marked in ``diverged_at`` with the exact step; the others go on.

    Example:
        >>> import linrep
        >>> from linrep.training.schedule import schedule
        >>> from linrep.training.state import start
        >>> population = linrep.Population.of([linrep.world(linrep.load_network("cancer"))])
        >>> draw = torch.Generator()
        >>> state = start(population, 5, init_scale=0.1, optimizer="gd", generators=[draw], order=draw)
        >>> for _ in train(population, state, optimizer="gd", schedule=schedule("constant", 1.0, 9), steps=9):
        ...     pass
        >>> state.step
        9
    """
    wanted = {stop for stop in stops if state.step < stop <= steps}
    state.order.set_state(state.order_before)
    until = Until() if until is None else until
    descent = _descent(population, state, optimizer, method, until, ridge)
    sampled = _sampled(population, state, batch_size, dataset, keys) if optimizer == "sgd" else None
    rising = Rising(population, state, steps, method) if ROSE in state.adaptive else None

    # Where a look may end a run, it comes when it does elsewhere.
    kernels = not until.wanted and _by_kernels(population, state, descent, method)
    look = steps_between_looks(population, optimizer, kernels=kernels)

    def advance(first: int, last: int) -> None:
        if sampled is not None:
            sampled.advance(first, last, schedule)
            return
        if isinstance(descent, CardDescent):
            for begin, end in _stretches(first, last, rising):
                descent.advance(begin, end, schedule)
            return
        for step in range(first, last):
            if rising is not None:
                rising.look(step)
            if isinstance(descent, Descent):
                descent.step(schedule(step), step + 1)
            elif descent is not None:
                descent.step()

    while state.step < steps and not state.over:
        stop = min({(state.step // look + 1) * look, steps} | {each for each in wanted if each > state.step})
        before = [tensor.clone() for tensor in _moved(state)]
        advance(state.step, stop)
        if bool((state.alive & ~_finite(population, state)).any()):
            # Walk the same steps again, looking after each: which step broke is what the user must know.
            for tensor, saved in zip(_moved(state), before, strict=True):
                tensor.copy_(saved)
            for step in range(state.step, stop):
                advance(step, step + 1)
                _mark_diverged(population, state, step + 1)
        state.step = stop
        if until.wanted and (descent is None or isinstance(descent, Descent | CardDescent)):
            _stay(state, before)
            state.end(_there(population, state, method, until))
        if stop % CHUNK == 0:
            state.order_before = state.order.get_state()
        yield state


def steps_between_looks(population: Population, optimizer: Optimizer, *, kernels: bool = False) -> int:
    """Few enough that a large world answers to a stop, enough that a small one loses no time to looking.

    Args:
        population: The batch of runs.
        optimizer: By which it is trained.
        kernels: Whether a card's kernels take the steps.
    """
    if optimizer == "sgd":
        return MOST_STEPS
    if optimizer == "newton":
        return 1
    # Of all contexts, not this rank's: ranks look together.
    logits = population.runs * population.contexts * population.token_index.shape[1]
    return max(1, min(MOST_STEPS, (MOST_ON_CARD if kernels else MOST_LOGITS) // logits))


def _sampled(
    population: Population,
    state: State,
    batch_size: int,
    dataset: Dataset | None,
    keys: Sequence[int] | None,
) -> Shared | Own:
    """What makes sampled steps."""
    source = population if dataset is None else dataset
    if keys is None:
        return Shared(population, state, source, batch_size)
    return Own(population, state, source, batch_size, keys)


def _descent(
    population: Population, state: State, optimizer: Optimizer, method: Method, until: Until, ridge: float
) -> Descent | CardDescent | Monotone | Newton | None:
    """What makes exact steps; None for sampled ones."""
    if optimizer == "sgd":
        return None
    if optimizer == "newton":
        return Newton(population, state, ridge=ridge, until=until)
    if optimizer == "gd" and STEP_SIZE in state.adaptive:
        return Monotone(population, state, method, until)
    return CardDescent.of(population, state, method) or Descent(population, state, method)


def _by_kernels(
    population: Population,
    state: State,
    descent: "Descent | CardDescent | Monotone | Newton | None",
    method: Method,
) -> bool:
    """Whether steps are taken by a card's kernels, and nothing is asked of the host in between."""
    if isinstance(descent, Monotone):
        return descent.replayed is not None
    return method == "auto" and card.usable(population, state.unembedding.shape[2])


def _stretches(first: int, last: int, rising: Rising | None) -> Iterator[tuple[int, int]]:
    """Steps that may be taken at once: all, but for those before which a loss is looked at."""
    begin = first
    for step in range(first, last):
        if rising is not None and rising.wants(step):
            if step > begin:
                yield begin, step
            rising.look(step)
            begin = step
    yield begin, last


def _there(population: Population, state: State, method: Method, until: Until) -> Tensor:
    f, g = state.embedding, state.unembedding
    found = population_gradient(population, f, g, method=method)
    slopes = (found.embedding, found.unembedding)
    return until.reached(found.excess_loss, gradient_nats(slopes, (f, g), population.shard.team))


def _stay(state: State, before: Sequence[Tensor]) -> None:
    """Put runs that have ended back to where they were."""
    if bool((ended := state.ended_at >= 0).any()):
        for tensor, saved in zip(_moved(state), before, strict=True):
            tensor[ended] = saved[ended]


def _moved(state: State) -> list[Tensor]:
    """What fixed steps change."""
    counted = [state.adaptive[name] for name in KEPT if name in state.adaptive]
    return [*state.trained, *state.moments, *counted]


def _finite(population: Population, state: State) -> Tensor:
    # The sum is finite exactly when every entry is, short of overflow, which is divergence too.
    sums = [each.sum(tuple(range(1, each.ndim))) for each in state.trained]
    finite = torch.isfinite(torch.stack(sums).sum(0))
    # A run that left on one rank has left on all: every rank goes on alike.
    return population.shard.team.total((~finite).long()) == 0


def _mark_diverged(population: Population, state: State, step: int) -> None:
    fresh = state.alive & ~_finite(population, state)
    state.diverged_at[fresh] = step
