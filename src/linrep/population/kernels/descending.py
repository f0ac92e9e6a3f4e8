r"""Whole steps of gradient descent or Adam of many small runs, many steps a launch: one program owns one run.

Runs wait for nobody: a program loops over steps, and within a step over blocks of contexts. G, its gradient
and its moments stay in registers for the whole launch; so does F where it is one block. A scale is taken once
a launch, with room for tables to grow 256-fold: beyond that halves overflow, which shows as divergence, and
whoever walks the same steps again one by one takes a fresh scale for each.
"""

# pyright: basic, reportGeneralTypeIssues=false, reportOperatorIssue=false

import triton.language as tl

from linrep.population.kernels.halves import halves, kernel, largest, scale_to
from linrep.population.kernels.tile import FULL, block_slopes

ROOMY = tl.constexpr(128.0)
"""To what a table's largest entry is brought at the start of a launch: 65,504 is the largest float16."""


@kernel
def adam(x, slope, first, second, rate, correct1, correct2):
    """One step of Adam; ``correct``: 1 / (1 - decay to the power of the steps taken)."""
    first = 0.9 * first + 0.1 * slope
    second = 0.999 * second + 0.001 * slope * slope
    return x - rate * (first * correct1) / (tl.sqrt(second * correct2) + 1e-8), first, second


@kernel
def descend(
    F, G, F1, F2, G1, G2, W, INVERSE_Z, UNSCALE_W, KNOWN, VALUE, P, BITS, RATES, STEPS, CONTEXTS, TOKENS,
    CODE_STRIDE, BITS_STRIDE, K: tl.constexpr, KP: tl.constexpr, ROWS: tl.constexpr, WIDE: tl.constexpr,
    BLOCKS: tl.constexpr, ADAM: tl.constexpr, MASKED: tl.constexpr, COUNTED: tl.constexpr,
):  # fmt: skip
    """``STEPS`` steps of one run; ``RATES`` has three numbers a step: its size, and Adam's corrections."""
    run = tl.program_id(0).to(tl.int64)
    c = tl.arange(0, WIDE)
    d = tl.arange(0, ROWS)
    col = tl.arange(0, KP)[None, :]
    F += run * CONTEXTS * K
    G += run * TOKENS * K
    W += run * CONTEXTS
    INVERSE_Z += run * CONTEXTS
    KNOWN += run * CODE_STRIDE
    VALUE += run * CODE_STRIDE
    g_at = c[:, None] * K + col
    g_in = (c[:, None] < TOKENS) & (col < K)
    g = tl.load(G + g_at, mask=g_in, other=0.0)
    p = tl.load(P + run * TOKENS + c, mask=c < TOKENS, other=0.0)
    bits = c
    if not COUNTED:
        bits = tl.load(BITS + run * BITS_STRIDE + c, mask=c < TOKENS, other=-1)
    unscale_w = tl.load(UNSCALE_W + run)
    if ADAM:
        F1 += run * CONTEXTS * K
        F2 += run * CONTEXTS * K
        G1 += run * TOKENS * K
        G2 += run * TOKENS * K
        g1 = tl.load(G1 + g_at, mask=g_in, other=0.0)
        g2 = tl.load(G2 + g_at, mask=g_in, other=0.0)
    most = tl.zeros((ROWS, KP), tl.float32)
    if BLOCKS == 1:
        f_at = d[:, None] * K + col
        f_in = (d[:, None] < CONTEXTS) & (col < K)
        f = tl.load(F + f_at, mask=f_in, other=0.0)
        known = tl.load(KNOWN + d, mask=d < CONTEXTS, other=0)
        value = tl.load(VALUE + d, mask=d < CONTEXTS, other=0)
        w = tl.load(W + d, mask=d < CONTEXTS, other=0.0)
        inverse_z = tl.load(INVERSE_Z + d, mask=d < CONTEXTS, other=0.0)
        most = f
        if ADAM:
            f1 = tl.load(F1 + f_at, mask=f_in, other=0.0)
            f2 = tl.load(F2 + f_at, mask=f_in, other=0.0)
    else:
        for block in tl.range(0, BLOCKS, num_stages=1):
            row = block * ROWS + d
            inside = (row[:, None] < CONTEXTS) & (col < K)
            most = tl.maximum(most, tl.abs(tl.load(F + row[:, None] * K + col, mask=inside, other=0.0)))
    scale_f = scale_to(largest(most), ROOMY)
    scale_g = scale_to(largest(g), ROOMY)
    for step in tl.range(0, STEPS, num_stages=1):
        rate = tl.load(RATES + 3 * step)
        gh, gl = halves(g * scale_g)
        slope = tl.zeros((WIDE, KP), tl.float32)
        if ADAM:
            correct1 = tl.load(RATES + 3 * step + 1)
            correct2 = tl.load(RATES + 3 * step + 2)
        for block in tl.range(0, BLOCKS, num_stages=1):
            if BLOCKS > 1:
                row = block * ROWS + d
                here = row < CONTEXTS
                f_at = row[:, None] * K + col
                f_in = here[:, None] & (col < K)
                f = tl.load(F + f_at, mask=f_in, other=0.0)
                known = tl.load(KNOWN + row, mask=here, other=0)
                value = tl.load(VALUE + row, mask=here, other=0)
                w = tl.load(W + row, mask=here, other=0.0)
                inverse_z = tl.load(INVERSE_Z + row, mask=here, other=0.0)
            slope_f, more = block_slopes(
                f, scale_f, gh, gl, scale_g, bits, p, known, value, w, inverse_z, unscale_w, WIDE, MASKED
            )
            slope += more
            if ADAM:
                if BLOCKS > 1:
                    f1 = tl.load(F1 + f_at, mask=f_in, other=0.0)
                    f2 = tl.load(F2 + f_at, mask=f_in, other=0.0)
                f, f1, f2 = adam(f, slope_f, f1, f2, rate, correct1, correct2)
                if BLOCKS > 1:
                    tl.store(F1 + f_at, f1, mask=f_in)
                    tl.store(F2 + f_at, f2, mask=f_in)
            else:
                f = f - rate * slope_f
            if BLOCKS > 1:
                tl.store(F + f_at, f, mask=f_in)
        slope = slope * (unscale_w / (FULL * scale_f))
        if ADAM:
            g, g1, g2 = adam(g, slope, g1, g2, rate, correct1, correct2)
        else:
            g = g - rate * slope
        if BLOCKS > 1:
            tl.debug_barrier()  # the next step reads rows that other threads have written
    if BLOCKS == 1:
        tl.store(F + f_at, f, mask=f_in)
        if ADAM:
            tl.store(F1 + f_at, f1, mask=f_in)
            tl.store(F2 + f_at, f2, mask=f_in)
    tl.store(G + g_at, g, mask=g_in)
    if ADAM:
        tl.store(G1 + g_at, g1, mask=g_in)
        tl.store(G2 + g_at, g2, mask=g_in)
