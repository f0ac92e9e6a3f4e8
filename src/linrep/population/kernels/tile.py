r"""Worlds of few tokens, all of them in one tile: prediction minus target before any product.

The target is made on the spot from packed states: with the bits of a token, and the bits that a context
knows, :math:`p(c|d) = p(c) / Z(d)` where ``((bits(c) ^ value(d)) & known(d)) == 0``, else 0. So p(c|d) is
stored nowhere, every exponential is computed once, and nothing is left to cancel in the products.
"""

# pyright: basic, reportGeneralTypeIssues=false, reportOperatorIssue=false

import triton.language as tl

from linrep.population.kernels.halves import (
    LOG2E,
    TOP,
    halves,
    kernel,
    largest,
    over_rows,
    product,
    scale_to,
)

FULL = tl.constexpr(16384.0)
"""Residuals of the heaviest context reach to this: 2 to the ``UP``."""


@kernel
def softmax(fh, fl, gh, gl, unit, taken, MASKED: tl.constexpr):
    """Powers of the logits over their row's largest, and 1 over their sum; ``unit``: of a logit, in log2."""
    logit = product(fh, fl, tl.trans(gh), tl.trans(gl))
    if MASKED:
        logit = tl.where(taken[None, :], logit, -3e38)
    powers = tl.exp2(logit * unit - (tl.max(logit, 1) * unit)[:, None])
    if MASKED:
        powers = tl.where(taken[None, :], powers, 0.0)  # the unit of tiny tables is 0
    return powers, 1.0 / tl.sum(powers, 1)


@kernel
def block_slopes(
    f, scale_f, gh, gl, scale_g, bits, p, known, value, w, inverse_z, unscale_w,
    TOKENS: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """Of a block of contexts: gradient of F, and the addend of that of G times scale_f 2^14 / unscale_w."""
    fh, fl = halves(f * scale_f)
    powers, over = softmax(fh, fl, gh, gl, LOG2E / (scale_f * scale_g), bits >= 0, MASKED)
    up = w * (FULL / unscale_w)
    agrees = ((bits[None, :] ^ value[:, None]) & known[:, None]) == 0
    target = tl.where(agrees, p[None, :], 0.0) * (up * inverse_z)[:, None]
    rh, rl = halves(powers * (up * over)[:, None] - target)
    slope_f = product(rh, rl, gh, gl) * (unscale_w / (FULL * scale_g))
    return slope_f, over_rows(rh, rl, fh, fl, TOKENS)


@kernel
def tile_gradient(
    F, G, GRAD_F, PART, W, INVERSE_Z, UNSCALE_W, KNOWN, VALUE, P, BITS, CONTEXTS, TOKENS, CODE_STRIDE,
    BITS_STRIDE, K: tl.constexpr, KP: tl.constexpr, ROWS: tl.constexpr, WIDE: tl.constexpr,
    MASKED: tl.constexpr, COUNTED: tl.constexpr,
):  # fmt: skip
    """Both gradients of one block of contexts; that of G is a part, to be added up."""
    run = tl.program_id(1).to(tl.int64)
    c = tl.arange(0, WIDE)
    col = tl.arange(0, KP)[None, :]
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    g = tl.load(G + (run * TOKENS + c[:, None]) * K + col, mask=(c[:, None] < TOKENS) & (col < K), other=0.0)
    f_at = (run * CONTEXTS + row[:, None]) * K + col
    f_in = (row[:, None] < CONTEXTS) & (col < K)
    f = tl.load(F + f_at, mask=f_in, other=0.0)
    p = tl.load(P + run * TOKENS + c, mask=c < TOKENS, other=0.0)
    here = row < CONTEXTS
    known = tl.load(KNOWN + run * CODE_STRIDE + row, mask=here, other=0)
    value = tl.load(VALUE + run * CODE_STRIDE + row, mask=here, other=0)
    w = tl.load(W + run * CONTEXTS + row, mask=here, other=0.0)
    inverse_z = tl.load(INVERSE_Z + run * CONTEXTS + row, mask=here, other=0.0)
    bits = c  # where states are numbered as they are packed: nothing to load
    if not COUNTED:
        bits = tl.load(BITS + run * BITS_STRIDE + c, mask=c < TOKENS, other=-1)
    unscale_w = tl.load(UNSCALE_W + run)
    scale_f = scale_to(largest(f), TOP)
    scale_g = scale_to(largest(g), TOP)
    gh, gl = halves(g * scale_g)
    slope_f, slope_g = block_slopes(
        f, scale_f, gh, gl, scale_g, bits, p, known, value, w, inverse_z, unscale_w, WIDE, MASKED
    )
    tl.store(GRAD_F + f_at, slope_f, mask=f_in)
    at = ((run * tl.num_programs(0) + tl.program_id(0)) * WIDE + c[:, None]) * K + col
    tl.store(PART + at, slope_g * (unscale_w / (FULL * scale_f)), mask=col < K)


@kernel
def add_parts(PART, GRAD_G, PARTS, N, STRIDE, TALL: tl.constexpr, WIDE: tl.constexpr):
    """Sums over the programs of a run, in a fixed order."""
    run = tl.program_id(1).to(tl.int64)
    i = tl.arange(0, TALL)[:, None]
    j = tl.program_id(0) * WIDE + tl.arange(0, WIDE)
    total = tl.zeros((TALL, WIDE), PART.dtype.element_ty)
    for first in tl.range(0, PARTS, TALL, num_stages=1):
        inside = (first + i < PARTS) & (j[None, :] < N)
        total += tl.load(PART + (run * PARTS + first + i) * STRIDE + j[None, :], mask=inside, other=0.0)
    tl.store(GRAD_G + run * N + j, tl.sum(total, 0), mask=j < N)
