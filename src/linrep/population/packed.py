r"""States packed into bits: whether a token is compatible with a context is one comparison of two numbers.

A concept of v states takes :math:`\lceil \log_2 v \rceil` bits, first concepts highest. Token c and context d
agree where ``(bits(c) ^ value(d)) & known(d)`` is 0, so a kernel makes p(c|d) = p(c)/Z(d) of a few numbers a
context and a token.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Float32, Int32, Int64
from torch import Tensor

from linrep.population.population import Population

MOST_BITS = 31


@dataclass(frozen=True, kw_only=True, eq=False)
class Packed:
    """Of a population; what all runs share is one row."""

    bits: Int32[Tensor, "shared tokens"]
    """Of each token; -1 where it takes no part."""
    known: Int32[Tensor, "shared contexts"]
    """Ones at the concepts that a context knows."""
    value: Int32[Tensor, "shared contexts"]
    """Their states."""
    probability: Float[Tensor, "runs tokens"]
    """p(c), in the dtype of the tables, as the next two."""
    weights: Float[Tensor, "runs contexts"]
    """ω(d)."""
    inverse_normaliser: Float[Tensor, "runs contexts"]
    """1/Z(d)."""
    unscale: Float32[Tensor, " runs"]
    """A power of two, at least the largest weight and less than twice it."""

    @classmethod
    def of(cls, population: Population) -> "Packed | None":
        """None where states need more than 31 bits, or p(c|d) is not p(c)/Z(d) of one concept vector c.

        Args:
            population: Of these contexts and tokens.

        Example:
            >>> import linrep
            >>> world = linrep.world(linrep.load_network("cancer"))
            >>> packed = Packed.of(linrep.Population.of([world, world]))
            >>> packed.bits.shape, bool((packed.bits == torch.arange(32)).all())
            (torch.Size([1, 32]), True)
        """
        widths = [(size - 1).bit_length() for size in population.sizes]
        if type(population) is not Population or population.meanings is not None or sum(widths) > MOST_BITS:
            return None
        if population.dtype != torch.float64 and population.wide_range:
            return None
        token, _ = _packed(_shared(population.token_index), population.sizes, population.sizes)
        if population.token_mask is not None:
            token = torch.where(population.token_mask, token, -1)
        beyond = tuple(size + 1 for size in population.sizes)
        value, known = _packed(_shared(population.context_index), beyond, population.sizes)
        return cls(
            bits=token.int().contiguous(),
            known=known.int().contiguous(),
            value=value.int().contiguous(),
            probability=population.probability.to(population.dtype).contiguous(),
            weights=population.weights.to(population.dtype).contiguous(),
            inverse_normaliser=population.inverse_normaliser.to(population.dtype).contiguous(),
            unscale=power_above(population.weights),
        )

    @cached_property
    def masked(self) -> bool:
        """Whether there are tokens that take no part."""
        return bool((self.bits < 0).any())

    @cached_property
    def counted(self) -> bool:
        """Whether every run's tokens are numbered as they are packed."""
        tokens = self.bits.shape[1]
        return bool((self.bits == torch.arange(tokens, device=self.bits.device)).all())


def power_above(weights: Float[Tensor, "runs contexts"]) -> Float32[Tensor, " runs"]:
    """The least power of two that is no less than each run's largest weight; exact, and never 0."""
    most = weights.double().amax(-1).clamp_min(torch.finfo(torch.float32).tiny)
    return torch.exp2(torch.ceil(torch.log2(most))).float()


def _packed(
    index: Int64[Tensor, "shared rows"], bases: tuple[int, ...], sizes: tuple[int, ...]
) -> tuple[Int64[Tensor, "shared rows"], Int64[Tensor, "shared rows"]]:
    """States of flat indices, 0 where unknown, and ones at those that are known."""
    value, known, shift = torch.zeros_like(index), torch.zeros_like(index), 0
    for base, size in zip(reversed(bases), reversed(sizes), strict=True):
        digit, width = index % base, (size - 1).bit_length()
        here = digit < size
        value += torch.where(here, digit, 0) << shift
        known += torch.where(here, 2**width - 1, 0) << shift
        index, shift = index // base, shift + width
    return value, known


def _shared(index: Tensor) -> Tensor:
    """Without the rows that are the first again."""
    return index[:1] if index.stride(0) == 0 or len(index) == 1 else index
