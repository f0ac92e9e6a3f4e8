r"""Contexts drawn from ω and, for each, a token from p(token | context), without a dense table.

Each unknown concept in turn is drawn from ratios of :math:`Z = A^{\otimes m} p`: m gathers. Of a world
shared over ranks each rank has the contexts of its own prefixes only, and Z where the first concepts are all
known; every rank draws the same numbers, and answers for the contexts it holds.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from linrep.population.meanings import Meanings
from linrep.population.sharding import Shard
from linrep.worlds.transforms import subset_sum


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampler:
    """The tables that drawing needs."""

    shard: Shard
    context_index: Int64[Tensor, "runs contexts"]
    cumulative: Float[Tensor, "runs contexts"]
    """Running sum of this rank's ω."""
    mass: Float[Tensor, "runs partial"]
    """Z at every context that knows the cube's leading concepts."""
    token_position: Int64[Tensor, "runs joint"]
    """Row of each token, by its index in the joint; of words not read."""
    meanings: Meanings | None
    """Where tokens are words: of each concept vector one is drawn."""

    @classmethod
    def of(
        cls,
        shard: Shard,
        joint: Tensor,
        context_index: Tensor,
        weights: Tensor,
        tokens: Tensor,
        meanings: Meanings | None = None,
    ) -> "Sampler":
        """Prepare to draw.

        Args:
            shard: Which contexts these are.
            joint: p(c) of each run.
            context_index: Flat index of each context.
            weights: ω(d).
            tokens: Row of each token, by its index in the joint.
            meanings: Of words.
        """
        head = math.prod(shard.cube.sizes[: shard.cube.leading])
        tail = shard.cube.sizes[shard.cube.leading :]
        return cls(
            shard=shard,
            context_index=context_index,
            cumulative=weights.cumsum(-1),
            mass=subset_sum(joint.view(len(joint), head, -1), tail).flatten(1),
            token_position=tokens,
            meanings=meanings,
        )

    def draw(
        self, n: int, *, generator: torch.Generator
    ) -> tuple[Int64[Tensor, "runs n"], Int64[Tensor, "runs n"]]:
        """Positions of contexts in this rank's table, -1 where another rank holds it, and of their tokens.

        Args:
            n: Draws per run.
            generator: Draws on its own device; the result moves to the tables'.
        """
        shape = (self.numbers, len(self.context_index), n)
        uniform = torch.rand(shape, dtype=torch.float64, generator=generator, device=generator.device)
        return self.chosen(uniform)

    @property
    def numbers(self) -> int:
        """Uniform numbers that a draw takes: for the context, for each concept, for the word if it is one."""
        return len(self.shard.cube.sizes) + (1 if self.meanings is None else 2)

    def chosen(
        self, uniform: Float64[Tensor, "numbers runs n"]
    ) -> tuple[Int64[Tensor, "runs n"], Int64[Tensor, "runs n"]]:
        """What :meth:`draw` makes of uniform numbers.

        Args:
            uniform: In [0, 1), as many as :attr:`numbers`.
        """
        sizes, leading = self.shard.cube.sizes, self.shard.cube.leading
        runs, device = len(self.context_index), self.context_index.device
        uniform, n = uniform.to(device), uniform.shape[2]
        position, mine = self._contexts(uniform[0])
        flat = self.context_index.gather(-1, position)
        token, flat = self._leading_concepts(flat, uniform[1:])
        for i, size in list(enumerate(sizes))[leading:]:
            stride = math.prod(v + 1 for v in sizes[i + 1 :])
            digit = flat // stride % (size + 1)
            options = flat.unsqueeze(-1) + (torch.arange(size, device=device) - size) * stride
            mass = self.mass.gather(-1, options.clamp_min(0).flatten(1)).view(runs, n, size)
            digit = torch.where(digit == size, _drawn(mass, uniform[i + 1]), digit)
            flat = flat + (digit - flat // stride % (size + 1)) * stride
            token = token * size + digit
        if self.meanings is not None:
            token = self.meanings.drawn(token, uniform[-1])
        else:
            token = self.token_position.gather(-1, token)
        return position.where(mine, -1), self.shard.team.total(token * mine)

    def _contexts(self, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Rows in this rank's table, and whether the draw fell there."""
        rank, edges = self.shard.team.rank, self.shard.mass_before(self.cumulative[:, -1])
        asked = uniform * edges[:, -1:]
        mine = torch.searchsorted(edges[:, 1:-1].contiguous(), asked, right=True) == rank
        position = torch.searchsorted(self.cumulative, asked - edges[:, rank, None], right=True)
        last = (self.shard.rows - 1).clamp_min(0).to(position.device)
        return torch.minimum(position, last[:, None]), mine

    def _leading_concepts(self, flat: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the concepts that the cube is cut along; what follows has them known.

        Returns:
            Their states as one number, and the context in the table ``mass``.
        """
        cube = self.shard.cube
        sizes = cube.sizes[: cube.leading]
        if not sizes:
            return torch.zeros_like(flat), flat
        runs, n = flat.shape
        prefix, rest = flat // cube.stride, flat % cube.stride
        states = math.prod(sizes)
        at = rest.unsqueeze(-1) + torch.arange(states, device=flat.device) * cube.stride
        likely = self.mass.gather(-1, at.flatten(1)).view(runs, n, *sizes)
        digits: list[Tensor] = []
        for size in reversed(sizes):
            digits.insert(0, prefix % (size + 1))
            prefix = prefix // (size + 1)
        # First what is known, then what is drawn: either leaves one state of its concept.
        token = torch.zeros_like(flat)
        for i, size in enumerate(sizes):
            likely = likely * _kept(digits[i], size, i, len(sizes), unknown=True)
        for i, size in enumerate(sizes):
            others = [2 + j for j in range(len(sizes)) if j != i]
            mass = likely.sum(others) if others else likely
            digit = torch.where(digits[i] == size, _drawn(mass, uniform[i]), digits[i])
            likely = likely * _kept(digit, size, i, len(sizes), unknown=False)
            token = token * size + digit
        return token, token * cube.stride + rest


def _drawn(mass: Tensor, uniform: Tensor) -> Int64[Tensor, "runs n"]:
    """A state in proportion to its mass."""
    mass = mass.cumsum(-1)
    drawn = (mass <= uniform.unsqueeze(-1) * mass[..., -1:]).sum(-1)
    return drawn.clamp_max(mass.shape[-1] - 1)  # of no mass at all, where another rank answers


def _kept(digit: Tensor, size: int, axis: int, axes: int, *, unknown: bool) -> Tensor:
    """1 at the state given, 0 at the others of that concept; ones where it is unknown."""
    kept = digit.unsqueeze(-1) == torch.arange(size, device=digit.device)
    if unknown:
        kept = kept | (digit == size).unsqueeze(-1)
    return kept.view(*digit.shape, *(size if j == axis else 1 for j in range(axes)))
