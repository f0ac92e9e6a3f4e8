"""A user's tables with the ruler laid on them: which rows are pairs of which concept, whoever said so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep import geometry
from linrep.errors import InputError
from linrep.geometry.record import Spread, TableName
from linrep.geometry.recording import spread_record
from linrep.laboratory.given import world_of
from linrep.laboratory.own_rows import Rows, rows_from_codes, rows_from_pairs
from linrep.laboratory.own_tables import CALL, own_table, precision, same_form
from linrep.laboratory.reading import FEW_PAIRS, Counts, Reading, reading_of, summary_reading
from linrep.laboratory.ruler import BatchRuler
from linrep.laboratory.summary import additive_null, additive_record, measured
from linrep.population.gradient import population_gradient
from linrep.population.population import Population
from linrep.runs.config import MeasureConfig
from linrep.runs.summary import AdditiveShare
from linrep.seeds import generator
from linrep.worlds.truth import World

Advance = Callable[[int, int], None] | None
Tables = dict[TableName, Float64[Tensor, "runs rows dim"]]
ROWS_OF: dict[TableName, tuple[str, str]] = {
    "embedding": ("codes", "context"),
    "unembedding": ("token_codes", "token"),
}
"""By table: the field of a world that its rows are, and what one of them is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidRows:
    """Rows told apart by codes or pairs, the same in every run."""

    tables: Tables
    what: Rows

    @property
    def rows(self) -> int:
        """Of all tables and runs."""
        return sum(table.shape[0] * table.shape[1] for table in self.tables.values())

    def read(self, *, seed: int, settings: MeasureConfig) -> Reading:
        """Measure in full.

        Args:
            seed: Of the null.
            settings: How many draws of the null.
        """
        pairs: dict[TableName, geometry.Pairs] = {
            name: geometry.repeat(own, len(table), table.shape[1])
            for (name, table), own in zip(self.tables.items(), self.what.pairs, strict=True)
        }
        found = geometry.measure(
            self.tables.get("embedding"),
            self.tables.get("unembedding"),
            pairs.get("embedding"),
            pairs.get("unembedding"),
            generator=generator(seed, "bootstrap"),
            concept_of=self.what.concept_of,
            names=self.what.names,
            draws=settings.null_draws,
        )
        additive: dict[TableName, AdditiveShare] = {}
        for (name, table), codes, levels in zip(
            self.tables.items(), self.what.codes, self.what.levels, strict=False
        ):
            if len(codes) > 1 + sum(level - 1 for level in levels):  # else any table is a sum of its concepts
                share_of = partial(geometry.additive_share, codes=codes, levels=levels)
                additive[name] = _additive(
                    share_of, name, table, table.shape[1], self.what.names, seed, settings
                )
        counts: Counts = {
            name: _counts(own, self.what.concept_of, self.what.names) for name, own in pairs.items()
        }
        gauge, names = _gauge(self.tables), self.what.names
        reading = reading_of(found, additive, gauge, names, self.tables, counts, seed)
        return replace(reading, few=_few(counts, len(self.tables["unembedding"]), names))


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidWorld:
    """Rows that are the contexts and tokens of worlds, one for each run."""

    tables: Tables
    worlds: tuple[World, ...]
    dtype: torch.dtype
    """Of the tables as they were given, in which the loss is computed as training computes it."""

    @property
    def rows(self) -> int:
        """Of all tables and runs."""
        return sum(table.shape[0] * table.shape[1] for table in self.tables.values())

    def read(self, *, seed: int, settings: MeasureConfig) -> Reading:
        """Measure in full.

        Args:
            seed: Of the null.
            settings: How many draws of the null.
        """
        ruler = BatchRuler(self.worlds, seed=seed, settings=settings)
        unembedding = self.tables["unembedding"]
        embedding = self.tables.get("embedding")
        laid: dict[TableName, geometry.Pairs] = {
            "embedding": ruler.embedding_pairs,
            "unembedding": ruler.unembedding_pairs,
        }
        counts: Counts = {name: _counts(laid[name], ruler.concept_of, ruler.names) for name in self.tables}
        if embedding is not None:
            alive = torch.ones(len(self.worlds), dtype=torch.bool)
            loss = loss_of(Population.of(self.worlds, dtype=self.dtype), embedding, unembedding)
            summary = measured(ruler, embedding, unembedding, loss, alive)
            return summary_reading(summary, self.tables, counts, seed)
        found = geometry.measure(
            None,
            unembedding,
            None,
            ruler.unembedding_pairs,
            generator=generator(seed, "bootstrap"),
            token_rows=ruler.token_rows,
            concept_of=ruler.concept_of,
            names=ruler.names,
            draws=settings.null_draws,
        )
        rows = int(ruler.token_rows.min())
        share_of = partial(ruler.additive, "unembedding")
        additive = _additive(share_of, "unembedding", unembedding, rows, ruler.names, seed, settings)
        return reading_of(found, {"unembedding": additive}, None, ruler.names, self.tables, counts, seed)


Laid = LaidRows | LaidWorld


