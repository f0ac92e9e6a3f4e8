"""The ruler laid on trained tables: worlds give it index pairs and true log-odds, training gives it matrices.

:class:`BatchRuler` prepares both once; ``observe`` measures a state on the way, ``measured`` of
:mod:`linrep.laboratory.summary` at the end. Where a run has no value (no counterfactual pair, or it diverged)
the tensors here hold NaN.

Measuring happens where the tables lie, in float64: on a card neither tables nor anything as long as they are
copied to the host, but what was measured, a number a run or a run and concept. Nulls and samples are drawn on
the host, whatever the device: the same everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from linrep import geometry
from linrep.geometry.additive import Grid, additive_share_on, grid
from linrep.geometry.record import TABLES, TableName
from linrep.geometry.values import Values, sides, similarity_values
from linrep.laboratory.shapes import ShapeRows, has_shapes, shapes
from linrep.laboratory.token_pairs import token_log_p, token_pairs, token_triples
from linrep.linalg import balanced, centre
from linrep.population.gradient import Method, Population, population_gradient
from linrep.runs.config import MeasureConfig
from linrep.runs.spectrum import STORED
from linrep.runs.trace import AS_TRAINED, Series
from linrep.seeds import generator
from linrep.training.state import State
from linrep.worlds.contexts import World
from linrep.worlds.truth import same_sets

SNAPSHOT_CONTEXTS = 1024
"""Contexts looked at for log-odds and margin while training; all of them at the end, up to FINAL_CONTEXTS."""
FINAL_CONTEXTS = 2**16
SPECTRUM = Series(STORED)
"""Of the logits, of f and of g: no line of the trace, a table beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Runs whose worlds have the same contexts and tokens, so that one set of triples serves all."""

    runs: Int64[Tensor, " group"]
    world: World
    grids: dict[TableName, Grid]
    shapes: ShapeRows | None
    """None where there are none."""


class BatchRuler:
    """Everything about a batch of worlds that measuring needs more than once.

    Args:
        worlds: One for each run.
        seed: Of nulls, intervals and samples.
        settings: How many draws of the null.
        balanced: Whether tables of a state are turned to the balanced gauge before they are read.
        device: Where the tables lie.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        *,
        seed: int,
        settings: MeasureConfig | None = None,
        balanced: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        self.seed = seed
        self.device = torch.device(device)
        self.balanced = balanced
        self.settings = settings or MeasureConfig()
        self.worlds = tuple(worlds)
        self.names = worlds[0].model.names
        self.groups = _groups(worlds, self.device)
        self._order = torch.cat([group.runs for group in self.groups]).argsort()
        self.contrasts = geometry.contrasts(worlds[0].model.values)
        plain = len(self.contrasts) == len(self.names)
        concepts = [concept for concept, _, _ in self.contrasts]
        self.concept_of = None if plain else torch.tensor(concepts, device=self.device)
        self.context_rows = torch.tensor([len(world.codes) for world in worlds])
        self.token_rows = torch.tensor([len(world.tokens) for world in worlds])
        self.embedding_pairs = self._pairs(len(worlds), int(self.context_rows.max()), "codes")
        self.unembedding_pairs = self._pairs(len(worlds), int(self.token_rows.max()), "token_codes")
        self.has_shapes = has_shapes(worlds[0])
        self._triples: dict[tuple[int, bool, int], geometry.Triples] = {}
        self._log_p: dict[tuple[int, int], Tensor] = {}

    def _pairs(self, runs: int, rows: int, field: str) -> geometry.Pairs:
        per_run: dict[int, geometry.Pairs] = {}
        for group in self.groups:
            world = group.world
            pairs = (
                geometry.contrast_pairs(world.codes, self.contrasts)
                if field == "codes"
                else token_pairs(world, self.contrasts)
            )
            per_run |= dict.fromkeys(group.runs.tolist(), pairs)
        return geometry.stack([per_run[run] for run in range(runs)], rows).to(self.device)

    def triples(self, group: int, *, known: bool, contexts: int) -> geometry.Triples:
        """Triples of a group's world, made once; with all contexts once for the way and for the end."""
        contexts = min(contexts, len(self.groups[group].world.codes))
        key = (group, known, contexts)
        if key not in self._triples:
            self._triples[key] = token_triples(
                self.groups[group].world,
                known=known,
                generator=generator(self.seed, "triples", group),
                max_contexts=contexts,
            ).to(self.device)
        return self._triples[key]

    def log_p(self, group: int, contexts: int) -> Tensor:
        """What true log-odds are differences of, of a group's runs; made once."""
        contexts = min(contexts, len(self.groups[group].world.codes))
        key = (group, contexts)
        if key not in self._log_p:
            rows = self.triples(group, known=False, contexts=contexts).rows.cpu()
            worlds = [self.worlds[run] for run in self.groups[group].runs.tolist()]
            self._log_p[key] = token_log_p(worlds, rows).to(self.device)
        return self._log_p[key]

    def tables(self, state: State) -> tuple[Tensor, Tensor]:
        """Both tables as they are read: in float64, diverged runs set to zero: no vector, hence no value."""
        as_trained = self.as_trained(state)
        return self.turned(*as_trained) if self.balanced else as_trained

    def turned(
        self,
        embedding: Float64[Tensor, "runs contexts dim"],
        unembedding: Float64[Tensor, "runs tokens dim"],
    ) -> tuple[Float64[Tensor, "runs contexts dim"], Float64[Tensor, "runs tokens dim"]]:
        """Both tables in the balanced gauge, padding 0."""
        found = torch.zeros_like(embedding), torch.zeros_like(unembedding)
        for group in self.groups:
            f, g = self._of(group, embedding, unembedding)
            for table, own in zip(found, balanced(f, centre(g)), strict=True):
                table[group.runs, : own.shape[1]] = own
        return found

    def as_trained(self, state: State) -> tuple[Tensor, Tensor]:
        """Both tables as they lie, a run set to zero where one of its tables is not finite.

        An encoder's weights may be finite still when what it makes of them no longer is.
        """
        tables = [table.detach().to(self.device, torch.float64).contiguous() for table in state.tables]
        finite = torch.stack([table.isfinite().all((1, 2)) for table in tables]).all(0)
        finite &= state.alive.to(self.device)
        embedding, unembedding = (table.masked_fill(~finite[:, None, None], 0.0) for table in tables)
        return embedding, unembedding

    def measure(
        self, embedding: Tensor, unembedding: Tensor, generator: torch.Generator
    ) -> geometry.Measurement:
        """Every similarity in full."""
        return geometry.measure(
            embedding,
            unembedding,
            self.embedding_pairs,
            self.unembedding_pairs,
            generator=generator,
            context_rows=self.context_rows,
            token_rows=self.token_rows,
            concept_of=self.concept_of,
            names=self.names,
            draws=self.settings.null_draws,
        )

    def snapshot(
        self, embedding: Tensor, unembedding: Tensor, generator: torch.Generator
    ) -> dict[Series, Tensor]:
        """Every similarity and one draw of its null."""
        values, null = geometry.snapshot(
            embedding,
            unembedding,
            self.embedding_pairs,
            self.unembedding_pairs,
            generator=generator,
            context_rows=self.context_rows,
            token_rows=self.token_rows,
            concept_of=self.concept_of,
        )
        return {
            Series(measure, table, kind): numbers
            for kind, source in (("value", values.cpu()), ("null", null.cpu()))
            for (measure, table), numbers in source.concepts.items()
        }

    def cosines(self, embedding: Tensor, unembedding: Tensor) -> Values:
        """Every similarity, by itself."""
        both = sides(
            embedding,
            unembedding,
            self.embedding_pairs,
            self.unembedding_pairs,
            self.context_rows,
            self.token_rows,
        )
        return similarity_values(both, self.concept_of).cpu()

    def observe(
        self, state: State, loss: Float64[Tensor, " runs"], step_size: Float64[Tensor, " runs"]
    ) -> dict[Series, Tensor]:
        """Every measure at one step, without intervals.

        Args:
            state: Under training, with all its contexts.
            loss: Its excess loss, by :func:`excess_loss`.
            step_size: Of the step just made, for every run.

        Returns:
            One number per run, or one per run and concept, and all singular values, in the host's memory; NaN
            where there is none.
        """
        alive, as_trained = state.alive.cpu(), self.as_trained(state)
        found = self.look(*(self.turned(*as_trained) if self.balanced else as_trained), loss, state.step)
        found[Series("step_size")] = step_size
        found[SPECTRUM] = self.singular_values(*as_trained)
        if self.balanced:
            found[Series("gauge_imbalance")] = self.gauge(*as_trained)
            found |= {
                Series(measure, table, AS_TRAINED): numbers
                for (measure, table), numbers in self.cosines(*as_trained).concepts.items()
            }
        return absent_where_dead(found, alive)

    def look(
        self,
        embedding: Float64[Tensor, "runs contexts dim"],
        unembedding: Float64[Tensor, "runs tokens dim"],
        loss: Float64[Tensor, " runs"],
        step: int,
    ) -> dict[Series, Tensor]:
        """Every measure of tables, and one draw of its null, wherever they come from.

        Args:
            embedding: Of every context.
            unembedding: Of every token.
            loss: Excess loss in nats.
            step: Of which the null is drawn.
        """
        found = self.snapshot(embedding, unembedding, generator(self.seed, "null", step))
        odds = self.log_odds(embedding, unembedding, contexts=SNAPSHOT_CONTEXTS, points=0)
        found |= {
            Series("excess_loss_nats"): loss,
            Series("log_odds_gap_nats"): odds.rmse,
            Series("log_odds_gap_nats", kind="null"): odds.rmse_of_zero,
            Series("margin"): self.margin(embedding, unembedding, contexts=SNAPSHOT_CONTEXTS)[0],
            Series("gauge_imbalance"): self.gauge(embedding, unembedding),
        }
        for name, table in zip(TABLES, (embedding, unembedding), strict=True):
            found[Series("additive_share", name)] = self.additive(name, table).share
        if self.has_shapes:
            deal = generator(self.seed, "null", step, 2)
            for kind, shuffle in (("value", None), ("null", deal)):
                for (measure, name), numbers in self.shapes(embedding, unembedding, shuffle).items():
                    found[Series(measure, name, kind)] = numbers
        return found

    def log_odds(
        self, embedding: Tensor, unembedding: Tensor, *, contexts: int, points: int
    ) -> geometry.LogOddsGap:
        """The log-odds gap of every run."""
        parts = [
            geometry.log_odds_gap(
                *self._of(group, embedding, unembedding),
                self.log_p(number, contexts),
                self.triples(number, known=False, contexts=contexts),
                points=points // len(self.groups),
                generator=generator(self.seed, "points", number) if points else None,
            )
            for number, group in enumerate(self.groups)
        ]

        def joined(field: str) -> Tensor:
            return self._joined([getattr(part, field) for part in parts])

        drawn = [part.points for part in parts]
        run = [group.runs.cpu()[own.run] for own, group in zip(drawn, self.groups, strict=True)]

        return geometry.LogOddsGap(
            rmse=joined("rmse"),
            max=joined("max"),
            rmse_of_zero=joined("rmse_of_zero"),
            triples=sum(
                part.triples * len(group.runs) for part, group in zip(parts, self.groups, strict=True)
            ),
            contexts=max(part.contexts for part in parts),
            contexts_available=max(part.contexts_available for part in parts),
            points=geometry.Points(
                measured=torch.cat([own.measured for own in drawn]),
                true=torch.cat([own.true for own in drawn]),
                concept=torch.cat([own.concept for own in drawn]),
                run=torch.cat(run),
            ),
        )

    def margin(self, embedding: Tensor, unembedding: Tensor, *, contexts: int) -> tuple[Tensor, Tensor, int]:
        """Mean and smallest margin of every run, and the number of triples behind them."""
        parts = [
            geometry.margin(
                *self._of(group, embedding, unembedding), self.triples(number, known=True, contexts=contexts)
            )
            for number, group in enumerate(self.groups)
        ]
        triples = sum(part.triples * len(group.runs) for part, group in zip(parts, self.groups, strict=True))
        return (
            self._joined([part.mean for part in parts]),
            self._joined([part.min for part in parts]),
            triples,
        )

    def gauge(self, embedding: Tensor, unembedding: Tensor) -> Tensor:
        """The gauge imbalance of every run, padding left out."""
        return self._joined(
            [geometry.gauge_imbalance(*self._of(group, embedding, unembedding)) for group in self.groups]
        )

    def singular_values(self, embedding: Tensor, unembedding: Tensor) -> Float64[Tensor, "runs spectra dim"]:
        """Of the logits, f and g of every run, padding left out."""
        return self._joined(
            [
                torch.stack(geometry.singular_values(*self._of(group, embedding, unembedding)), 1)
                for group in self.groups
            ]
        )

    def additive(self, name: TableName, table: Tensor) -> geometry.AdditiveShare:
        """The additive share of every run's table; energies only where all runs have complete grids."""
        parts = [
            additive_share_on(table[group.runs, : len(group.grids[name].codes)], group.grids[name])
            for group in self.groups
        ]
        energies = [part.energy for part in parts if part.energy is not None]
        return geometry.AdditiveShare(
            share=self._joined([part.share for part in parts]),
            method=parts[0].method,
            energy=self._joined(energies) if len(energies) == len(parts) else None,
            rows=parts[0].rows,
            parameters=parts[0].parameters,
        )

    def shapes(
        self, embedding: Tensor, unembedding: Tensor, shuffle: torch.Generator | None = None
    ) -> dict[tuple[str, TableName], Tensor]:
        """Simplices and hierarchies of every run, by measure and table; of dealt rows with ``shuffle``."""
        parts = [
            {}
            if group.shapes is None
            else shapes(group.shapes, *self._of(group, embedding, unembedding), shuffle=shuffle)
            for group in self.groups
        ]
        return {key: self._joined([part[key] for part in parts]) for key in parts[0]}

    def _of(self, group: Group, embedding: Tensor, unembedding: Tensor) -> tuple[Tensor, Tensor]:
        """A group's tables without padding."""
        contexts, tokens = len(group.world.codes), len(group.world.tokens)
        return embedding[group.runs, :contexts], unembedding[group.runs, :tokens]

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Results group by group, back in the order of runs, in the host's memory."""
        return (parts[0] if len(parts) == 1 else torch.cat(list(parts))[self._order]).cpu()


