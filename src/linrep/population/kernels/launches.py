"""Launches of a gradient: sizes of blocks, room for what lies between, one object for each size of world."""

import functools
from typing import Any

import torch
import triton
from jaxtyping import Bool, Float32
from torch import Tensor

from linrep.population.kernels import sides, subsets, tile
from linrep.population.packed import Packed, power_above

OLDEST = (3, 5)
"""The first Triton that has products in float64, and with which all kernels were compiled."""
INTERPRETED = not isinstance(tile.tile_gradient, triton.JITFunction)
"""Whether Triton's interpreter runs them, on the CPU."""
WIDE = 64
"""Tokens of a block, in both sides."""
OPTIONS = {"num_warps": 4, "enable_fp_fusion": True}
"""Of a launch. Error budgets count on products and sums being fused; Triton's own default will change."""
STAGES = {16: 3, 32: 3, 64: 2, 128: 1}
"""Tiles read ahead, by the width of the tables: what a processor's shared memory holds."""
FILL, MOST_SHARES = 48, 96
"""Programs of the token side for each processor of a card; shares beyond which their sum costs too much."""
ROWS_OF_A_TILE = {16: 128, 32: 128, 64: 64, 128: 64, 256: 64}
"""Contexts of a block where all tokens are one tile of so many."""


def padded(number: int) -> int:
    """The power of two that a tile's side is: tensor cores want 16 at least."""
    return max(16, triton.next_power_of_2(number))


