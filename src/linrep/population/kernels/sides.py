r"""Both softmax sums of a large world: a pass for contexts, a pass for tokens, logits never in memory.

Each side works the logits out again, tile by tile. The context side keeps an *integer* running maximum S of
:math:`\log_2` of its row, so that rescaling is exact, and gets the normaliser as one more column of the
values (ones). What remains, :math:`\rho = 2^S / \mathrm{sum} \in (1/2, 1]`, goes into what the token side
sums: queries f(d), values :math:`f(d)\, \omega(d)\, \rho(d)`, shifts S(d). There no maximum, mask or bound
is left, and contexts are split over programs, whose sums are added in a fixed order: equal calls give equal
bits.

Masks are values: a token that takes no part has the key of one that does, and a row of zeros (in the column
of ones too) for a value. A context of weight 0 has a value of 0. The passes are those of :cite:`dao:22`.
"""

# pyright: basic, reportGeneralTypeIssues=false, reportOperatorIssue=false

import triton.language as tl

from linrep.population.kernels.halves import (
    LOG2E,
    TOP,
    UP,
    halves,
    kernel,
    largest,
    power_of_two,
    product,
    scale_to,
)

BLOCK = tl.constexpr(64)
"""Contexts that share one power of two."""


@kernel
def lay_keys(
    G, SOME, TAKEN, KEY_H, KEY_L, VALUE_H, VALUE_L, UNSCALE_G, TOKENS, PADDED,
    K: tl.constexpr, KP: tl.constexpr, ROWS: tl.constexpr, SCAN: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """Tokens as keys g and as values [g, 1], in halves, padded to ``PADDED`` rows of ``KP`` numbers."""
    run = tl.program_id(1).to(tl.int64)
    most = tl.zeros((SCAN,), tl.float32)
    for start in range(0, TOKENS * K, SCAN):
        i = start + tl.arange(0, SCAN)
        most = tl.maximum(most, tl.abs(tl.load(G + run * TOKENS * K + i, mask=i < TOKENS * K, other=0.0)))
    scale = scale_to(tl.max(most, 0), TOP)
    if tl.program_id(0) == 0:
        tl.store(UNSCALE_G + run, 1.0 / scale)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    col = tl.arange(0, KP)[None, :]
    at = (run * PADDED + row[:, None]) * KP + col
    if MASKED:
        taken = (row < TOKENS) & (tl.load(TAKEN + run * TOKENS + row, mask=row < TOKENS, other=0) != 0)
        real = tl.where(taken, row, tl.load(SOME + run))
        g = tl.load(G + (run * TOKENS + real[:, None]) * K + col, mask=col < K, other=0.0) * scale
        high, low = halves(g)
        tl.store(KEY_H + at, high)
        tl.store(KEY_L + at, low)
        g = tl.where(taken[:, None], tl.where(col == K, 1.0, g), 0.0)
    else:
        g = tl.load(G + (run * TOKENS + row[:, None]) * K + col, mask=col < K, other=0.0) * scale
        g = tl.where(col == K, 1.0, g)
    high, low = halves(g)
    tl.store(VALUE_H + at, high)
    tl.store(VALUE_L + at, low)


@kernel
def context_side(
    F, W, TARGET, UNSCALE_W, UNSCALE_G, KEY_H, KEY_L, VALUE_H, VALUE_L, GRAD, LOG_SUM, QUERY_H, QUERY_L,
    SUMMED_H, SUMMED_L, SHIFT, UNSCALE_F, CONTEXTS, PADDED, BLOCKS,
    K: tl.constexpr, KP: tl.constexpr, WIDE: tl.constexpr, STAGES: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """Of a block of contexts: gradient, log-sum-exp, and what the token side reads."""
    run = tl.program_id(1).to(tl.int64)
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    col = tl.arange(0, KP)[None, :]
    table = (run * CONTEXTS + row[:, None]) * K + col
    inside = (row[:, None] < CONTEXTS) & (col < K)
    f = tl.load(F + table, mask=inside, other=0.0)
    scale = scale_to(largest(f), TOP)
    f = f * scale
    fh, fl = halves(f)
    unscale_g = tl.load(UNSCALE_G + run)
    unit = unscale_g * LOG2E / scale  # of a product of scaled tables, in log2
    total = tl.zeros((BLOCK, KP), tl.float32)
    top = tl.full((BLOCK,), -3e38, tl.float32)
    base = run * PADDED
    for first in tl.range(0, PADDED, WIDE, num_stages=STAGES):
        at = (base + first + tl.arange(0, WIDE)[:, None]) * KP + col
        vh = tl.load(VALUE_H + at)
        vl = tl.load(VALUE_L + at)
        if MASKED:
            kh = tl.load(KEY_H + at)
            kl = tl.load(KEY_L + at)
        else:
            kh = vh  # the ones meet a column of zeros
            kl = vl
        logit = product(fh, fl, tl.trans(kh), tl.trans(kl))
        higher = tl.maximum(top, tl.ceil(tl.max(logit, 1) * unit))
        shrunk = tl.exp2(top - higher)
        top = higher
        ph, pl = halves(tl.exp2(logit * unit - (higher - UP)[:, None]))
        total = total * shrunk[:, None] + product(ph, pl, vh, vl)
    n = tl.sum(tl.where(col == K, total, 0.0), 1)
    power = power_of_two(n)
    rho = power / n
    s = top - UP + tl.log2(power)
    w = tl.load(W + run * CONTEXTS + row, mask=row < CONTEXTS, other=0.0)
    mean = total * (unscale_g / n)[:, None]
    target = tl.load(TARGET + table, mask=inside, other=0.0)
    tl.store(GRAD + table, (mean - target) * w[:, None], mask=inside)
    tl.store(LOG_SUM + run * CONTEXTS + row, (s - tl.log2(rho)) / LOG2E, mask=row < CONTEXTS)
    tl.store(SHIFT + run * BLOCKS * BLOCK + row, -(s - UP))
    tl.store(UNSCALE_F + run * BLOCKS + tl.program_id(0), 1.0 / scale)
    at = (run * BLOCKS * BLOCK + row[:, None]) * KP + col
    tl.store(QUERY_H + at, fh)
    tl.store(QUERY_L + at, fl)
    high, low = halves(f * (rho * w / tl.load(UNSCALE_W + run))[:, None])
    tl.store(SUMMED_H + at, high)
    tl.store(SUMMED_L + at, low)


@kernel
def token_side(
    KEY_H, KEY_L, UNSCALE_G, QUERY_H, QUERY_L, SUMMED_H, SUMMED_L, SHIFT, UNSCALE_F, PART, PADDED, SHARE,
    BLOCKS, RUNS, K: tl.constexpr, KP: tl.constexpr, TALL: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Of a block of tokens, over one share of the contexts: Σ_d ω(d) p̂(c|d) f(d), up to a power of two."""
    run = tl.program_id(2).to(tl.int64)
    share = tl.program_id(1)
    row = tl.program_id(0) * TALL + tl.arange(0, TALL)
    col = tl.arange(0, KP)[None, :]
    at = (run * PADDED + row[:, None]) * KP + col
    gh = tl.load(KEY_H + at, mask=col < K, other=0.0)
    gl = tl.load(KEY_L + at, mask=col < K, other=0.0)
    unit = tl.load(UNSCALE_G + run) * LOG2E
    total = tl.zeros((TALL, KP), tl.float32)
    n = tl.arange(0, BLOCK)
    tile = n[:, None] * KP + col
    UNSCALE_F += run * BLOCKS
    SHIFT += run * BLOCKS * BLOCK
    QUERY_H += run * BLOCKS * BLOCK * KP
    QUERY_L += run * BLOCKS * BLOCK * KP
    SUMMED_H += run * BLOCKS * BLOCK * KP
    SUMMED_L += run * BLOCKS * BLOCK * KP
    start = share * SHARE
    end = tl.minimum(start + SHARE, BLOCKS)
    # Read a turn ahead and carried over: else each thread copies its own through shared memory.
    shift = tl.load(SHIFT + start * BLOCK + n)
    unscale = tl.load(UNSCALE_F + start)
    for block in tl.range(start, end, num_stages=STAGES):
        away = block * (BLOCK * KP) + tile
        after = tl.minimum(block + 1, end - 1)
        next_shift = tl.load(SHIFT + after * BLOCK + n)
        next_unscale = tl.load(UNSCALE_F + after)
        qh = tl.load(QUERY_H + away)
        ql = tl.load(QUERY_L + away)
        # Not one more column of the product: tensor cores cut small addends at the exponent of the largest.
        logit = product(gh, gl, tl.trans(qh), tl.trans(ql))
        ph, pl = halves(tl.exp2(logit * (unit * unscale) + shift[None, :]))
        vh = tl.load(SUMMED_H + away)
        vl = tl.load(SUMMED_L + away)
        total = total + unscale * product(ph, pl, vh, vl)
        shift = next_shift
        unscale = next_unscale
    out = ((share * RUNS + run) * PADDED + row[:, None]) * K + col
    tl.store(PART + out, total, mask=col < K)


@kernel
def add_shares(
    PART, TARGET, TAKEN, UNSCALE_W, GRAD, TOKENS, PADDED, SHARES, RUNS,
    K: tl.constexpr, ROWS: tl.constexpr, MASKED: tl.constexpr, UNROLL: tl.constexpr,
):  # fmt: skip
    """The gradient of G: the shares' sum, in their order, less the target."""
    run = tl.program_id(1).to(tl.int64)
    i = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = i < TOKENS * K
    total = tl.zeros((ROWS,), tl.float32)
    for share in tl.range(0, SHARES, num_stages=1, loop_unroll_factor=UNROLL):
        total += tl.load(PART + (share * RUNS + run) * PADDED * K + i, mask=inside, other=0.0)
    total = total * (tl.load(UNSCALE_W + run) / 16384.0)
    total = total - tl.load(TARGET + run * TOKENS * K + i, mask=inside, other=0.0)
    if MASKED:
        total = tl.where(tl.load(TAKEN + run * TOKENS + i // K, mask=inside, other=0) != 0, total, 0.0)
    tl.store(GRAD + run * TOKENS * K + i, total, mask=inside)
