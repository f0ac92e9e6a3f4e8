r"""The gradient's two softmax sums, :math:`\hat P G` and :math:`\hat P^\top F`, one tile of logits at a time.

Each exponential is computed once and the logits are never held all together. A tile fits a core's cache;
runs and shards of one run lie along the batch axis, so that the cores work side by side on PyTorch's own
kernels.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

# Logits of one tile per core: 1 MiB of float32 stays in the cache between the four passes over it.
TILE = 2**18
# Accelerators want work in bulk and have the memory for it.
TILE_ELSEWHERE = 2**26


def softmax_sums(
    query: Float[Tensor, "runs contexts dim"],
    weighted: Float[Tensor, "runs contexts dim"],
    key: Float[Tensor, "runs tokens dim"],
    shift: Float[Tensor, "runs contexts"],
    bias: Float[Tensor, "runs tokens"] | None = None,
    *,
    normaliser: bool = True,
) -> tuple[
    Float[Tensor, "runs contexts dim"],
    Float[Tensor, "runs tokens dim"],
    Float[Tensor, "runs contexts"] | None,
]:
    r"""Means of keys, sums of queries, under :math:`\hat p(c|d) = \mathrm{softmax}_c \, f(d) \cdot g(c)`.

    Naively: ``p = (query @ key.mT + bias).softmax(-1); (p @ key, p.mT @ weighted, logsumexp - shift)``.

    Args:
        query: f(d).
        weighted: ω(d) f(d), up to one factor per run.
        key: g(c).
        shift: A lower bound of each log-sum-exp. Logits far below it are lifted to where their exponential
            is negligible but still a normal number: subnormal ones are several times slower.
        bias: Added to each token's logits; a very negative finite one leaves the token out.
        normaliser: Whether the third sum is wanted.

    Returns:
        Σ_c p̂(c|d) g(c); Σ_d p̂(c|d) weighted(d); log-sum-exp minus shift.
    """
    runs, contexts, dim = query.shape
    tokens = key.shape[1]
    shards, cores, tile = _layout(runs, contexts, tokens, query.device)
    wide = [query, -shift.unsqueeze(-1)] + ([] if bias is None else [torch.ones_like(shift).unsqueeze(-1)])
    left = _sharded(torch.cat(wide, -1), shards)
    back = _sharded(weighted, shards).mT
    columns = key.mT.contiguous()
    ones = columns.new_ones(runs, 1, tokens)
    right = torch.cat([columns, ones] + ([] if bias is None else [bias.unsqueeze(1)]), 1)
    columns, right = (
        table.unsqueeze(1).expand(-1, shards, -1, -1).reshape(runs * shards, -1, tokens)
        for table in (columns, right)
    )
    floor = 0.7 * math.log(torch.finfo(query.dtype).tiny)
    batch, rows = left.shape[:2]
    mean = query.new_empty(batch, dim, rows)
    total = query.new_zeros(batch, dim, tokens)
    excess = query.new_empty(batch, rows) if normaliser else None
    height = min(rows, max(1, tile // tokens))
    depth = min(batch, max(cores, cores * tile // (height * tokens)))
    buffer = query.new_empty(depth * height * tokens)
    for first in range(0, batch, depth):
        group = slice(first, min(first + depth, batch))
        for start in range(0, rows, height):
            block = slice(start, min(start + height, rows))
            logits = buffer[: (group.stop - first) * (block.stop - start) * tokens]
            logits = logits.view(group.stop - first, block.stop - start, tokens)
            torch.bmm(left[group, block], right[group], out=logits).clamp_(min=floor)
            highest = logits.amax(-1) if normaliser else None
            predicted = torch.softmax(logits, -1, out=logits)
            if excess is not None and highest is not None:
                excess[group, block] = highest - predicted.amax(-1).log()
            mean[group, :, block] = torch.bmm(columns[group], predicted.mT)
            total[group].baddbmm_(back[group, :, block], predicted)
    mean = mean.mT.reshape(runs, -1, dim)[:, :contexts]
    total = total.view(runs, shards, dim, tokens).sum(1).mT
    return mean, total, None if excess is None else excess.view(runs, -1)[:, :contexts]


def _layout(runs: int, contexts: int, tokens: int, device: torch.device) -> tuple[int, int, int]:
    """Shards per run, cores to fill, logits per core: a lone run is cut so that every core has its share."""
    if device.type != "cpu":
        return 1, 1, TILE_ELSEWHERE
    cores = torch.get_num_threads()
    lone = runs < cores and contexts * tokens >= TILE
    return (math.ceil(cores / runs) if lone else 1), cores, TILE


def _sharded(table: Float[Tensor, "runs contexts dim"], shards: int) -> Float[Tensor, "batch rows dim"]:
    """Cut the contexts of every run into equal shards, the last one padded with zeros."""
    runs, contexts, dim = table.shape
    rows = math.ceil(contexts / shards)
    padded = (
        torch.nn.functional.pad(table, (0, 0, 0, rows * shards - contexts))
        if rows * shards > contexts
        else table
    )
    return padded.reshape(runs * shards, rows, dim)
