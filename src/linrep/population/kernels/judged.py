r"""Gradient and excess loss in float64, without cancellation: what judged steps stand on, on a card.

As :mod:`linrep.population.residuals` splits the divergence at the support of p, all tokens in one tile:

.. math::

    \mathrm{KL} = \ln\Big(1 + \frac{\mathrm{off}}{\mathrm{on}}\Big) + \sum_{c \sim d} p\, (e^q - 1 - q).
"""

# pyright: basic, reportGeneralTypeIssues=false, reportOperatorIssue=false, reportCallIssue=false
# pyright: reportArgumentType=false

import triton.language as tl

from linrep.population.kernels.halves import kernel

SMALL = tl.constexpr(1e-2)
"""Below it exp(q) - 1 - q is its series, to 1e-13."""


@kernel
def log1p(x):
    """ln(1 + x) of x >= 0 to nearly all digits: rounding 1 + x moves the log as it moves the divisor."""
    one_more = 1.0 + x
    rest = one_more - 1.0
    return tl.where(rest == 0.0, x, tl.log(one_more) * (x / tl.where(rest == 0.0, 1.0, rest)))


@kernel
def judged_gradient(
    F, G, GRAD_F, PART, LOSS, W, INVERSE_Z, KNOWN, VALUE, P, BITS, CONTEXTS, TOKENS, CODE_STRIDE, BITS_STRIDE,
    K: tl.constexpr, KP: tl.constexpr, ROWS: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Of one block of contexts: gradient of F, part of the gradient of G and of the loss."""
    run = tl.program_id(1).to(tl.int64)
    c = tl.arange(0, WIDE)
    col = tl.arange(0, KP)[None, :]
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    here = row < CONTEXTS
    g = tl.load(G + (run * TOKENS + c[:, None]) * K + col, mask=(c[:, None] < TOKENS) & (col < K), other=0.0)
    f_at = (run * CONTEXTS + row[:, None]) * K + col
    f_in = here[:, None] & (col < K)
    f = tl.load(F + f_at, mask=f_in, other=0.0)
    pc = tl.load(P + run * TOKENS + c, mask=c < TOKENS, other=0.0)
    bits = tl.load(BITS + run * BITS_STRIDE + c, mask=c < TOKENS, other=-1)
    known = tl.load(KNOWN + run * CODE_STRIDE + row, mask=here, other=0)
    value = tl.load(VALUE + run * CODE_STRIDE + row, mask=here, other=0)
    w = tl.load(W + run * CONTEXTS + row, mask=here, other=0.0)
    inverse_z = tl.load(INVERSE_Z + run * CONTEXTS + row, mask=here, other=0.0)
    taken = (bits >= 0)[None, :]
    agrees = taken & (((bits[None, :] ^ value[:, None]) & known[:, None]) == 0)
    on_it = agrees & (pc > 0)[None, :] & (inverse_z > 0)[:, None]
    p = tl.where(on_it, pc[None, :] * inverse_z[:, None], 0.0)
    logit = tl.dot(f, tl.trans(g), input_precision="ieee", out_dtype=tl.float64)
    logit = tl.where(taken, logit, -1e300)
    logit = logit - tl.max(logit, 1)[:, None]
    powers = tl.where(taken, tl.exp(logit), 0.0)
    total = tl.sum(powers, 1)
    on = tl.maximum(tl.sum(tl.where(on_it, powers, 0.0), 1), 2.2250738585072014e-308)
    off = tl.sum(tl.where(on_it, 0.0, powers), 1)
    log_c = tl.log(tl.where(pc > 0, pc, 1.0))
    log_d = tl.log(tl.where(inverse_z > 0, inverse_z, 1.0)) + tl.log(on)
    q = logit - log_c[None, :] - log_d[:, None]
    series = q * q / 2.0 * (1.0 + q / 3.0 * (1.0 + q / 4.0 * (1.0 + q / 5.0 * (1.0 + q / 6.0))))
    ratio = powers / (tl.where(on_it, p, 1.0) * on[:, None])
    grown = tl.where(tl.abs(q) < SMALL, series, ratio - 1.0 - q)
    divergence = log1p(off / on) + tl.sum(tl.where(on_it, p * grown, 0.0), 1)
    # Where no weight lies nothing is said, whatever came out.
    loss = tl.sum(tl.where(w > 0, w * divergence, 0.0), 0)
    residual = (powers / total[:, None] - p) * w[:, None]
    slope_f = tl.dot(residual, g, input_precision="ieee", out_dtype=tl.float64)
    slope_g = tl.dot(tl.trans(residual), f, input_precision="ieee", out_dtype=tl.float64)
    tl.store(GRAD_F + f_at, slope_f, mask=f_in)
    part = run * tl.num_programs(0) + tl.program_id(0)
    tl.store(PART + (part * WIDE + c[:, None]) * K + col, slope_g, mask=col < K)
    tl.store(LOSS + part, loss)
