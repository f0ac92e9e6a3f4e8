"""A training from first step to last: measured at snapshots, saved on the way, stopped when asked."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.errors import DivergedError
from linrep.laboratory.ruler import SPECTRUM, excess_loss
from linrep.laboratory.stage import Stage
from linrep.laboratory.turning import directions
from linrep.laboratory.widening import widen
from linrep.population.gradient import Population
from linrep.population.sharding import Shard
from linrep.runs.config import Config
from linrep.runs.trace import AS_TRAINED, Series
from linrep.runs.wide_looks import NAMES as WIDE_NAMES
from linrep.runs.wide_looks import WideLooks
from linrep.seeds import generator, key
from linrep.training import checkpoint
from linrep.training.encoder import Encoder, ShardedTable, encoder
from linrep.training.monotone import Monotone
from linrep.training.newton import LAST_RIDGE, Newton
from linrep.training.rising import Rising
from linrep.training.schedule import Schedule, schedule, snapshot_steps
from linrep.training.state import STEP_SIZE, State, gathered, not_ended, start
from linrep.training.training import train
from linrep.training.until import Until, excess_of_nothing

Progress = Callable[[int, int, float], None]
"""Called with steps done, steps in all, and the mean excess loss last measured."""

SNAPSHOTS, DIRECTIONS = Series("snapshots"), Series("directions")
"""In a history, beside the measures: unembeddings of the first runs, and all mean steering directions."""
SAMPLE_LOSS = Series("sample_excess_loss_nats")
"""Of the sampled pairs, where full-batch steps know them alone."""
TRACED = ("time", "ridge")
"""Of what a rule keeps to choose its steps, in the trace: the sum of each run's steps; newton's ridge."""
SNAPSHOT_BYTES = 64 * 2**20
"""Room for the unembeddings kept over training."""


@dataclass(slots=True)
class History:
    """What was measured so far, and at which steps."""

    steps: list[int] = field(default_factory=list)
    rows: list[dict[Series, Tensor]] = field(default_factory=list)
    wide: WideLooks | None = None
    """How a wide start came about, before the first step."""

    def stacked(self) -> dict[Series, Tensor]:
        """Every measure over all steps, steps first."""
        return {series: torch.stack([row[series] for row in self.rows]) for series in self.rows[0]}

    def read_balanced(self) -> bool:
        """Whether the tables were turned before they were read, so that both readings are there."""
        return any(series.kind == AS_TRAINED for series in self.rows[0])

    def mean_excess_loss(self) -> float:
        """Over the runs that are alive, when last measured, in nats."""
        return float(self.rows[-1][Series("excess_loss_nats")].nanmean())


def trajectory(
    config: Config,
    stages: Sequence[Stage],
    partial: Path | None,
    progress: Progress | None,
    stop: Callable[[], bool],
) -> tuple[State, History]:
    """Train to the end, or go on from a checkpoint.

    Args:
        config: Resolved.
        stages: Of this rank.
        partial: Folder for checkpoints; only rank 0 may have one, and without it none is written.
        progress: Called between steps.
        stop: Asked between steps.

    Returns:
        This rank's state at the last step, and what was measured; other ranks than 0 have snapshots alone.

    Raises:
        DivergedError: When every run diverged.
        KeyboardInterrupt: When stopped; a checkpoint is left.
    """
    population = stages[0].trained_on
    state, rate = _start(config, population), step_sizes(config)
    wanted = snapshot_steps(
        config.training.steps, config.training.snapshots, config.shift and config.shift.step
    )
    saving = _Saving(partial, population.shard, config.output.checkpoint_seconds)
    history = saving.restore(state)
    for stage in stages:
        if stage.ruler is not None and history.steps and not history.read_balanced():
            stage.ruler.balanced = False  # begun before there was a choice: read to its end as it was begun
    if not history.steps and config.model.start == "wide":
        history.wide = widen(config, population, state, kept=_runs_kept(config, state), stop=stop)

    def look(stage: Stage) -> None:
        history.rows.append(observed(config, stage, state, rate))
        history.steps.append(state.step)

    if not history.steps:
        look(stages[0])
    for stage in under_way(config, stages, state, rate, wanted):
        require_alive(state, rate)
        if state.step in wanted:
            look(stage)
        if progress is not None:
            progress(state.step, config.training.steps, history.mean_excess_loss())
        saving.save_if_due(state, history, stop)
    if history.steps[-1] != state.step:
        look(stages[-1])  # every run ended before its last step
    return state, history


def step_sizes(config: Config) -> Schedule:
    """The step size of every step of a training; 0 where each run finds its own."""
    settings = config.training
    first = settings.step_size if isinstance(settings.step_size, float) else 0.0
    return schedule(settings.schedule, first, settings.steps, settings.final_step_size)


def _start(config: Config, population: Population) -> State:
    """Every run's tables before the first step, each from a seed of its own."""
    dim = config.model.dim
    assert dim is not None, "resolve() fills it in"
    return start(
        population,
        dim,
        init_scale=config.model.init_scale,
        optimizer=config.training.optimizer,
        generators=[generator(config.seed, "start", run) for run in range(config.runs)],
        # On the CPU whatever the device: minibatches are the same everywhere.
        order=generator(config.seed, "order"),
        encoder=_encoder(config, population, dim),
        adaptive=_adaptive(config, population),
    )


