"""Linearity and alignment against width: a transformer beside tables of equal width on the same world,
which are trained until they are as near the true probabilities.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

import torch

import linrep
from linrep.geometry import Measurement, Pairs, counterfactual_pairs, measure
from linrep.llm.toy.make import Toy, ToySettings, toy_language, train_toy
from linrep.llm.toy.pairs import MOST_CONTEXTS, rendered_pairs
from linrep.llm.toy.tables import falling_rate, small_tables
from linrep.llm.toy.train import head_states
from linrep.population.gradient import Population, population_gradient
from linrep.runs.row import Row, Subject
from linrep.runs.tidy import plain
from linrep.seeds import generator
from linrep.training.training import train as train_tables
from linrep.training.until import Until
from linrep.worlds.contexts import World

if TYPE_CHECKING:
    import pandas as pd

WIDTHS = (8, 16, 32, 64, 128)
SWEEP_STEPS, TABLE_STEPS = 800, 10_000
QUICK_SWEEP_STEPS, QUICK_TABLE_STEPS = 400, 3000

MATCHED = 0.1
"""Excess losses are equal where they differ by no more than this share of the transformer's."""

Kind = Literal["transformer", "tables"]
value = attrgetter("value")
SweepProgress = Callable[[int, int, str], None]
"""Called with (models done, models in all, what comes next)."""


