r"""The gradient of small runs from prediction minus target, :math:`R = \Omega(\hat P - P)`: R·G and R'·F.

Where a run's logits fit a core's cache, its targets are worth storing: two products do the work of four, and
the calls are so few that many small runs go through at once. Runs are taken in groups that stay in the cache.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from linrep.population.tiling import BITS, lowest, runs_at_once

Room = tuple[Float[Tensor, "runs dim contexts"] | None, Float[Tensor, "runs dim tokens"] | None]
"""Contiguous memory for a table's gradient, one column after the other; None where new memory will do."""


def residual_sums(
    f: Float[Tensor, "runs contexts dim"],
    g: Float[Tensor, "runs tokens dim"],
    weights: Float[Tensor, "runs contexts 1"],
    minus_target: Float[Tensor, "runs contexts tokens"],
    mask: Bool[Tensor, "runs 1 tokens"] | None,
    *,
    normaliser: bool,
    out: Room = (None, None),
) -> tuple[
    Float[Tensor, "runs dim contexts"],
    Float[Tensor, "runs dim tokens"],
    Float[Tensor, "runs contexts"] | None,
]:
    r"""Sums of g and of f under :math:`r(d, c) = \omega(d) \, (\hat p(c|d) - p(c|d))`.

    Naively: ``r = weights * (f @ g.mT).softmax(-1) + minus_target``, then ``(r @ g).mT``, ``(r.mT @ f).mT``
    and ``(f @ g.mT).logsumexp(-1)``. In the sums contexts and tokens lie along the last axis: with k columns,
    as one would write them, the products take five times as long.

    Args:
        f: One row per context.
        g: One row per token.
        weights: ω(d).
        minus_target: −ω(d) p(c|d).
        mask: False for tokens that take no part; None if all do.
        normaliser: Whether the log-sum-exp is wanted.
        out: Where to write the sums.

    Returns:
        Σ_c r(d, c) g(c); Σ_d r(d, c) f(d); the log-sum-exp of each context's logits, or None.
    """
    runs, contexts, tokens = minus_target.shape
    into = (
        f.new_empty(runs, f.shape[2], contexts) if out[0] is None else out[0],
        g.new_empty(runs, g.shape[2], tokens) if out[1] is None else out[1],
    )
    tables = (*into, f, g, weights, minus_target, *(() if mask is None else (mask,)))
    together = runs_at_once(contexts, tokens, f.device)
    if runs <= together:
        return *into, _of_group(*tables, normaliser=normaliser)
    space = f.new_empty(together, contexts, tokens)
    groups = zip(*(table.split(together) for table in tables), strict=True)
    log_sums = [_of_group(*group, space=space[: len(group[0])], normaliser=normaliser) for group in groups]
    present = [each for each in log_sums if each is not None]
    return *into, torch.cat(present) if present else None


def _of_group(
    to_f: Tensor,
    to_g: Tensor,
    f: Tensor,
    g: Tensor,
    weights: Tensor,
    minus_target: Tensor,
    mask: Tensor | None = None,
    *,
    normaliser: bool,
    space: Tensor | None = None,
) -> Tensor | None:
    """Both sums, in their place, and the log-sum-exp, of runs whose logits stay in the cache."""
    key = g.mT
    residual = torch.empty_like(minus_target) if space is None else space
    total, shift = _powers(f, key, mask, residual)
    log_sum = (total.log2() + shift).div_(BITS).squeeze(2) if normaliser else None
    torch.addcmul(minus_target, residual, weights / total, out=residual)
    torch.bmm(key, residual.mT, out=to_f)
    torch.bmm(f.mT, residual, out=to_g)
    return log_sum


def _powers(
    f: Float[Tensor, "some contexts dim"],
    key: Float[Tensor, "some dim tokens"],
    mask: Bool[Tensor, "some 1 tokens"] | None,
    logits: Float[Tensor, "some contexts tokens"],
) -> tuple[Float[Tensor, "some contexts 1"], Float[Tensor, "some contexts 1"] | float]:
    """Powers of two of the logits, in their place; their sums; what was taken off the logits before.

    Nothing is, where every power stays in the middle of the numbers' range: a maximum for each row costs
    passes of its own. Elsewhere it is taken off the rows whose largest leaves the middle, and powers far
    below the largest of their row are lifted. A run's rows are treated alike whatever lies beside it.
    """
    numbers = torch.finfo(logits.dtype)
    most = math.log2(numbers.max) / 2
    torch.baddbmm(logits, f, key, beta=0, alpha=BITS, out=logits)
    low, high = logits.aminmax()
    wide = not (low.item() > -most and high.item() < most)
    if mask is not None:
        logits.masked_fill_(~mask, -torch.inf)
    shift: Tensor | float = 0.0
    if wide:
        highest = logits.amax(-1, keepdim=True)
        fine = highest.abs() < most
        shift = torch.where(fine, 0.0, highest)
        logits.sub_(shift).clamp_(min=torch.where(fine, math.log2(numbers.tiny), lowest(logits.dtype)))
        if mask is not None:
            logits.masked_fill_(~mask, -torch.inf)
    return torch.exp2(logits, out=logits).sum(-1, keepdim=True), shift
