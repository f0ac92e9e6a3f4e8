"""How the logits of a batch of runs are cut into tiles that fit a core's cache.

The contexts of a run are cut into shards, so that every core has work, and each shard into tiles of rows.
What belongs to a tile lies in one piece of memory: the small products on it read no more than they need.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# Logits of one tile per core: 2 MiB of float32 stay in the shared cache between the passes, and the small
# calls on each tile are few enough.
TILE = 2**19
# Rows of a tile come in multiples of this: products with odd numbers of them are up to half as fast again.
ALIGNED = 16
# Runs per core beyond which unequal shares no longer matter; logits below which a shard is not worth its
# calls.
MANY, SMALLEST_SHARD = 8, 2**17
# Accelerators want work in bulk and have the memory for it.
TILE_ELSEWHERE = 2**26

# Powers of two are cheaper than powers of e, and the change of base costs nothing in a product.
BITS = math.log2(math.e)


def lowest(dtype: torch.dtype) -> float:
    """The logit in base 2 to which lower ones are lifted, where others are near 0 or above.

    Its power is negligible beside theirs and still a normal number: subnormal ones are several times slower.
    """
    return 0.7 * math.log2(torch.finfo(dtype).tiny)


def runs_at_once(rows: int, tokens: int, device: torch.device) -> int:
    """How many runs, or parts of one, of so many logits are worked on together: at least one a core."""
    cores, tile = _cores_and_tile(device)
    return cores * max(1, tile // (rows * tokens))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """Which rows of which runs are worked on together."""

    contexts: int
    """Contexts of each run, before padding."""
    shards: int
    """Parts of each run that lie along the batch axis."""
    tiles: int
    """Tiles of each shard."""
    rows: int
    """Contexts of each tile, the last ones padding."""
    depth: int
    """Shards of any run worked on at once."""

    @classmethod
    def of(cls, runs: int, contexts: int, tokens: int, device: torch.device) -> "Tiling":
        """For tables of these sizes: a few large runs are cut so that every core has an equal share."""
        cores, tile = _cores_and_tile(device)
        shards = cores // math.gcd(runs, cores)
        if runs >= MANY * cores or contexts * tokens < shards * SMALLEST_SHARD:
            shards = 1
        tiles = math.ceil(math.ceil(contexts / shards) / max(1, tile // tokens))
        rows = math.ceil(contexts / (shards * tiles))
        if shards * tiles > 1:
            rows += -rows % ALIGNED
        return cls(
            contexts=contexts,
            shards=shards,
            tiles=tiles,
            rows=rows,
            depth=runs_at_once(rows, tokens, device),
        )

    def cut(self, table: Float[Tensor, "runs dim contexts"]) -> Float[Tensor, "tiles batch dim rows"]:
        """The columns of every tile side by side; zeros beyond the last context."""
        if self.shards * self.tiles == 1:
            return table.unsqueeze(0)
        runs, dim, contexts = table.shape
        table = torch.nn.functional.pad(table, (0, self.shards * self.tiles * self.rows - contexts))
        table = table.view(runs, dim, self.shards, self.tiles, self.rows).permute(3, 0, 2, 1, 4)
        return table.contiguous().view(self.tiles, runs * self.shards, dim, self.rows)

    def join(self, table: Float[Tensor, "tiles batch dim rows"]) -> Float[Tensor, "runs dim contexts"]:
        """Undo :meth:`cut`."""
        if self.shards * self.tiles == 1:
            return table.squeeze(0)
        tiles, batch, dim, rows = table.shape
        table = table.view(tiles, batch // self.shards, self.shards, dim, rows).permute(1, 3, 2, 0, 4)
        return table.reshape(batch // self.shards, dim, -1)[..., : self.contexts]

    def repeat(self, table: Float[Tensor, "runs wide tokens"]) -> Float[Tensor, "batch wide tokens"]:
        """The tokens of a run for each of its shards."""
        return table.repeat_interleave(self.shards, 0)

    def total(self, table: Float[Tensor, "batch wide tokens"]) -> Float[Tensor, "runs wide tokens"]:
        """Undo :meth:`repeat`: the sum over the shards of a run."""
        return table.unflatten(0, (-1, self.shards)).sum(1)

    def walk(
        self, rows: tuple[Tensor, ...], batches: tuple[Float[Tensor, "batch wide tokens"], ...]
    ) -> Iterator[tuple[Tensor, ...]]:
        """What belongs to each tile, and room for its logits, the same memory for all.

        Args:
            rows: Tables ``[tiles, batch, ...]``.
            batches: Tables of tokens, the first of which tells how many.

        Yields:
            The tile's part ``[depth, ...]`` of each table in turn, then its logits ``[depth, rows, tokens]``.
        """
        batch, _, tokens = batches[0].shape
        space = batches[0].new_empty(min(batch, self.depth), self.rows, tokens)
        for first in range(0, batch, self.depth):
            group = slice(first, first + self.depth)
            shared = tuple(table[group] for table in batches)
            logits = space[: len(shared[0])]
            for parts in zip(*(table[:, group].unbind() for table in rows), strict=True):
                yield (*parts, *shared, logits)


def _cores_and_tile(device: torch.device) -> tuple[int, int]:
    return (torch.get_num_threads(), TILE) if device.type == "cpu" else (1, TILE_ELSEWHERE)