def excess_loss(population: Population, state: State, method: Method) -> Float64[Tensor, " runs"]:
    """Exact excess loss in nats; NaN for diverged runs. Every rank has a part in it, and its result.

    Args:
        population: This rank's targets.
        state: This rank's, under training.
        method: Form of the gradient.
    """
    found = population_gradient(population, state.embedding, state.unembedding, method=method).excess_loss
    return found.detach().to("cpu", torch.float64).where(state.alive.cpu(), torch.nan)


def absent_where_dead(
    found: Mapping[Series, Float64[Tensor, "runs *rest"]], alive: Bool[Tensor, " runs"]
) -> dict[Series, Tensor]:
    """The same numbers, NaN for diverged runs."""
    dead = ~alive
    return {
        name: numbers.masked_fill(dead.view(-1, *[1] * (numbers.dim() - 1)), torch.nan)
        for name, numbers in found.items()
    }


def _groups(worlds: Sequence[World], device: torch.device) -> list[Group]:
    members: list[tuple[World, list[int]]] = []
    for run, world in enumerate(worlds):
        for other, runs in members:
            if same_sets(world, other):
                runs.append(run)
                break
        else:
            members.append((world, [run]))
    return [
        Group(
            runs=torch.tensor(runs, device=device),
            world=world,
            grids={
                "embedding": grid(world.codes, [size + 1 for size in world.model.sizes]).to(device),
                "unembedding": grid(world.token_codes, _levels(world)).to(device),
            },
            shapes=ShapeRows.of(world, device) if has_shapes(world) else None,
        )
        for world, runs in members
    ]


def _levels(world: World) -> list[int]:
    """Digits of each concept among the tokens: its states, and one more where some word tells none."""
    sizes = torch.tensor(world.model.sizes)
    return (sizes + (world.token_codes == sizes).any(0)).tolist()