@functools.cache
def processors(device: torch.device) -> int:
    """Of a card; an H100's where none is there."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 132


def probe(device: torch.device) -> None:
    """Run the smallest of them, which raises whatever keeps kernels from being compiled and launched here."""
    if tuple(int(part) for part in triton.__version__.split(".")[:2]) < OLDEST:
        raise RuntimeError(f"Triton {triton.__version__} is older than {'.'.join(map(str, OLDEST))}")
    numbers = torch.ones(2, dtype=torch.float32, device=device)
    out = torch.empty(1, dtype=torch.float32, device=device)
    tile.add_parts[(1, 1)](numbers, out, 2, 1, 1, 16, 16, **OPTIONS)
    if out.item() != 2.0:
        raise RuntimeError(f"expected a sum of 2, got {out.item()}")


class Sides:
    """Softmax sums of a large world, in four launches that are always the same: fit for a CUDA graph.

    Naively: ``softmax_sums`` of :mod:`linrep.population.softmax_sums`.

    Args:
        weights: ω(d).
        taken: False where a token takes no part; None if all do.
        tokens: Of a run.
        dim: k.
    """

    def __init__(
        self,
        weights: Float32[Tensor, "runs contexts"],
        taken: Bool[Tensor, "runs tokens"] | None,
        tokens: int,
        dim: int,
    ) -> None:
        device, (runs, contexts) = weights.device, weights.shape
        self.weights, self.unscale_w = weights.float().contiguous(), power_above(weights)
        self.tokens, self.dim, self.wide = tokens, dim, padded(dim + 1)
        self.rows = triton.cdiv(tokens, WIDE) * WIDE
        self.masked = taken is not None or self.rows != tokens
        whole = torch.ones(runs, tokens, dtype=torch.bool, device=device) if taken is None else taken
        self.taken, self.first = whole.to(torch.uint8).contiguous(), whole.long().argmax(-1)
        self.blocks = triton.cdiv(contexts, sides.BLOCK.value)
        held = self.blocks * sides.BLOCK.value
        self.values = _halved(2, (runs, self.rows, self.wide), device)
        self.keys = _halved(2, (runs, self.rows, self.wide), device) if self.masked else self.values
        self.queries = _halved(4, (runs, held, self.wide), device)
        number = functools.partial(torch.empty, dtype=torch.float32, device=device)
        self.unscale_g, self.unscale_f = number(runs), number(runs, self.blocks)
        self.shift, self.log_sum = number(runs, held), number(runs, contexts)
        # Enough programs to fill the card several times, and sums short enough for float32.
        shares = min(MOST_SHARES, triton.cdiv(processors(device) * FILL, self.rows // WIDE * runs))
        shares = min(self.blocks, max(shares, triton.cdiv(self.blocks, 4096)))
        self.share = triton.cdiv(self.blocks, shares)
        self.shares = triton.cdiv(self.blocks, self.share)
        self.part = number(self.shares, runs, self.rows, dim)

    def __call__(
        self,
        f: Float32[Tensor, "runs contexts dim"],
        g: Float32[Tensor, "runs tokens dim"],
        mean: Float32[Tensor, "runs contexts dim"],
        total: Float32[Tensor, "runs tokens dim"],
        to_f: Float32[Tensor, "runs contexts dim"],
        to_g: Float32[Tensor, "runs tokens dim"],
    ) -> Float32[Tensor, "runs contexts"]:
        """Write both gradients; all tables lie by rows.

        Args:
            f: F.
            g: G.
            mean: P G, what is aimed at.
            total: Pᵀ Ω F.
            to_f: Room for the gradient of F.
            to_g: Room for that of G.

        Returns:
            The log-sum-exp of every context; overwritten by the next call.
        """
        self._contexts(f, g, mean, to_f)
        self._tokens(total, to_g)
        return self.log_sum

    def _contexts(self, f: Tensor, g: Tensor, mean: Tensor, to_f: Tensor) -> None:
        runs, contexts, dim = f.shape
        rows = 16 if self.rows < 4096 else 64
        sides.lay_keys[(self.rows // rows, runs)](
            g, self.first, self.taken, *self.keys, *self.values, self.unscale_g, self.tokens, self.rows,
            dim, self.wide, rows, 1024, self.masked, **OPTIONS,
        )  # fmt: skip
        sides.context_side[(self.blocks, runs)](
            f, self.weights, mean, self.unscale_w, self.unscale_g, *self.keys, *self.values, to_f,
            self.log_sum, *self.queries, self.shift, self.unscale_f, contexts, self.rows, self.blocks,
            dim, self.wide, WIDE, STAGES[self.wide], self.masked, **OPTIONS,
        )  # fmt: skip

    def _tokens(self, total: Tensor, to_g: Tensor) -> None:
        runs, tokens, dim = to_g.shape
        sides.token_side[(self.rows // WIDE, self.shares, runs)](
            *self.keys, self.unscale_g, *self.queries, self.shift, self.unscale_f, self.part, self.rows,
            self.share, self.blocks, runs, dim, self.wide, WIDE, STAGES[self.wide], **OPTIONS,
        )  # fmt: skip
        sides.add_shares[(triton.cdiv(tokens * dim, 256), runs)](
            self.part, total, self.taken, self.unscale_w, to_g, tokens, self.rows, self.shares, runs,
            dim, 256, self.masked, 1 if INTERPRETED else 8, **OPTIONS,
        )  # fmt: skip


class Subsets:
    """Targets of complete binary worlds, contexts and tokens counting up.

    Args:
        packed: The world's numbers.
        concepts: m.
        dim: k.
        low: Concepts of the last product; by default what an H200 liked.
    """

    def __init__(self, packed: Packed, concepts: int, dim: int, low: int | None = None) -> None:
        self.packed = packed
        # The product of five takes more registers than there are where tables are wide.
        self.low = min(concepts, low or (5 if concepts >= 11 and padded(dim) == 16 else 4))
        self.high = concepts - self.low
        self.over = (packed.weights * packed.inverse_normaliser).contiguous()
        self.shape: dict[str, Any] = {
            "K": dim,
            "KP": padded(dim),
            "HIGH": self.high,
            "LOW": self.low,
            "ROWS": padded(3**self.low),
            "COLUMNS": padded(2**self.low),
            "UNROLL": 1 if INTERPRETED else 4,
            **OPTIONS,
        }

    def mean(
        self, g: Float32[Tensor, "runs tokens dim"], out: Float32[Tensor, "runs contexts dim"]
    ) -> Tensor:
        """P G, in its place."""
        packed = self.packed
        subsets.target_mean[(3**self.high, len(g))](
            g, packed.probability, packed.inverse_normaliser, out, **self.shape
        )
        return out

    def total(
        self, f: Float32[Tensor, "runs contexts dim"], out: Float32[Tensor, "runs tokens dim"]
    ) -> Tensor:
        """Pᵀ Ω F, in its place."""
        subsets.target_total[(2**self.high, len(f))](
            f, self.over, self.packed.probability, out, f.shape[1], **self.shape
        )
        return out


class Tile:
    """Both gradients where all tokens are one tile, in two launches.

    Naively: ``residual_sums`` of :mod:`linrep.population.residual_sums`, without its log-sum-exp.

    Args:
        packed: The world's numbers.
        dim: k.
    """

    def __init__(self, packed: Packed, dim: int) -> None:
        self.packed, self.dim = packed, dim
        self.runs, self.contexts = packed.weights.shape
        self.tokens = packed.bits.shape[1]
        self.wide = padded(self.tokens)
        self.block = ROWS_OF_A_TILE[self.wide]
        self.parts = triton.cdiv(self.contexts, self.block)
        shape = (self.runs, self.parts, self.wide, dim)
        self.part = torch.empty(shape, dtype=torch.float32, device=packed.weights.device)

    def __call__(
        self,
        f: Float32[Tensor, "runs contexts dim"],
        g: Float32[Tensor, "runs tokens dim"],
        to_f: Float32[Tensor, "runs contexts dim"],
        to_g: Float32[Tensor, "runs tokens dim"],
    ) -> None:
        """Write both gradients; all tables lie by rows.

        Args:
            f: F.
            g: G.
            to_f: Room for the gradient of F.
            to_g: Room for that of G.
        """
        numbers, flags = of_packed(self.packed)
        tile.tile_gradient[(self.parts, self.runs)](
            f, g, to_f, self.part, *numbers, self.dim, padded(self.dim), self.block, self.wide, *flags,
            **OPTIONS,
        )  # fmt: skip
        tall, wide = (64 if self.parts > 32 else 16), 32
        tile.add_parts[(triton.cdiv(self.tokens * self.dim, wide), self.runs)](
            self.part, to_g, self.parts, self.tokens * self.dim, self.wide * self.dim, tall, wide,
            **OPTIONS,
        )  # fmt: skip


def of_packed(packed: Packed) -> tuple[tuple[Any, ...], tuple[bool, bool]]:
    """What kernels take of it, in their order, and whether tokens are masked, and counted."""
    tokens, contexts = packed.bits.shape[1], packed.known.shape[1]
    full = tokens == padded(tokens)
    numbers = (
        packed.weights,
        packed.inverse_normaliser,
        packed.unscale,
        packed.known,
        packed.value,
        packed.probability,
        packed.bits,
        contexts,
        tokens,
        contexts if len(packed.known) > 1 else 0,
        tokens if len(packed.bits) > 1 else 0,
    )
    return numbers, (packed.masked or not full, packed.counted and full)


def _halved(count: int, shape: tuple[int, ...], device: torch.device) -> list[Tensor]:
    return [torch.empty(shape, dtype=torch.float16, device=device) for _ in range(count)]
