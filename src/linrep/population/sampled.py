r"""The population of sampled worlds: which token can follow which context is stored, one byte each.

What :mod:`linrep.population.population` sums over a cube of all concept vectors is here a product with
:math:`P_{dc} = 1[c \sim d]\, p(c) / Z(d)` over the tokens and contexts in use: as exact, and it needs as many
numbers as they have pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from linrep.errors import InputError, counted
from linrep.population.population import Population
from linrep.population.rows import moved, padded
from linrep.population.sharding import ALONE, Shard, Team
from linrep.worlds.sampled import LARGEST
from linrep.worlds.truth import World, compatible, distinct


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledPopulation(Population):
    """A population whose supports are stored; ``joint`` is over each run's tokens, and indices count up.

    Example:
        >>> from linrep.worlds import sampled_world, sparse
        >>> draw = torch.Generator().manual_seed(0)
        >>> world = sampled_world(sparse(100, probability=0.03), samples=20, generator=draw)
        >>> population = Population.of([world])
        >>> type(population).__name__, population.support.shape == (1, len(world.codes), len(world.tokens))
        ('SampledPopulation', True)
    """

    support: Bool[Tensor, "runs contexts tokens"]
    """Whether c ~ d; False on padding."""

    @classmethod
    def of_worlds(
        cls,
        worlds: Sequence[World],
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
        team: Team = ALONE,
    ) -> "SampledPopulation":
        """As :meth:`Population.of`, of sampled worlds.

        Raises:
            InputError: There are several processes, concepts differ in their sizes, or the supports would
                take too much room, with their size.
        """
        if team.ranks > 1:
            raise InputError(f"world: a sampled one is trained in one process, got {team.ranks}; start one")
        if len({world.model.sizes for world in worlds}) != 1:
            raise InputError(
                "worlds: expected at least one, all over concepts of the same sizes; train others apart"
            )
        sizes = worlds[0].model.sizes
        rows, columns = max(len(w.codes) for w in worlds), max(len(w.tokens) for w in worlds)
        if (size := len(worlds) * rows * columns) > LARGEST:
            raise InputError(
                f"runs: {len(worlds):,} of {rows:,} contexts × {columns:,} tokens are {counted(size)} "
                f"targets, expected at most {counted(LARGEST)}; use fewer runs, or sample fewer"
            )
        agrees = {id(w): compatible(w.codes, w.token_codes, sizes) for w in distinct(worlds)}
        support = _stacked([agrees[id(world)] for world in worlds], rows, columns)
        joint, weights = padded([w.probability for w in worlds]), padded([w.weights for w in worlds])
        mask = padded([torch.ones_like(w.tokens, dtype=torch.bool) for w in worlds])
        mass, surprise = joint.unsqueeze(-1), torch.special.xlogy(joint, joint).unsqueeze(-1)
        normaliser = _product(support, mass)
        entropy = normaliser.log() - _product(support, surprise) / normaliser
        return cls(
            shard=Shard.of(sizes, [torch.arange(len(world.codes)) for world in worlds]),
            joint=joint,
            context_index=_digits(worlds, rows),
            weights=weights,
            token_index=torch.arange(columns).expand(len(worlds), -1),
            token_mask=None if bool(mask.all()) else mask,
            normaliser=normaliser,
            entropy=torch.where(weights > 0, entropy, 0.0).clamp_min(0.0),
            meanings=None,
            dtype=dtype,
            support=support,
        ).to(dtype=dtype, device=device)

    def to(
        self, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None
    ) -> "SampledPopulation":
        """As of any population."""
        found = super().to(dtype=dtype, device=device)
        assert isinstance(found, SampledPopulation)
        return replace(found, support=moved(self.support, found.device))

    def _of(self, runs: Tensor) -> dict[str, Any]:
        return super()._of(runs) | {"support": self.support[runs]}

    def conditional_rows(self, start: int, stop: int) -> Float[Tensor, "runs rows tokens"]:
        """The p(token | context) of contexts ``start`` to ``stop``, float64; zeros where Z = 0."""
        rows = self.support[:, start:stop] * self.probability.unsqueeze(1)
        return rows * self.inverse_normaliser[:, start:stop].unsqueeze(-1)

    def conditional_mean(self, table: Float[Tensor, "runs tokens dim"]) -> Float[Tensor, "runs contexts dim"]:
        """Mean of a token table under p(token | context)."""
        return self.conditional.to(table.dtype) @ table

    def conditional_mean_transpose(
        self, table: Float[Tensor, "runs contexts dim"]
    ) -> Float[Tensor, "runs tokens dim"]:
        """Weighted sum of a context table per token."""
        weighted = self.weights.unsqueeze(-1).to(table.dtype) * table
        return self.conditional.mT.to(table.dtype) @ weighted

    def sample(
        self, n: int, *, generator: torch.Generator
    ) -> tuple[Int64[Tensor, "runs n"], Int64[Tensor, "runs n"]]:
        """Contexts from ω and, for each, a token that can follow it, by its probability."""
        shape = (self.numbers, self.runs, n)
        return self.chosen(
            torch.rand(shape, dtype=torch.float64, generator=generator, device=generator.device)
        )

    @property
    def numbers(self) -> int:
        """Uniform numbers that a draw takes: for the context, and for the token."""
        return 2

    def chosen(
        self, uniform: Float64[Tensor, "numbers runs n"]
    ) -> tuple[Int64[Tensor, "runs n"], Int64[Tensor, "runs n"]]:
        """The draws that uniform numbers stand for."""
        uniform = uniform.to(self.device)
        context = _drawn(self.weights, uniform[0])
        run = torch.arange(self.runs, device=self.device).unsqueeze(-1)
        mass = self.support[run, context] * self.probability.unsqueeze(1)
        return context, _drawn(mass, uniform[1].unsqueeze(-1)).squeeze(-1)


def _drawn(mass: Tensor, uniform: Tensor) -> Int64[Tensor, "*batch n"]:
    """Places of the last axis in proportion to their mass; never one of none."""
    edges = mass.cumsum(-1)
    found = torch.searchsorted(edges, uniform * edges[..., -1:], right=True)
    # The product may round up to the last edge: the last place that has any mass ends there.
    last = (edges < edges[..., -1:]).sum(-1, keepdim=True)
    return torch.minimum(found, last)


def _product(
    support: Bool[Tensor, "runs contexts tokens"], column: Float[Tensor, "runs tokens 1"]
) -> Float[Tensor, "runs contexts"]:
    """Sum of a column over the tokens that can follow each context, run by run to save room."""
    return torch.stack([(own.double() @ each).squeeze(-1) for own, each in zip(support, column, strict=True)])


def _stacked(tables: Sequence[Tensor], rows: int, columns: int) -> Bool[Tensor, "runs contexts tokens"]:
    """Tables of different sizes, False beyond their ends; runs of one world share their memory."""
    if all(table is tables[0] for table in tables):
        return tables[0].expand(len(tables), -1, -1)
    stacked = torch.zeros(len(tables), rows, columns, dtype=torch.bool)
    for place, table in zip(stacked, tables, strict=True):
        place[: table.shape[0], : table.shape[1]] = table
    return stacked


def _digits(worlds: Sequence[World], rows: int) -> Int64[Tensor, "runs contexts concepts"]:
    """Of every context; padding repeats the first."""
    if all(world is worlds[0] for world in worlds):
        return worlds[0].codes.long().expand(len(worlds), -1, -1)
    place = torch.arange(rows)
    return torch.stack([world.codes.long()[place.where(place < len(world.codes), 0)] for world in worlds])
