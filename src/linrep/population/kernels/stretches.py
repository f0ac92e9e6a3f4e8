"""Launches of whole steps of many small runs: as many steps as there are to the next look."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import triton
from jaxtyping import Float32
from torch import Tensor

from linrep.population.kernels import descending, sampled
from linrep.population.kernels.launches import OPTIONS, of_packed, padded
from linrep.population.packed import Packed


class Steps:
    """Whole steps of gradient descent or Adam of many small runs, a launch for as many as are asked.

    Naively: as many calls of ``Descent.step`` of :mod:`linrep.training.descent`.

    Args:
        packed: The world's numbers.
        dim: k.
    """

    def __init__(self, packed: Packed, dim: int) -> None:
        self.packed, self.dim = packed, dim
        self.runs, self.contexts = packed.weights.shape
        self.wide = padded(packed.bits.shape[1])
        self.rows, self.options = _rows_and_options(self.contexts, self.wide, padded(dim))

    def __call__(
        self,
        f: Float32[Tensor, "runs contexts dim"],
        g: Float32[Tensor, "runs tokens dim"],
        moments: Sequence[Tensor],
        rates: Float32[Tensor, "steps 3"],
    ) -> None:
        """Move both tables, which lie by rows, in place.

        Args:
            f: F.
            g: G.
            moments: Adam's, first of F and G, then second; none for gradient descent.
            rates: Of every step its size, and Adam's two corrections.
        """
        numbers, flags = of_packed(self.packed)
        f1, g1, f2, g2 = moments or (f, g, f, g)
        descending.descend[(self.runs,)](
            f, g, f1, f2, g1, g2, *numbers[:7], rates, len(rates), *numbers[7:], self.dim, padded(self.dim),
            self.rows, self.wide, triton.cdiv(self.contexts, self.rows), bool(moments), *flags,
            **self.options,
        )  # fmt: skip


class Samples(NamedTuple):
    """What pairs are drawn from, on a card; the names are those of the compiled loop's tables."""

    cumulative: Tensor
    flat: Tensor
    sizes: Tensor
    strides: Tensor
    mass: Tensor
    position: Tensor
    contexts: Tensor
    tokens: Tensor
    most: int
    """States of a concept at most."""

    def draw(self, keys: Tensor, first: int, steps: int, batch: int) -> tuple[Tensor, Tensor]:
        """Rows of contexts and of tokens, ``[runs, steps, batch]``, of some steps that follow one another.

        Args:
            keys: A run's 64 bits each.
            first: Step.
            steps: How many.
            batch: Pairs of each.
        """
        runs, contexts = len(keys), self.cumulative.shape[1]
        rows = torch.empty(runs, steps, batch, dtype=torch.int32, device=keys.device)
        tokens = torch.empty_like(rows)
        samples = self.contexts.shape[1]
        sampled.draw[(runs, steps)](
            keys, self.cumulative, self.flat, self.mass, self.position, self.contexts, self.tokens,
            self.sizes, self.strides, rows, tokens, first, contexts, self.mass.shape[1],
            *(each.shape[1] if len(each) > 1 else 0 for each in (self.cumulative, self.flat, self.position)),
            batch, samples, padded(batch), contexts.bit_length(), len(self.sizes), self.most, samples > 0,
            **OPTIONS,
        )  # fmt: skip
        return rows, tokens


def sample_steps(
    f: Float32[Tensor, "runs contexts dim"],
    g: Float32[Tensor, "runs tokens dim"],
    pairs: tuple[Tensor, Tensor],
    taken: Tensor | None,
    rates: Float32[Tensor, " steps"],
) -> None:
    """Steps of SGD on pairs drawn before, in place.

    Args:
        f: F, by rows.
        g: G, by rows.
        pairs: Rows of contexts and of tokens, ``[runs, steps, batch]``.
        taken: 0 where a token takes no part; None if all do.
        rates: Of every step its size over the batch's.
    """
    (runs, contexts, dim), tokens, batch = f.shape, g.shape[1], pairs[0].shape[2]
    wide = padded(tokens)
    sampled.sample[(runs,)](
        f, g, *pairs, pairs[1] if taken is None else taken, rates, len(rates), contexts, tokens, batch,
        dim, padded(dim), padded(batch), wide, taken is not None, wide != tokens, **OPTIONS,
    )  # fmt: skip


def _rows_and_options(contexts: int, tokens: int, wide: int) -> tuple[int, dict[str, Any]]:
    """Contexts of a block, and how many warps and registers have it, as found best on an H200."""
    if tokens <= 16:
        return min(32, padded(contexts)), OPTIONS | {"num_warps": 1}
    if wide > 16 or tokens > 64:
        return 64, OPTIONS
    return (256, OPTIONS) if tokens == 32 else (64, OPTIONS | {"maxnreg": 128})
