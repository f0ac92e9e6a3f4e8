r"""The gradient's two softmax sums, :math:`\hat P G` and :math:`\hat P^\top F`, one tile of logits at a time.

Each exponential is computed once and the logits are never held all together
(:mod:`linrep.population.tiling`). Runs and shards of one run lie along the batch axis, so that the cores
work side by side on PyTorch's own kernels.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from linrep.population.tiling import BITS, Tiling, lowest


def softmax_sums(
    query: Float[Tensor, "runs wide contexts"],
    weights: Float[Tensor, "runs contexts"],
    key: Float[Tensor, "runs wide tokens"],
    dim: int,
) -> tuple[
    Float[Tensor, "runs dim contexts"],
    Float[Tensor, "runs dim tokens"],
    Float[Tensor, "runs contexts"],
]:
    r"""Means of keys, sums of queries, under :math:`\hat p(c|d) = \mathrm{softmax}_c \, f(d) \cdot g(c)`.

    Naively: ``p = (query.mT @ key).softmax(-1)``, then ``((p @ key.mT).mT, (weights * query) @ p, lse)``,
    all but the first ``dim`` rows cut off. Contexts and tokens lie along the last axis, where PyTorch's
    kernels are fastest.

    Args:
        query: f(d), one column per context; below it, in row ``dim``, minus a lower bound of its log-sum-exp;
            below that ones, where the keys have another row.
        weights: ω(d), up to one factor per run.
        key: g(c), one column per token; below it ones; below that, if any, what is added to the logits of
            each token: a very negative finite number leaves the token out.
        dim: Rows of f and g. Logits far below the bound are lifted to where their exponential is negligible
            but still a normal number: subnormal ones are several times slower.

    Returns:
        Σ_c p̂(c|d) g(c); Σ_d p̂(c|d) ω(d) f(d); log-sum-exp minus its lower bound.
    """
    tiling = Tiling.of(len(query), query.shape[2], key.shape[2], query.device)
    left, right = tiling.cut(query), tiling.repeat(key * BITS)
    scale = tiling.cut(weights.unsqueeze(1))
    floor = _floor(query, key, dim)
    sums, total = _sums(tiling, left, scale, right, dim, floor)
    lift = _lift(tiling, left, right, sums[:, :, dim])
    if lift is not None:
        left = left.clone()
        left[:, :, dim] -= lift
        sums, total = _sums(tiling, left, scale, right, dim, floor)
    # The row of ones is in base 2 as well.
    normaliser = sums[:, :, dim : dim + 1]
    excess = normaliser.log().sub_(math.log(BITS))
    excess = excess if lift is None else excess + lift.unsqueeze(2)
    mean = tiling.join(sums[:, :, :dim] / normaliser)
    return mean, tiling.total(total)[:, :dim] * BITS, tiling.join(excess).squeeze(1)


def _sums(
    tiling: Tiling,
    left: Float[Tensor, "tiles batch wide rows"],
    scale: Float[Tensor, "tiles batch 1 rows"],
    right: Float[Tensor, "batch wide tokens"],
    ones: int,
    floor: float | None,
) -> tuple[Float[Tensor, "tiles batch wide rows"], Float[Tensor, "batch wide tokens"]]:
    """Sums of ``right`` under the powers of two of the logits, and of scaled queries under their softmax.

    Row ``ones`` of the first is the normaliser, infinite where a power overflows.
    """
    sums, total = torch.empty_like(left), torch.zeros_like(right)
    for query, weight, found, key, into, logits in tiling.walk((left, scale, sums), (right, total)):
        torch.bmm(query.mT, key, out=logits)
        if floor is not None:
            logits.clamp_(min=floor)
        torch.exp2(logits, out=logits)
        torch.bmm(key, logits.mT, out=found)
        into.baddbmm_(query * (weight / found[:, ones : ones + 1]), logits)
    return sums, total


def _lift(
    tiling: Tiling,
    left: Float[Tensor, "tiles batch wide rows"],
    right: Float[Tensor, "batch wide tokens"],
    normaliser: Float[Tensor, "tiles batch rows"],
) -> Float[Tensor, "tiles batch rows"] | None:
    """The largest logit where its bound lay so far below that powers might overflow, 0 elsewhere.

    None where that is nowhere.
    """
    fine = normaliser < math.sqrt(torch.finfo(left.dtype).max)
    if bool(fine.all()):
        return None
    highest = torch.empty_like(normaliser)
    for query, found, key, logits in tiling.walk((left, highest), (right,)):
        torch.amax(torch.bmm(query.mT, key, out=logits), -1, out=found)
    return torch.where(fine, 0.0, highest / BITS)


def _floor(query: Tensor, key: Tensor, dim: int) -> float | None:
    """The logit (base 2) to which lower ones are lifted, or None where none can be as low."""
    floor = lowest(query.dtype)
    if query.shape[1] > dim + 1:
        return floor
    # Not vector_norm: it is slow along an axis that is not the last.
    longest = query[:, :dim].square().sum(1).amax() * key[:, :dim].square().sum(1).amax()
    return None if bool(query[:, dim].amin() - longest.sqrt() > floor / BITS) else floor
