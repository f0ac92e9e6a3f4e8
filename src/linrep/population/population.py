r"""Exact targets of a batch of runs; p(token | context) need not be stored.

With :math:`Z = A^{\otimes m} p` the conditional is :math:`P = \mathrm{diag}(1/Z)\, A^{\otimes m}\,
\mathrm{diag}(p)`, so P·G and :math:`P^\top F` are a few small passes
(:mod:`linrep.worlds.transforms`). Runs may differ in their joint, contexts and tokens; narrower runs are
padded with contexts of weight 0 and masked
tokens.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.population.meanings import Meanings
from linrep.population.rows import counts_up, moved, one_hot, padded, spread, take, within
from linrep.population.sampling import Sampler
from linrep.population.sharding import ALONE, Shard, Team
from linrep.worlds.contexts import World, flat_index
from linrep.worlds.words import Words

if TYPE_CHECKING:
    from linrep.population.card import CardGradient

# Below this probability rare contexts would underflow in float32: their targets are summed in float64.
SMALLEST_IN_FLOAT32 = 1e-30
# Numbers of a dense table that are worked out at once, in float64.
BLOCK = 2**21


@dataclass(frozen=True, kw_only=True, eq=False)
class Population:
    r"""Exact targets of a batch of runs; built by :meth:`of` or :meth:`build`.

    Of a world shared over processes it has the contexts of this rank only, and all tokens.

    Example:
        >>> import linrep
        >>> world = linrep.world(linrep.load_network("cancer"))
        >>> population = linrep.Population.of([world, world])
        >>> population.token_index.shape
        torch.Size([2, 32])
    """

    shard: Shard
    """Which contexts these are: all, or this rank's."""
    joint: Float[Tensor, "runs joint"]
    """p(c) of each run, float64, 0 for concept vectors without a token."""
    context_index: Int64[Tensor, "runs contexts *digits"]
    """Flat index of each context, digits in base (states + unknown); of sampled worlds the digits
    themselves, which are too many for one number."""
    weights: Float[Tensor, "runs contexts"]
    """ω(d), float64; 0 marks padding."""
    token_index: Int64[Tensor, "runs tokens"]
    """Flat index of each token in the joint; of a word, of its first meaning."""
    token_mask: Bool[Tensor, "runs tokens"] | None
    """False marks padding; None when no run is padded."""
    meanings: Meanings | None
    """What each token stands for, where tokens are words; None where each is one concept vector."""
    normaliser: Float[Tensor, "runs contexts"]
    """Z(d) = Σ_{c ~ d} p(c), float64; 0 for impossible contexts, which have weight 0."""
    entropy: Float[Tensor, "runs contexts"]
    """``H(p(·|d))`` in nats, float64; 0 where the weight is 0."""
    dtype: torch.dtype
    """Dtype of the tables this population is meant for."""

    @classmethod
    def of(
        cls,
        worlds: Sequence[World],
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
        team: Team = ALONE,
    ) -> "Population":
        """The population of one run per world, padded to the widest.

        Args:
            worlds: One per run; all over concepts of the same sizes.
            dtype: Dtype of the tables that will be trained.
            device: Where everything lives.
            team: The processes the contexts are shared over.

        Raises:
            InputError: If there is no world, their sizes differ, or there are fewer contexts than ranks.
        """
        if len({world.model.sizes for world in worlds}) != 1:
            raise InputError(
                "worlds: expected at least one, all over concepts of the same sizes; train others apart"
            )
        if any(world.sampled for world in worlds):
            from linrep.population.sampled import SampledPopulation  # which is one of these

            return SampledPopulation.of_worlds(worlds, dtype=dtype, device=device, team=team)
        sizes = worlds[0].model.sizes
        index = {id(world): flat_index(world.codes, sizes) for world in worlds}
        return cls.build(
            sizes,
            [world.joint for world in worlds],
            [index[id(world)] for world in worlds],
            [world.weights for world in worlds],
            [world.tokens for world in worlds],
            words=_words(worlds),
            dtype=dtype,
            device=device,
            team=team,
        )

    @classmethod
    def build(
        cls,
        sizes: tuple[int, ...],
        joint: Sequence[Tensor],
        context_index: Sequence[Tensor],
        weights: Sequence[Tensor],
        token_index: Sequence[Tensor],
        *,
        words: Sequence[Words] | None = None,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
        team: Team = ALONE,
    ) -> "Population":
        r"""Collect one tensor of each kind per run into padded batches.

        Args:
            sizes: Number of states of each concept.
            joint: p(c) per run; mass outside the run's tokens is left out and the rest renormalised.
            context_index: Flat context indices per run; impossible ones may only have weight 0.
            weights: ω(d) per run, summing to 1.
            token_index: Distinct flat joint indices per run; a token may have p = 0. With words not read.
            words: What the tokens of each run stand for; None where each is one concept vector.
            dtype: Dtype of the tables that will be trained.
            device: Where everything lives.
            team: The processes the contexts are shared over.

        Raises:
            InputError: If counts disagree, or a context of positive weight cannot occur.
        """
        runs = len(joint)
        if not runs or {len(context_index), len(weights), len(token_index)} != {runs}:
            raise InputError(f"runs: expected at least one and equally many of each kind, got {runs} joints")
        if words is not None:
            token_index = [_first_meanings(each) for each in words]
        shard = Shard.of(sizes, context_index, team)
        cube = shard.cube
        # Padding is the first context of the cube, with weight 0.
        contexts, tokens = padded(shard.own(context_index), cube.first), padded(token_index)
        omega = padded([row.double() for row in shard.own(weights)])
        mask = padded([torch.ones_like(row, dtype=torch.bool) for row in token_index])
        given, said = padded([row.double() for row in joint]), tokens
        probability = given.gather(-1, tokens) * mask
        if words is not None:
            # Every concept vector once, however many words it has.
            vectors = [each.vector.unique() for each in words]
            said = padded(vectors)
            probability = given.gather(-1, said) * padded([torch.ones_like(row) for row in vectors])
        probability = probability / probability.sum(-1, keepdim=True)
        restricted = torch.zeros(runs, math.prod(sizes), dtype=torch.float64, device=probability.device)
        restricted = restricted.scatter_add(-1, said, probability)
        normaliser = cube.subset_sum(restricted).gather(-1, within(contexts, cube))
        impossible = ((normaliser <= 0) & (omega > 0)).nonzero()
        if len(impossible):
            run, row = impossible[0].tolist()
            raise InputError(
                f"contexts: context {row} of run {run} cannot occur but has weight; give it weight 0"
            )
        surprise = cube.subset_sum(torch.special.xlogy(restricted, restricted))
        surprise = surprise.gather(-1, within(contexts, cube))
        entropy = torch.where(omega > 0, normaliser.log() - surprise / normaliser, 0.0).clamp_min(0.0)
        made = cls(
            shard=shard,
            joint=restricted,
            context_index=contexts,
            weights=omega,
            token_index=tokens,
            token_mask=None if bool(mask.all()) else mask,
            meanings=None if words is None else Meanings.of(words, restricted),
            normaliser=normaliser,
            entropy=entropy,
            dtype=dtype,
        )
        if words is not None:
            made = replace(made, entropy=made.entropy_of_words())
        return made.to(dtype=dtype, device=device)

    def to(
        self, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None
    ) -> "Population":
        """The same targets for tables of another dtype or on another device."""
        device = self.device if device is None else device
        return replace(
            self,
            joint=moved(self.joint, device),
            context_index=moved(self.context_index, device),
            weights=moved(self.weights, device),
            token_index=moved(self.token_index, device),
            token_mask=None if self.token_mask is None else moved(self.token_mask, device),
            meanings=None if self.meanings is None else self.meanings.to(device),
            normaliser=moved(self.normaliser, device),
            entropy=moved(self.entropy, device),
            dtype=self.dtype if dtype is None else dtype,
        )

    def select(self, runs: Tensor) -> "Population":
        """The population of some of the runs, given by index or mask, in that order."""
        return replace(self, **self._of(runs))

    def _of(self, runs: Tensor) -> dict[str, Any]:
        """What differs for some of the runs, by field."""
        return {
            "shard": self.shard.select(runs),
            "joint": self.joint[runs],
            "context_index": self.context_index[runs],
            "weights": self.weights[runs],
            "token_index": self.token_index[runs],
            "token_mask": None if self.token_mask is None else self.token_mask[runs],
            "meanings": None if self.meanings is None else self.meanings.select(runs),
            "normaliser": self.normaliser[runs],
            "entropy": self.entropy[runs],
        }

    @property
    def runs(self) -> int:
        """Number of runs."""
        return self.weights.shape[0]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of states of each concept, shared by all runs."""
        return self.shard.cube.sizes

    @property
    def contexts(self) -> int:
        """How many all of them are, of every rank: what the work of a step is estimated by."""
        if self.context_index.ndim == 3:
            return self.context_index.shape[1]
        return math.prod(size + 1 for size in self.sizes)

    @property
    def device(self) -> torch.device:
        """Where everything lives."""
        return self.weights.device

    @cached_property
    def probability(self) -> Float[Tensor, "runs tokens"]:
        """How often each token is said where a context says nothing, 0 on padding, float64."""
        if self.meanings is not None:
            said = torch.zeros(self.token_index.shape, dtype=torch.float64, device=self.device)
            return said.scatter_add_(-1, self.meanings.token, self.meanings.mass)
        probability = self.joint.gather(-1, self.token_index)
        return probability if self.token_mask is None else probability * self.token_mask

    @cached_property
    def inverse_normaliser(self) -> Float[Tensor, "runs contexts"]:
        """1/Z(d), 0 where the context cannot occur, float64."""
        return torch.where(self.normaliser > 0, 1 / self.normaliser, 0.0)

    @cached_property
    def conditional(self) -> Float[Tensor, "runs contexts tokens"]:
        """The dense p(token | context) in the tables' dtype: contexts × tokens numbers a run."""
        return self._stored(torch.ones_like(self.weights))

    @cached_property
    def minus_weighted_conditional(self) -> Float[Tensor, "runs contexts tokens"]:
        """−ω(d) p(token | context), dense: what a prediction's weighted probabilities are added to."""
        return self._stored(-self.weights)

    def _stored(self, factor: Float[Tensor, "runs contexts"]) -> Float[Tensor, "runs contexts tokens"]:
        """The p(token | context), each context's times its factor; few rows at a time are float64."""
        (runs, contexts), tokens = factor.shape, self.token_index.shape[1]
        stored = torch.empty(runs, contexts, tokens, dtype=self.dtype, device=self.device)
        for start in range(0, contexts, step := max(1, BLOCK // (runs * tokens))):
            rows = slice(start, start + step)
            stored[:, rows] = self.conditional_rows(rows.start, rows.stop) * factor[:, rows].unsqueeze(-1)
        return stored

    def conditional_rows(self, start: int, stop: int) -> Float[Tensor, "runs rows tokens"]:
        """The p(token | context) of contexts ``start`` to ``stop``, float64; zeros where Z = 0."""
        contexts = one_hot(self.context_index[:, start:stop], tuple(v + 1 for v in self.sizes), self.sizes)
        vectors = self.token_index if self.meanings is None else self.meanings.index
        compatible = contexts @ one_hot(vectors, self.sizes, self.sizes).mT == contexts.sum(-1, keepdim=True)
        if self.meanings is None:
            rows = compatible * self.probability.unsqueeze(1)
        else:
            rows = self.meanings.rows(compatible, self.token_index.shape[1])
        return rows * self.inverse_normaliser[:, start:stop].unsqueeze(-1)

    def entropy_of_words(self) -> Float[Tensor, "runs contexts"]:
        """``H(p(·|d))`` from p itself, in nats, some contexts at a time; 0 where the weight is 0."""
        found = torch.zeros_like(self.weights)
        runs, contexts = found.shape
        meanings = self.token_index.shape[1] if self.meanings is None else self.meanings.index.shape[1]
        for start in range(0, contexts, step := max(1, BLOCK // (runs * meanings))):
            p = self.conditional_rows(start, start + step)
            found[:, start : start + step] = -torch.xlogy(p, p).sum(-1)
        return torch.where(self.weights > 0, found, 0.0)

    def conditional_mean(self, table: Float[Tensor, "runs tokens dim"]) -> Float[Tensor, "runs contexts dim"]:
        r"""Mean of a token table under p(token | context), :math:`P G`.

        Naively: ``self.conditional @ table``.

        Args:
            table: One row per token; the rows of padded tokens do not matter if finite.

        Returns:
            One row per context, in the dtype of the table; 0 where the context cannot occur.
        """
        dtype = self._sum_dtype(table)
        columns = table.mT.to(dtype)
        if self.meanings is not None:
            columns = self.meanings.by_vector(columns, self.joint.shape[1])
        else:
            columns = columns * self.row("probability", dtype)
        if self.meanings is None and not self._all_tokens:
            columns = spread(columns, self.token_index, self.joint.shape[1])
        mean = self.shard.cube.subset_sum(columns)
        if not self._all_contexts:
            mean = take(mean, self._in_cube)
        return (mean * self.row("inverse_normaliser", dtype)).to(table.dtype).mT

    def conditional_mean_transpose(
        self, table: Float[Tensor, "runs contexts dim"]
    ) -> Float[Tensor, "runs tokens dim"]:
        r"""Weighted sum of a context table per token, :math:`P^\top \mathrm{diag}(\omega) F`.

        Of this rank's contexts; the sum over ranks is the caller's.

        Naively: ``self.conditional.mT @ (self.weights.unsqueeze(-1) * table)``.

        Args:
            table: One row per context; the rows of contexts of weight 0 do not matter if finite.

        Returns:
            One row per token, in the dtype of the table; 0 for padded tokens.
        """
        dtype = self._sum_dtype(table)
        columns = table.mT.to(dtype) * self.row("weight_over_normaliser", dtype)
        if not self._all_contexts:
            columns = spread(columns, self._in_cube, self.shard.cube.contexts)
        total = self.shard.cube.subset_sum_transpose(columns)
        if self.meanings is not None:
            return self.meanings.by_word(total, self.token_index.shape[1]).to(table.dtype).mT
        if not self._all_tokens:
            total = take(total, self.token_index)
        return (total * self.row("probability", dtype)).to(table.dtype).mT

    def row(self, name: str, dtype: torch.dtype) -> Float[Tensor, "runs 1 _"]:
        """One of the float64 factors as a row in another dtype, cast once.

        Args:
            name: "probability", "weights", "entropy", "inverse_normaliser" or "weight_over_normaliser".
            dtype: Of the result.
        """
        key = (name, dtype)
        if key not in self._casts:
            self._casts[key] = getattr(self, name).to(dtype).unsqueeze(1)
        return self._casts[key]

    def sample(
        self, n: int, *, generator: torch.Generator
    ) -> tuple[Int64[Tensor, "runs n"], Int64[Tensor, "runs n"]]:
        r"""Draw contexts from ω and, for each, a token from p(token | context), concept by concept.

        Args:
            n: Draws per run.
            generator: Draws on its own device; the result moves to the population's.

        Returns:
            Positions of the contexts, -1 where another rank holds it, and of the tokens in the tables.
        """
        return self.sampler.draw(n, generator=generator)

    @property
    def numbers(self) -> int:
        """Uniform numbers that a draw takes."""
        return self.sampler.numbers

    def chosen(
        self, uniform: Float64[Tensor, "numbers runs n"]
    ) -> tuple[Int64[Tensor, "runs n"], Int64[Tensor, "runs n"]]:
        """The draws that uniform numbers stand for: :meth:`sample` without a generator.

        Args:
            uniform: In [0, 1): one for the context, then one for each concept.
        """
        return self.sampler.chosen(uniform)

    def _sum_dtype(self, table: Tensor) -> torch.dtype:
        return torch.float64 if self.wide_range else table.dtype

    @cached_property
    def _casts(self) -> dict[tuple[str, torch.dtype], Tensor]:
        return {}

    @cached_property
    def weight_over_normaliser(self) -> Float[Tensor, "runs contexts"]:
        """ω(d)/Z(d), float64."""
        return self.weights * self.inverse_normaliser

    @cached_property
    def wide_range(self) -> bool:
        """Whether 1/Z(d) of some context may leave float32: its targets are summed in float64."""
        mass = self.joint if self.meanings is None else self.meanings.mass
        positive = mass[mass > 0]
        return bool(positive.min() < SMALLEST_IN_FLOAT32)

    @cached_property
    def complete(self) -> bool:
        """Whether every context and concept vector is there, in the order of its flat index."""
        return self.shard.team.ranks == 1 and self._all_tokens and self._all_contexts

    @cached_property
    def cards(self) -> "dict[int, CardGradient]":
        """What kernels need of it, by the width of the tables; filled where it is used."""
        return {}

    @cached_property
    def _all_tokens(self) -> bool:
        return counts_up(self.token_index, self.joint.shape[1])

    @cached_property
    def _all_contexts(self) -> bool:
        return counts_up(self._in_cube, self.shard.cube.contexts)

    @cached_property
    def _in_cube(self) -> Int64[Tensor, "runs contexts"]:
        """Position of each context in the cube that this rank's contexts lie in."""
        return within(self.context_index, self.shard.cube)

    @cached_property
    def sampler(self) -> Sampler:
        """The tables that drawing needs."""
        return Sampler.of(
            self.shard, self.joint, self.context_index, self.weights, self._token_position, self.meanings
        )

    @cached_property
    def _token_position(self) -> Int64[Tensor, "runs joint"]:
        position = torch.arange(self.token_index.shape[1], device=self.device).expand_as(self.token_index)
        if self.token_mask is not None:
            position = position * self.token_mask  # padding repeats token 0: never the maximum
        return torch.zeros_like(self.joint, dtype=torch.int64).scatter_reduce(
            -1, self.token_index, position, "amax"
        )


def _words(worlds: Sequence[World]) -> list[Words] | None:
    """Of every run, or None where no run has any."""
    words = [world.words for world in worlds if world.words is not None]
    if words and len(words) < len(worlds):
        raise InputError(
            "worlds: expected words in all of them or in none, got both; train them apart, or make words "
            "of the others with linrep.worlds.tell"
        )
    return words or None


def _first_meanings(words: Words) -> Int64[Tensor, " words"]:
    first = torch.full((len(words.names),), int(words.vector.max()) + 1)
    return first.scatter_reduce_(0, words.word, words.vector, "amin")