def toy_geometry(
    toy: Toy, *, shuffled: bool = False, seed: int = 0, most: int = MOST_CONTEXTS
) -> Measurement:
    """The ruler on a toy model in memory, under the Euclidean inner product.

    Unembeddings are measured through the nouns' counterfactual pairs, embeddings (states after the final
    norm) through paired contexts.

    Args:
        toy: A toy model.
        shuffled: Deal the words and contexts of the pairs anew: a control that should show nothing.
        seed: Of paired contexts, nulls, intervals and the shuffle.
        most: Paired contexts of each concept.

    Returns:
        Linearity, alignment and orthogonality, each with its null and interval.
    """
    rendered = rendered_pairs(toy.language, generator=generator(seed, "toy pairs"), most=most)
    sentences = [words for pairs in rendered for words in (*pairs.low, *pairs.high)]
    text = toy.encoder.text(sentences, torch.zeros(len(sentences), dtype=torch.int64))
    low, high, group, first = list[int](), list[int](), list[int](), 0
    for pairs in rendered:
        number = len(pairs.low)
        low += range(first, first + number)
        high += range(first + number, first + 2 * number)
        group += [pairs.concept] * number
        first += 2 * number
    concepts = toy.language.world.model.concepts
    contexts = Pairs(
        low=torch.tensor(low), high=torch.tensor(high), group=torch.tensor(group), groups=concepts
    )
    words = counterfactual_pairs(toy.language.world.token_codes)
    if shuffled:
        draw = generator(seed, "toy shuffle")
        contexts, words = _dealt(contexts, draw), _dealt(words, draw)
    nouns = toy.model.get_output_embeddings().weight.detach()[toy.encoder.nouns]
    return measure(
        head_states(toy.model, text).states[None],
        nouns.to(torch.float64)[None],
        contexts,
        words,
        generator=generator(seed, "toy null"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """One trained model, measured under the Euclidean inner product."""

    model: Kind
    width: int
    seed: int
    concepts: int
    excess_loss_nats: float
    rows: tuple[Row, ...]
    """By measure and table: means over concepts."""

    def row(self, measure: str, table: str = "") -> Row:
        """The row of that measure and table ("embedding", "unembedding", or none)."""
        (found,) = (row for row in self.rows if (row.measure, row.table) == (measure, table))
        return found

    def records(self) -> list[dict[str, str | int | float]]:
        """Flat, one for each measure × table; NaN marks what does not exist."""
        return [
            {
                "model": self.model,
                "width": self.width,
                "seed": self.seed,
                "measure": row.measure,
                **row.record(("table", "value", "low", "high", "null", "null_q95", "pairs")),
                "excess_loss_nats": self.excess_loss_nats,
                "concepts": self.concepts,
            }
            for row in self.rows
        ]


def matched(transformer: Trained, tables: Trained) -> bool:
    """Whether both are equally near the true probabilities, so that their geometry may be compared."""
    aim = transformer.excess_loss_nats
    return abs(tables.excess_loss_nats - aim) <= MATCHED * aim


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthSweep:
    """Transformers and tables of several widths on the same worlds."""

    settings: ToySettings
    """The transformers', but for their width."""
    seed: int
    runs: int
    widths: tuple[int, ...]
    trained: tuple[Trained, ...]

    @property
    def table(self) -> "pd.DataFrame":
        """Tidy: model ("transformer", "tables"), width, seed, measure, table ("embedding", "unembedding" or
        ""), value (mean over concepts), low and high (its 95 % interval), null, null_q95, pairs,
        excess_loss_nats, concepts.
        """
        import pandas as pd

        return pd.DataFrame([record for each in self.trained for record in each.records()])

    def json(self) -> dict[str, Any]:
        """What was asked, and the table's rows."""
        return plain(
            {
                "linrep": linrep.__version__,
                "seed": self.seed,
                "runs": self.runs,
                "widths": self.widths,
                "settings": self.settings.record(),
                "matched": {width: self.matched(width) for width in self.widths},
                "rows": [record for each in self.trained for record in each.records()],
            }
        )

    def mean(
        self, model: Kind, width: int, measure: str, table: str, of: Callable[[Row], float] = value
    ) -> float | None:
        """Mean over worlds of one number, by default the measure's value; None where there is none."""
        return _mean([of(each.row(measure, table)) for each in self._of(model, width)])

    def excess(self, model: Kind, width: int) -> float | None:
        """Mean over worlds of the excess loss, nats."""
        return _mean([each.excess_loss_nats for each in self._of(model, width)])

    def matched(self, width: int) -> bool:
        """Whether in every world tables of that width came to the transformer's excess loss."""
        return all(map(matched, self._of("transformer", width), self._of("tables", width)))

    def _of(self, model: Kind, width: int) -> list[Trained]:
        return [each for each in self.trained if (each.model, each.width) == (model, width)]


def _mean(values: Sequence[float]) -> float | None:
    seen = [value for value in values if not math.isnan(value)]
    return sum(seen) / len(seen) if seen else None


def width_sweep(
    *,
    seed: int,
    widths: Sequence[int] = WIDTHS,
    settings: ToySettings | None = None,
    runs: int = 1,
    table_steps: int = TABLE_STEPS,
    progress: SweepProgress | None = None,
) -> WidthSweep:
    """Does the theory's geometry survive a transformer, and at which width? Data for the figure.

    Args:
        seed: Run r takes the seeds seed + r: each its own world, which transformer and tables share.
        widths: Hidden sizes; the tables' dimension is the same.
        settings: The transformer's, but for its width; narrow ones get fewer heads and larger steps. By
            default four concepts and no facts, which would take room that narrow models need.
        runs: How many worlds.
        table_steps: Most SGD steps of the tables (100 samples, step size 5 to 0.05), which end where their
            excess loss is the transformer's: :meth:`WidthSweep.matched` says whether it came to that.
        progress: Called before each model and at the end.

    Returns:
        Every model measured; ``.table`` is tidy.

    Raises:
        InputError: If a width is below 2 or odd, or as :func:`make_toy`.
    """
    base = settings or ToySettings(concepts=4, facts=0, steps=SWEEP_STEPS, batch_size=32)
    kinds: tuple[Kind, ...] = ("transformer", "tables")
    todo = [(seed + run, width, kind) for run in range(runs) for width in widths for kind in kinds]
    trained: list[Trained] = []
    for done, (own, width, kind) in enumerate(todo):
        if progress is not None:
            progress(done, len(todo), f"{kind}, width {width}")
        if kind == "transformer":
            toy = train_toy(_at_width(base, width), seed=own)
            trained.append(measured_toy(toy, seed=own))
        else:
            world = toy_language(
                base.concepts, base.world, frequency_ratio=base.frequency_ratio, seed=own
            ).world
            aim = trained[-1].excess_loss_nats
            trained.append(measured_tables(world, width, steps=table_steps, until=aim, seed=own))
    if progress is not None:
        progress(len(todo), len(todo), "done")
    return WidthSweep(settings=base, seed=seed, runs=runs, widths=tuple(widths), trained=tuple(trained))


def measured_toy(toy: Toy, *, seed: int) -> Trained:
    """A toy model in memory and its geometry."""
    return Trained(
        model="transformer",
        width=toy.settings.hidden,
        seed=seed,
        concepts=toy.settings.concepts,
        excess_loss_nats=toy.excess_loss_nats,
        rows=tuple(_rows(toy_geometry(toy, seed=seed))),
    )


def measured_tables(world: World, dim: int, *, steps: int, until: float, seed: int) -> Trained:
    """Tables of that width trained on the world until an excess loss, and their geometry."""
    found, excess = table_geometry(world, dim, steps=steps, until=until, seed=seed)
    return Trained(
        model="tables",
        width=dim,
        seed=seed,
        concepts=world.model.concepts,
        excess_loss_nats=excess,
        rows=tuple(_rows(found)),
    )


def table_geometry(
    world: World, dim: int, *, steps: int, until: float, seed: int
) -> tuple[Measurement, float]:
    """Tables of that width trained on the world, measured; and their excess loss.

    They are looked at after every step: between looks a step of SGD passes by a large excess loss.

    Args:
        world: What they learn.
        dim: Their width.
        steps: The most they take.
        until: Excess loss at which they end, nats.
        seed: Of start, order and null.
    """
    population = Population.of([world])
    state = small_tables(population, dim, seed=seed)
    rate = falling_rate(steps)
    for _ in train_tables(
        population,
        state,
        optimizer="sgd",
        schedule=rate,
        steps=steps,
        stops=range(steps),
        until=Until(excess=until),
    ):
        pass
    excess = population_gradient(population, state.embedding, state.unembedding).excess_loss
    found = measure(
        state.embedding,
        state.unembedding,
        counterfactual_pairs(world.codes),
        counterfactual_pairs(world.token_codes),
        generator=generator(seed, "null"),
    )
    return found, float(excess[0])


def _rows(found: Measurement) -> Iterator[Row]:
    """Every similarity of a measurement, one row each."""
    by_table = {
        "linearity": found.linearity,
        "orthogonality_mean": {table: each.mean_directions for table, each in found.orthogonality.items()},
        "orthogonality_rms": {table: each.rms for table, each in found.orthogonality.items()},
        "alignment": {"": found.alignment},
    }
    for name, tables in by_table.items():
        for table, each in tables.items():
            if each is not None:
                yield Subject(concept="", table=table, inner="euclid").measured(name, each)


def _at_width(settings: ToySettings, width: int) -> ToySettings:
    """The same for another width: the step size by its square root, as many of the heads as stay 8 wide."""
    heads = settings.heads
    fitting = [
        few for few in range(1, heads + 1) if width % (2 * few) == 0 and (few == 1 or width >= 8 * few)
    ]
    return replace(
        settings,
        hidden=width,
        heads=max(fitting, default=heads),
        step_size=settings.step_size * (settings.hidden / max(width, 1)) ** 0.5,
    )


def _dealt(pairs: Pairs, generator: torch.Generator) -> Pairs:
    """The same rows in pairs dealt at random over all concepts, and the sign of each at random."""
    both = torch.cat([pairs.low, pairs.high])
    both = both[torch.randperm(len(both), generator=generator)]
    return replace(pairs, low=both[: len(pairs.low)], high=both[len(pairs.low) :])
