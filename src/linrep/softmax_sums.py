r"""The gradient's two softmax sums, :math:`\hat P G` and :math:`\hat P^\top F`, one tile of logits at a time.

Each exponential is computed once and the logits are never held all together. A tile fits a core's cache;
runs and shards of one run lie along the batch axis, so that the cores work side by side on PyTorch's own
kernels.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

# Logits of one tile per core: 2 MiB of float32 stay in the shared cache between the passes, and the small
# calls on each tile's rows are few enough.
TILE = 2**19
# Accelerators want work in bulk and have the memory for it.
TILE_ELSEWHERE = 2**26


def softmax_sums(
    query: Float[Tensor, "runs contexts dim"],
    weighted: Float[Tensor, "runs contexts dim"],
    key: Float[Tensor, "runs tokens dim"],
    shift: Float[Tensor, "runs contexts"],
    bias: Float[Tensor, "runs tokens"] | None = None,
) -> tuple[
    Float[Tensor, "runs contexts dim"],
    Float[Tensor, "runs tokens dim"],
    Float[Tensor, "runs contexts"],
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

    Returns:
        Σ_c p̂(c|d) g(c); Σ_d p̂(c|d) weighted(d); log-sum-exp minus shift.
    """
    runs, contexts, dim = query.shape
    tokens = key.shape[1]
    shards, cores, tile = _layout(runs, contexts, tokens, query.device)
    # Powers of two are cheaper than powers of e, and the change of base costs nothing here.
    wide = [query, -shift.unsqueeze(-1)] + ([] if bias is None else [torch.ones_like(shift).unsqueeze(-1)])
    left = _sharded(_padded(torch.cat(wide, -1)) * math.log2(math.e), shards)
    back = _sharded(_padded(weighted), shards).mT
    # The column of ones carries the shift into the logits, and the normaliser out of the mean.
    columns = [key, key.new_ones(runs, tokens, 1)] + ([] if bias is None else [bias.unsqueeze(-1)])
    right = _padded(torch.cat(columns, -1)).mT.unsqueeze(1).expand(-1, shards, -1, -1)
    right = right.reshape(runs * shards, -1, tokens)
    floor = _floor(query, key, shift, bias)
    batch, rows = left.shape[:2]
    mean = query.new_empty(batch, dim, rows)
    total = query.new_zeros(batch, back.shape[1], tokens)
    excess = query.new_empty(batch, rows)
    height = min(rows, max(1, tile // tokens))
    depth = min(batch, max(cores, cores * tile // (height * tokens)))
    buffer = query.new_empty(depth * height * tokens)
    for first in range(0, batch, depth):
        group = slice(first, min(first + depth, batch))
        for start in range(0, rows, height):
            block = slice(start, min(start + height, rows))
            logits = buffer[: (group.stop - first) * (block.stop - start) * tokens]
            logits = logits.view(group.stop - first, block.stop - start, tokens)
            sums, lift = _exponentials(left[group, block], right[group], dim, floor, logits)
            inverse = sums[:, dim : dim + 1].reciprocal()
            torch.mul(sums[:, :dim], inverse, out=mean[group, :, block])
            excess[group, block] = sums[:, dim].log() + lift
            total[group].baddbmm_(back[group, :, block] * inverse, logits)
    mean = mean.mT.reshape(runs, -1, dim)[:, :contexts]
    total = total.view(runs, shards, -1, tokens).sum(1)[:, :dim].mT
    return mean, total, excess.view(runs, -1)[:, :contexts]


def _exponentials(
    left: Tensor, right: Tensor, ones: int, floor: float | None, logits: Tensor
) -> tuple[Tensor, Tensor | float]:
    """Fill a tile with powers of two of its logits; give the sums of the rows of ``right``, and any lift.

    Row ``ones`` holds ones, so its sum is the normaliser.
    Rows whose shift lay so far below that powers might overflow are lowered to their largest logit.
    """
    highest_sum = math.sqrt(torch.finfo(logits.dtype).max)
    lift: Tensor | None = None
    while True:
        torch.bmm(left, right, out=logits)
        if lift is not None:
            logits -= lift
        if floor is not None:
            logits.clamp_(min=floor)
        torch.exp2(logits, out=logits)
        sums = torch.bmm(right, logits.mT)
        fine = sums[:, ones] < highest_sum
        if lift is not None or bool(fine.all()):
            return sums, 0.0 if lift is None else lift.squeeze(-1) * math.log(2)
        highest = torch.bmm(left, right, out=logits).amax(-1)
        lift = torch.where(fine, 0.0, highest).unsqueeze(-1)


def _padded(table: Float[Tensor, "runs rows dim"]) -> Float[Tensor, "runs rows wide"]:
    """Zero columns up to a multiple of four: products are up to a third faster than at eleven."""
    return torch.nn.functional.pad(table, (0, -table.shape[-1] % 4))


def _floor(query: Tensor, key: Tensor, shift: Tensor, bias: Tensor | None) -> float | None:
    """The logit (base 2) to which lower ones are lifted, or None where none can be as low."""
    floor = 0.7 * math.log2(torch.finfo(query.dtype).tiny)
    if bias is not None:
        return floor
    lowest = -query.norm(dim=-1) * key.norm(dim=-1).amax(-1, keepdim=True) - shift
    return None if bool(lowest.min() * math.log2(math.e) > floor) else floor


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
