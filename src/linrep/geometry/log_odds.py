"""Log-odds matching: what the tables say about an unknown concept against what is true, in nats."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from linrep.geometry.compatibility import Block, Triples
from linrep.geometry.moments import chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """A random sample of triples, each of one random run: the dots of the scatter plot.

    Example:
        >>> from linrep.geometry.compatibility import triples
        >>> import linrep
        >>> world = linrep.world(linrep.load_network("cancer"))
        >>> found = triples(world.codes, world.token_codes, [2] * 5, known=False, generator=torch.Generator())
        >>> f, g = torch.zeros(1, 243, 2), torch.zeros(1, 32, 2)
        >>> gap = log_odds_gap(f, g, world.joint.log()[None], found, points=3, generator=torch.Generator())
        >>> gap.points.measured
        tensor([0., 0., 0.], dtype=torch.float64)
    """

    measured: Float64[Tensor, " points"]
    """f(d)·Δg_i(c), nats."""
    true: Float64[Tensor, " points"]
    """ln p(c_{i→1}) / p(c_{i→0}), nats."""
    concept: Int64[Tensor, " points"]
    run: Int64[Tensor, " points"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOddsGap:
    """The gap of each run, in nats; NaN where there is no triple.

    Example:
        >>> from linrep.geometry.compatibility import triples
        >>> import linrep
        >>> world = linrep.world(linrep.load_network("cancer"))
        >>> found = triples(world.codes, world.token_codes, [2] * 5, known=False, generator=torch.Generator())
        >>> f, g = torch.zeros(1, 243, 2), torch.zeros(1, 32, 2)
        >>> gap = log_odds_gap(f, g, world.joint.log()[None], found, points=0, generator=torch.Generator())
        >>> bool(gap.rmse == gap.rmse_of_zero)
        True
    """

    rmse: Float64[Tensor, " runs"]
    max: Float64[Tensor, " runs"]
    """The largest absolute gap."""
    rmse_of_zero: Float64[Tensor, " runs"]
    """What predicting zero would score: the yardstick."""
    triples: int
    """How many (d, i, c) each run was measured on."""
    contexts: int
    """How many contexts were enumerated."""
    contexts_available: int
    """How many there are: more than `contexts` if they were sampled."""
    points: Points


def log_odds_gap(
    embedding: Float[Tensor, "runs contexts dim"],
    unembedding: Float[Tensor, "runs tokens dim"],
    log_p: Float[Tensor, "runs tokens"] | Float[Tensor, "runs used tokens"],
    found: Triples,
    *,
    points: int,
    generator: torch.Generator | None = None,
) -> LogOddsGap:
    r"""Distance of :math:`f(d)\cdot\Delta g_i(c)` from the true log-odds, for i unknown in d and c ~ d.

    The truth is :math:`\ln p(c_{i\to 1})/p(c_{i\to 0})`: what d says cancels in the ratio. A concept of more
    than two values has the log-odds of every two of them.

    Naively: ``[f[d] @ (g[c1] - g[c0]) - (log_p[c1] - log_p[c0]) for d, (c0, c1) in triples]``.

    Args:
        embedding: The f(d) of each run.
        unembedding: The g(c).
        log_p: Natural logarithm of the tokens' probabilities; every token must be possible. Where what d says
            does not cancel, of each token in each of ``found.rows``.
        found: `triples(..., known=False)` of the codes, which the runs share.
        points: Size of the random sample kept for plotting; 0 = none.
        generator: Draws that sample; needed for one.

    Returns:
        The gap, in float64. Invariant to (F A, G A^{-T}) and to a shift of all g.

    Example:
        >>> from linrep.geometry.compatibility import triples
        >>> rng = torch.Generator().manual_seed(0)
        >>> found = triples(torch.tensor([[2]]), torch.tensor([[0], [1]]), (2,), known=False, generator=rng)
        >>> g, log_p = torch.tensor([[[0.0], [2.0]]]), torch.tensor([[0.25, 0.75]]).log()
        >>> log_odds_gap(torch.ones(1, 1, 1), g, log_p, found, points=0, generator=rng).rmse
        tensor([0.9014], dtype=torch.float64)

    References:
        :cite:`jiang:24`, claim C1 of docs/theory.
    """
    if points and generator is None:
        raise ValueError("generator: expected one to draw points by, got none; give one, or points = 0")
    runs, device = len(embedding), embedding.device
    square, square_zero, worst = torch.zeros(3, runs, dtype=torch.float64, device=device)
    low, high = (log_p.to(torch.float64)[..., side] for side in (found.pairs.low, found.pairs.high))
    odds = high - low
    total, sample = 0, _Sample(points, generator, found, runs)
    # Points are drawn block by block: of the same blocks, the same points on every device.
    numbers = chunk(torch.device("cpu") if points else device)
    for block, measured in measured_differences(embedding, unembedding, found, numbers):
        at = () if odds.dim() == 2 else (torch.searchsorted(found.rows, block.context),)
        true = odds[:, *at, block.pair]
        gap = measured - true
        square += gap.square().sum(1)
        square_zero += true.square().sum(1)
        worst = torch.maximum(worst, gap.abs().amax(1))
        total += len(block.pair)
        sample.add(block, measured, true)
    absent = torch.nan if total == 0 else 0.0
    return LogOddsGap(
        rmse=(square / max(total, 1)).sqrt() + absent,
        max=worst + absent,
        rmse_of_zero=(square_zero / max(total, 1)).sqrt() + absent,
        triples=total,
        contexts=len(found.rows),
        contexts_available=len(found.context_codes),
        points=sample.points(),
    )


def measured_differences(
    embedding: Float[Tensor, "runs contexts dim"],
    unembedding: Float[Tensor, "runs tokens dim"],
    found: Triples,
    numbers: int,
) -> Iterator[tuple[Block, Float64[Tensor, "runs some"]]]:
    """f(d)·Δg_i(c) for every triple, in float64, block by block of about so many numbers."""
    high = unembedding[:, found.pairs.high].to(torch.float64)
    steering = high - unembedding[:, found.pairs.low].to(torch.float64)
    runs, _, dim = embedding.shape
    limit = max(numbers // max(runs * dim, 1), 1)
    for whole in found.blocks():
        parts = (whole.context.split(limit), whole.pair.split(limit), whole.sign.split(limit))
        for context, pair, sign in zip(*parts, strict=True):
            if len(context) == 0:
                continue
            f = embedding.index_select(1, context).to(torch.float64)
            product = f.mul_(steering.index_select(1, pair)).sum(-1)
            yield Block(context=context, pair=pair, sign=sign), product


class _Sample:
    """A uniform sample without replacement from a stream: the triples with the largest random keys stay."""

    def __init__(self, size: int, generator: torch.Generator | None, found: Triples, runs: int) -> None:
        self._size, self._generator, self._found, self._runs = size, generator, found, runs
        empty = torch.zeros(0, dtype=torch.float64)
        self._kept = torch.stack([empty] * 5)

    def add(self, block: Block, measured: Tensor, true: Tensor) -> None:
        if self._size == 0 or self._generator is None:
            return
        number, device = measured.shape[1], self._generator.device
        key = torch.rand(number, dtype=torch.float64, generator=self._generator, device=device)
        best = key.topk(min(self._size, number)).indices
        run = torch.randint(self._runs, (len(best),), generator=self._generator, device=device)
        at, r = best.to(measured.device), run.to(measured.device)
        concept = self._found.concept_of[self._found.pairs.group[block.pair[at]]]
        columns = (key[best], measured[r, at], true[r, at], concept, run)
        drawn = torch.stack([column.to("cpu", torch.float64) for column in columns])
        kept = torch.cat([self._kept, drawn], 1)
        self._kept = kept[:, kept[0].topk(min(self._size, kept.shape[1])).indices]

    def points(self) -> Points:
        _, measured, true, concept, run = self._kept
        return Points(measured=measured, true=true, concept=concept.long(), run=run.long())


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The margins of each run, in nats; NaN where there is no triple.

    Example:
        >>> from linrep.geometry.compatibility import triples
        >>> import linrep
        >>> world = linrep.world(linrep.load_network("cancer"))
        >>> found = triples(world.codes, world.token_codes, [2] * 5, known=True, generator=torch.Generator())
        >>> f, g = torch.zeros(1, 243, 2), torch.zeros(1, 32, 2)
        >>> margin(f, g, found).mean
        tensor([0.], dtype=torch.float64)
    """

    mean: Float64[Tensor, " runs"]
    min: Float64[Tensor, " runs"]
    """The smallest: negative while some wrong value is preferred."""
    triples: int