def begun(config: Config, population: Population, *, stop: Callable[[], bool] = lambda: False) -> State:
    """Every run's tables before the first step once more, as training began.

    Args:
        config: Resolved.
        population: What is descended on.
        stop: Asked between the steps of a wide start.

    Raises:
        KeyboardInterrupt: When stopped.
    """
    state = _start(config, population)
    if config.model.start == "wide":
        widen(config, population, state, stop=stop)
    return state


def _adaptive(config: Config, population: Population) -> dict[str, Tensor]:
    """What the rule of a training's steps keeps, fresh; nothing where they are fixed, to the last."""
    training = config.training
    if training.optimizer == "newton":
        return Newton.fresh(population.runs, population.device)
    if training.step_size == "auto":
        return Monotone.fresh(population.runs, population.device)
    wanted = training.until_excess is not None or training.until_gradient is not None
    ends = not_ended(population.runs, population.device) if wanted else {}
    watched = training.optimizer == "gd" and config.shift is None
    return ends | (Rising.fresh(population.runs, population.device) if watched else {})


def _until(config: Config, population: Population) -> Until:
    training = config.training
    return Until(
        excess=training.until_excess,
        gradient=training.until_gradient,
        nothing=None if training.until_gradient is None else excess_of_nothing(population),
    )


def _encoder(config: Config, population: Population, dim: int) -> Encoder:
    model = config.model
    if population.shard.team.ranks > 1:
        return ShardedTable(population.shard, dim, init_scale=model.init_scale)
    return encoder(
        model.encoder,
        population.context_index,
        population.sizes,
        dim,
        init_scale=model.init_scale,
        width=model.width,
        layers=model.layers,
        heads=model.heads,
        dtype=population.dtype,
    )


def under_way(
    config: Config, stages: Sequence[Stage], state: State, rate: Schedule, wanted: Sequence[int]
) -> Iterator[Stage]:
    """Train to the end, handing out the stage under way wherever the state may be looked at.

    What a stage drew ahead of its end is dropped: each draws its minibatches in its own world.

    Args:
        config: Resolved.
        stages: Of this rank.
        state: Where to go on from; moved in place.
        rate: The step size of every step.
        wanted: Steps at which it is handed out in any case.
    """
    settings = config.training
    for stage in stages:
        for _ in train(
            stage.trained_on,
            state,
            optimizer=settings.optimizer,
            schedule=rate,
            steps=stage.until,
            stops=wanted,
            batch_size=settings.batch_size or 1,
            dataset=stage.dataset,
            keys=_keys(config),
            method=config.compute.method,
            until=_until(config, stage.trained_on),
            ridge=settings.ridge or LAST_RIDGE,
        ):
            yield stage


