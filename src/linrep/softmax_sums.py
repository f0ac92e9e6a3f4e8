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
# Rows of every matrix come in multiples of this: products are up to a third faster than at eleven.
ALIGNED = 4
# Powers of two are cheaper than powers of e, and the change of base costs nothing here.
BITS = math.log2(math.e)
# Accelerators want work in bulk and have the memory for it.
TILE_ELSEWHERE = 2**26


def softmax_sums(
    query: Float[Tensor, "runs dim contexts"],
    weights: Float[Tensor, "runs contexts"],
    key: Float[Tensor, "runs tokens dim"],
    shift: Float[Tensor, "runs contexts"],
    bias: Float[Tensor, "runs tokens"] | None = None,
) -> tuple[
    Float[Tensor, "runs dim contexts"],
    Float[Tensor, "runs dim tokens"],
    Float[Tensor, "runs contexts"],
]:
    r"""Means of keys, sums of queries, under :math:`\hat p(c|d) = \mathrm{softmax}_c \, f(d) \cdot g(c)`.

    Naively: ``p = (query.mT @ key.mT + bias).softmax(-1)``, then
    ``((p @ key).mT, (weights * query) @ p, logsumexp - shift)``. Contexts and tokens lie along the last axis,
    where PyTorch's kernels are fastest.

    Args:
        query: f(d), one column per context.
        weights: ω(d), up to one factor per run.
        key: g(c), one row per token.
        shift: A lower bound of each log-sum-exp. Logits far below it are lifted to where their exponential
            is negligible but still a normal number: subnormal ones are several times slower.
        bias: Added to each token's logits; a very negative finite one leaves the token out.

    Returns:
        Σ_c p̂(c|d) g(c); Σ_d p̂(c|d) ω(d) f(d); log-sum-exp minus shift.
    """
    runs, dim, contexts = query.shape
    tokens = key.shape[1]
    shards, cores, tile = _layout(runs, contexts, tokens, query.device)
    left = _sharded(_left(query, shift, bias), shards)
    scale = _sharded(weights.unsqueeze(1), shards)
    right = _right(key, bias).unsqueeze(1).expand(-1, shards, -1, -1).flatten(0, 1)
    floor = _floor(query, key, shift, bias)
    batch, _, rows = left.shape
    wide = min(left.shape[1], dim + -dim % ALIGNED)
    mean = query.new_empty(batch, dim, rows)
    total = query.new_zeros(batch, wide, tokens)
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
            sums, lift = _exponentials(left[group, :, block].mT, right[group], dim, floor, logits)
            inverse = sums[:, dim : dim + 1].reciprocal()
            torch.mul(sums[:, :dim], inverse, out=mean[group, :, block])
            excess[group, block] = sums[:, dim].log() + lift
            total[group].baddbmm_(left[group, :wide, block] * (scale[group, :, block] * inverse), logits)
    total = total.view(runs, shards, wide, tokens).sum(1)[:, :dim] / BITS
    return _joined(mean, runs, contexts), total, _joined(excess.unsqueeze(1), runs, contexts).squeeze(1)


def _left(
    query: Float[Tensor, "runs dim contexts"],
    shift: Float[Tensor, "runs contexts"],
    bias: Float[Tensor, "runs tokens"] | None,
) -> Float[Tensor, "runs wide contexts"]:
    """Queries, minus the shift, and ones for the bias, in base 2: rows of what the logits are made of."""
    runs, dim, contexts = query.shape
    used = dim + 1 if bias is None else dim + 2
    left = query.new_empty(runs, used + -used % ALIGNED, contexts)
    torch.mul(query, BITS, out=left[:, :dim])
    torch.mul(shift, -BITS, out=left[:, dim])
    if bias is not None:
        left[:, dim + 1] = BITS
    left[:, used:] = 0
    return left


def _right(
    key: Float[Tensor, "runs tokens dim"], bias: Float[Tensor, "runs tokens"] | None
) -> Float[Tensor, "runs wide tokens"]:
    """Keys, ones that carry the shift into the logits and the normaliser out of the mean, and the bias."""
    columns = [key, torch.ones_like(key[..., :1])] + ([] if bias is None else [bias.unsqueeze(-1)])
    right = torch.cat(columns, -1)
    return torch.nn.functional.pad(right, (0, -right.shape[-1] % ALIGNED)).mT.contiguous()


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


def _floor(query: Tensor, key: Tensor, shift: Tensor, bias: Tensor | None) -> float | None:
    """The logit (base 2) to which lower ones are lifted, or None where none can be as low."""
    floor = 0.7 * math.log2(torch.finfo(query.dtype).tiny)
    if bias is not None:
        return floor
    # Not vector_norm: it is slow along an axis that is not the last.
    lowest = -query.square().sum(1).sqrt() * key.norm(dim=-1).amax(-1, keepdim=True) - shift
    return None if bool(lowest.min() * BITS > floor) else floor


def _layout(runs: int, contexts: int, tokens: int, device: torch.device) -> tuple[int, int, int]:
    """Shards per run, cores to fill, logits per core: a lone run is cut so that every core has its share."""
    if device.type != "cpu":
        return 1, 1, TILE_ELSEWHERE
    cores = torch.get_num_threads()
    lone = runs < cores and contexts * tokens >= TILE
    return (math.ceil(cores / runs) if lone else 1), cores, TILE


def _sharded(table: Float[Tensor, "runs dim contexts"], shards: int) -> Float[Tensor, "batch dim rows"]:
    """Cut the contexts of every run into equal shards, the last one padded with zeros."""
    if shards == 1:
        return table
    runs, dim, contexts = table.shape
    rows = math.ceil(contexts / shards)
    padded = torch.nn.functional.pad(table, (0, rows * shards - contexts))
    return padded.view(runs, dim, shards, rows).transpose(1, 2).reshape(runs * shards, dim, rows)


def _joined(
    table: Float[Tensor, "batch dim rows"], runs: int, contexts: int
) -> Float[Tensor, "runs dim contexts"]:
    """Undo :func:`_sharded`."""
    if len(table) == runs:
        return table
    _, dim, rows = table.shape
    return table.view(runs, -1, dim, rows).transpose(1, 2).reshape(runs, dim, -1)[..., :contexts]