def lay(
    given: Sequence[Any],
    *,
    codes: Any = None,
    pairs: Any = None,
    world: Any = None,
    names: Sequence[str] | None = None,
) -> Laid:
    """Check tables and what is said of their rows; the arguments are those of :func:`linrep.measure`.

    Raises:
        InputError: What does not fit, with the right call.
    """
    if len(given) not in (1, 2):
        raise InputError(f"measure: expected one table, G, or two, F and G, got {len(given)}; {CALL}")
    said = [
        name for name, value in (("codes", codes), ("pairs", pairs), ("world", world)) if value is not None
    ]
    if len(said) != 1:
        got = " and ".join(said) or "none"
        raise InputError(
            f"measure: expected one of codes=, pairs= or world= to say what the rows are, got {got}; {CALL}"
        )
    keys: tuple[TableName, ...] = ("unembedding",) if len(given) == 1 else ("embedding", "unembedding")
    letters = ("G",) if len(given) == 1 else ("F", "G")
    tables: Tables = {
        key: own_table(each, letter) for key, letter, each in zip(keys, letters, given, strict=True)
    }
    if len(tables) == 2:
        same_form(tables["embedding"], tables["unembedding"])
    if world is not None:
        if names is not None:
            raise InputError("names: a world has its own; leave them out")
        return lay_world(tables, world, precision(*given))
    sizes = [table.shape[1] for table in tables.values()]
    if codes is not None:
        return LaidRows(tables=tables, what=rows_from_codes(codes, sizes, names))
    if names is not None:
        raise InputError("names: pairs have their own, {name: [(low row, high row), …]}; leave them out")
    return LaidRows(tables=tables, what=rows_from_pairs(pairs, sizes))


def loss_of(
    population: Population,
    embedding: Float64[Tensor, "runs contexts dim"],
    unembedding: Float64[Tensor, "runs tokens dim"],
) -> Float64[Tensor, " runs"]:
    """Excess loss in nats, in the precision of the population: as training computes it."""
    f, g = embedding.to(population.dtype), unembedding.to(population.dtype)
    return population_gradient(population, f, g).excess_loss.to(torch.float64)


def lay_world(tables: Tables, given: Any, dtype: torch.dtype) -> LaidWorld:
    """Tables whose rows are those of a world, or of one world for each run.

    Raises:
        InputError: Another number of rows than the world has contexts or tokens.
    """
    runs = len(tables["unembedding"])
    several = isinstance(given, list | tuple)
    worlds = tuple(world_of(each) for each in given) if several else (world_of(given),) * runs
    if len(worlds) != runs:
        raise InputError(f"world: expected one for each of {runs} runs, or one for all, got {len(worlds)}")
    if len({world.model.names for world in worlds}) > 1:
        raise InputError("world: expected the same concepts in all, got others; measure them apart")
    wanted = {
        name: max(len(getattr(world, field)) for world in worlds) for name, (field, _) in ROWS_OF.items()
    }
    for name, table in tables.items():
        if table.shape[1] != wanted[name]:
            letter = "F" if name == "embedding" else "G"
            swapped = {other.shape[1] for other in tables.values()} == {*wanted.values()}
            hint = (
                "F and G are swapped"
                if swapped and len(tables) == 2
                else f"their order is world.{ROWS_OF[name][0]}"
            )
            raise InputError(
                f"{letter}: expected {wanted[name]} rows, one for each {ROWS_OF[name][1]} of the world, got "
                f"{table.shape[1]}; {hint}"
            )
    return LaidWorld(tables=tables, worlds=worlds, dtype=dtype)


def _additive(
    share_of: Callable[[Tensor], geometry.AdditiveShare],
    name: TableName,
    table: Tensor,
    rows: int,
    names: Sequence[str],
    seed: int,
    settings: MeasureConfig,
) -> AdditiveShare:
    alive = torch.ones(len(table), dtype=torch.bool)
    drawn = additive_null(share_of, table, alive, name=name, rows=rows, seed=seed, draws=settings.null_draws)
    return additive_record(share_of(table), drawn, alive, names=names)


def _counts(pairs: geometry.Pairs, concept_of: Tensor | None, names: Sequence[str]) -> list[int]:
    """Pairs of each concept, over all runs and, where it has several values, contrasts."""
    counts = pairs.counts()
    groups = torch.arange(len(names)) if concept_of is None else concept_of
    runs = len(counts) // len(groups)
    return torch.zeros(len(names), dtype=torch.int64).index_add(0, groups.repeat(runs), counts).tolist()


def _few(counts: Counts, runs: int, names: Sequence[str]) -> tuple[str, ...]:
    least = [min(own) // runs for own in zip(*counts.values(), strict=True)]  # rows are the same in every run
    return tuple(f"{name} ({n})" for name, n in zip(names, least, strict=True) if n < FEW_PAIRS)


def _gauge(tables: Mapping[TableName, Tensor]) -> Spread | None:
    if len(tables) < 2:
        return None
    return spread_record(geometry.gauge_imbalance(tables["embedding"], tables["unembedding"]))