def _keys(config: Config) -> list[int] | None:
    """Of each run's own stream of minibatches, where it has one."""
    if config.training.stream == "shared":
        return None
    return [key(config.seed, "order", run) for run in range(config.runs)]


def require_alive(state: State, rate: Schedule) -> None:
    """Raise where no run is left.

    Raises:
        DivergedError: Naming step and step size.
    """
    if not bool(state.alive.any()):
        step = int(state.diverged_at.max())
        raise DivergedError(
            f"training diverged: no run stayed finite, the last left at step {step} with step size "
            f"{rate(step - 1):g}; lower training.step_size"
        )


def observed(config: Config, stage: Stage, state: State, rate: Schedule) -> dict[Series, Tensor]:
    """One row of the history. Every rank has a part in it; only rank 0 has the measures.

    Args:
        config: Resolved.
        stage: Under way.
        state: Of this rank.
        rate: The step size of every step.
    """
    loss = excess_loss(stage.population, state, config.compute.method)
    whole = gathered(state, stage.population.shard)
    row: dict[Series, Tensor] = {}
    if stage.trained_on is not stage.population:
        row[SAMPLE_LOSS] = excess_loss(stage.trained_on, state, config.compute.method)
    if stage.ruler is not None and whole is not None:
        row |= stage.ruler.observe(whole, loss, _sizes(state, rate))
        row |= {Series(name): state.adaptive[name].cpu().clone() for name in TRACED if name in state.adaptive}
        if stage.apart is not None:
            row |= stage.apart.observe(stage.ruler, whole)
        row[SPECTRUM] = row[SPECTRUM][: _runs_kept(config, state)]
        if config.shift is not None:
            row[DIRECTIONS] = directions(stage.ruler, whole)
    return row | {SNAPSHOTS: _snapshot(config, state)}


def _sizes(state: State, rate: Schedule) -> Float64[Tensor, " runs"]:
    """The step size of every run, as it stands."""
    fixed = torch.full(state.diverged_at.shape, rate(max(state.step - 1, 0)), dtype=torch.float64)
    return state.adaptive[STEP_SIZE].cpu().clone() if STEP_SIZE in state.adaptive else fixed


def _snapshot(config: Config, state: State) -> Tensor:
    """The unembeddings of the first runs."""
    return state.unembedding[: _runs_kept(config, state)].detach().to("cpu", torch.float32, copy=True)


def _runs_kept(config: Config, state: State) -> int:
    """As many first runs as fit the budget over all snapshots."""
    bytes_per_run = state.unembedding[0].numel() * 4 * config.training.snapshots
    return min(len(state.unembedding), max(1, SNAPSHOT_BYTES // bytes_per_run))


class _Saving:
    """Checkpoints of one training, written by all ranks together into the folder that rank 0 has."""

    def __init__(self, folder: Path | None, shard: Shard, seconds: float) -> None:
        self._folder, self._shard, self._seconds = folder, shard, seconds
        (self._wanted,) = shard.team.any(folder is not None)
        self._saved = time.monotonic()

    def restore(self, state: State) -> History:
        """Bring a fresh state to where the last checkpoint left it, with what was measured until then."""
        if not self._wanted:
            return History()
        past, steps = checkpoint.restore(self._folder, state, self._shard)
        wide = WideLooks.from_tensors(past)
        measured = {Series.parse(name): value for name, value in past.items() if name not in WIDE_NAMES}
        rows = [{series: value[row] for series, value in measured.items()} for row in range(len(steps))]
        self._saved = time.monotonic()
        return History(steps, rows, wide)

    def save_if_due(self, state: State, history: History, stop: Callable[[], bool]) -> None:
        """Write one when the last is old, or when asked to stop, which is raised once it is written."""
        if not self._wanted:
            return
        late = time.monotonic() - self._saved > self._seconds
        stopping, saving = self._shard.team.any(stop(), late)
        if stopping or saving:
            named = {series.text(): values for series, values in history.stacked().items()}
            named |= {} if history.wide is None else history.wide.as_tensors()
            checkpoint.save(self._folder, state, self._shard, named, history.steps)
            self._saved = time.monotonic()
        if stopping:
            raise KeyboardInterrupt