def margin(
    embedding: Float[Tensor, "runs contexts dim"],
    unembedding: Float[Tensor, "runs tokens dim"],
    found: Triples,
) -> Margin:
    r"""Signed logit difference to the right value, :math:`(2d_i - 1)\, f(d)\cdot\Delta g_i(c)`, i ∈ K(d).

    Naively: ``[(2 * d[i] - 1) * f[d] @ (g[c1] - g[c0]) for d, i, (c0, c1) in triples]``, then mean and min.

    Args:
        embedding: The f(d) of each run.
        unembedding: The g(c).
        found: `triples(..., known=True)` of the codes, which the runs share.

    Returns:
        Mean and minimum, in nats (logit differences). Under gradient descent they grow like ln t. Invariant
        to (F A, G A^{-T}) and to a shift of all g.

    Example:
        >>> from linrep.geometry.compatibility import triples
        >>> rng = torch.Generator()
        >>> codes = torch.tensor([[0], [1]])
        >>> found = triples(codes, codes, (2,), known=True, generator=rng)
        >>> margin(torch.tensor([[[-1.0], [3.0]]]), torch.tensor([[[0.0], [2.0]]]), found).mean
        tensor([4.], dtype=torch.float64)

    References:
        :cite:`jiang:24`, claim C2 of docs/theory.
    """
    total = 0
    added = torch.zeros(len(embedding), dtype=torch.float64, device=embedding.device)
    least = torch.full_like(added, torch.inf)
    for block, measured in measured_differences(embedding, unembedding, found, chunk(embedding.device)):
        signed = measured * block.sign
        added += signed.sum(1)
        least = torch.minimum(least, signed.amin(1))
        total += measured.shape[1]
    absent = torch.full_like(added, torch.nan)
    return Margin(mean=added / total if total else absent, min=least if total else absent, triples=total)
