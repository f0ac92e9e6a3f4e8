r"""Steps of SGD of many runs: pairs counted out, then whole steps, a launch each.

The pairs are those of :func:`linrep.population.philox.uniforms` and of a sampler's ``chosen``, bit for bit:
the counter is (draw, step's low word, block, step's high word) under the run's key, the first number has 53
bits, the others 32, and all that is compared is float64. They are a launch of their own, a program a run and
step: inside the loop over steps every layout would draw them again.
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
from linrep.population.kernels.tile import FULL, softmax


@kernel
def share_of(word):
    """A word as a number in [0, 1)."""
    return word.to(tl.int64).to(tl.float64) * 2.3283064365386963e-10


@kernel
def draw(
    KEYS, CUMULATIVE, FLAT, MASS, POSITION, PAIR_ROWS, PAIR_TOKENS, SIZES, STRIDES, ROWS, TOKENS, FIRST,
    CONTEXTS, CUBE, CUMULATIVE_STRIDE, FLAT_STRIDE, POSITION_STRIDE, BATCH, SAMPLES,
    BP: tl.constexpr, SEARCH: tl.constexpr, CONCEPTS: tl.constexpr, MOST: tl.constexpr, GIVEN: tl.constexpr,
):  # fmt: skip
    """The minibatch of one run and step: rows of contexts and of tokens."""
    run = tl.program_id(0).to(tl.int64)
    number = tl.program_id(1)
    i = tl.arange(0, BP)
    zero = (i * 0).to(tl.uint32)
    step = number.to(tl.int64) + FIRST
    low = (step & 0xFFFFFFFF).to(tl.uint32)
    high = (step >> 32).to(tl.uint32)
    key = tl.load(KEYS + run)
    a, b, c, e = tl.philox(key, i.to(tl.uint32), zero + low, zero, zero + high)
    upper = (a >> 5).to(tl.int64).to(tl.float64) * 67108864.0
    uniform = (upper + (b >> 6).to(tl.int64).to(tl.float64)) * 1.1102230246251565e-16
    out = (run * tl.num_programs(1) + number) * BATCH + i
    if GIVEN:
        pair = tl.minimum((uniform * SAMPLES).to(tl.int64), SAMPLES - 1)
        row = tl.load(PAIR_ROWS + run * SAMPLES + pair)
        token = tl.load(PAIR_TOKENS + run * SAMPLES + pair)
        tl.store(ROWS + out, row.to(tl.int32), mask=i < BATCH)
        tl.store(TOKENS + out, token.to(tl.int32), mask=i < BATCH)
    else:
        CUMULATIVE += run * CUMULATIVE_STRIDE
        asked = uniform * tl.load(CUMULATIVE + CONTEXTS - 1)
        below = i * 0  # how many running sums are at most what is asked
        above = below + (CONTEXTS - 1)
        for _ in tl.static_range(SEARCH):
            middle = (below + above) // 2
            up = tl.load(CUMULATIVE + middle) <= asked
            below = tl.where(up, tl.minimum(middle + 1, above), below)
            above = tl.where(up, above, middle)
        at = tl.load(FLAT + run * FLAT_STRIDE + below)
        zero64 = at * 0
        token = zero64
        MASS += run * CUBE
        for concept in tl.static_range(CONCEPTS):
            if (concept + 2) % 4 == 0:
                a, b, c, e = tl.philox(
                    key, i.to(tl.uint32), zero + low, zero + ((concept + 2) // 4), zero + high
                )
                word = a
            elif (concept + 2) % 4 == 1:
                word = b
            elif (concept + 2) % 4 == 2:
                word = c
            else:
                word = e
            size = tl.load(SIZES + concept)
            stride = tl.load(STRIDES + concept)
            digit = (at // stride) % (size + 1)
            states = tl.where(digit == size, size, zero64)  # to draw from
            lowest = at - size * stride
            total = tl.zeros((BP,), tl.float64)
            for state in tl.static_range(MOST):
                total += tl.load(MASS + lowest + state * stride, mask=states > state, other=0.0)
            asked = share_of(word) * total
            reached = tl.zeros((BP,), tl.float64)
            drawn = digit * 0
            for state in tl.static_range(MOST):
                reached += tl.load(MASS + lowest + state * stride, mask=states > state, other=0.0)
                drawn += ((reached <= asked) & (states > state)).to(tl.int64)
            state = tl.where(states > 0, tl.minimum(drawn, size - 1), digit)
            at += (state - digit) * stride
            token = token * size + state
        token = tl.load(POSITION + run * POSITION_STRIDE + token)
        tl.store(ROWS + out, below, mask=i < BATCH)
        tl.store(TOKENS + out, token.to(tl.int32), mask=i < BATCH)


@kernel
def sample(
    F, G, DRAWN_ROWS, DRAWN_TOKENS, TAKEN, RATES, STEPS, CONTEXTS, TOKENS, BATCH,
    K: tl.constexpr, KP: tl.constexpr, BP: tl.constexpr, WIDE: tl.constexpr, MASKED: tl.constexpr,
    PADDED: tl.constexpr,
):  # fmt: skip
    """``STEPS`` steps of one run on pairs drawn before; ``RATES``: each step's size over the batch's."""
    run = tl.program_id(0).to(tl.int64)
    c = tl.arange(0, WIDE)
    i = tl.arange(0, BP)
    col = tl.arange(0, KP)[None, :]
    F += run * CONTEXTS * K
    g_at = (run * TOKENS + c[:, None]) * K + col
    g_in = (c[:, None] < TOKENS) & (col < K)
    g = tl.load(G + g_at, mask=g_in, other=0.0)
    taken = c < TOKENS
    if MASKED:
        taken = taken & (tl.load(TAKEN + run * TOKENS + c, mask=c < TOKENS, other=0) != 0)
    inside = (i[:, None] < BATCH) & (col < K)
    up = tl.where(i < BATCH, FULL, 0.0)
    for step in tl.range(0, STEPS, num_stages=1):
        rate = tl.load(RATES + step)
        at = (run * STEPS + step) * BATCH + i
        row = tl.load(DRAWN_ROWS + at, mask=i < BATCH, other=-1)
        token = tl.load(DRAWN_TOKENS + at, mask=i < BATCH, other=-1)
        f_at = row[:, None] * K + col
        f = tl.load(F + f_at, mask=inside, other=0.0)
        scale_g = scale_to(largest(g), TOP)
        gh, gl = halves(g * scale_g)
        scale_f = scale_to(largest(f), TOP)
        fh, fl = halves(f * scale_f)
        powers, over = softmax(fh, fl, gh, gl, LOG2E / (scale_f * scale_g), taken, MASKED or PADDED)
        r = powers * (up * over)[:, None] - tl.where(token[:, None] == c[None, :], up[:, None], 0.0)
        rh, rl = halves(r)
        slope_f = product(rh, rl, gh, gl) / scale_g
        slope_g = over_rows(rh, rl, fh, fl, WIDE)
        # All draws of one context move it by the same sum, and write the same: no atomics.
        same = (row[:, None] == row[None, :]).to(tl.float16)
        scale_s = scale_to(largest(slope_f), TOP)
        sh, sl = halves(slope_f * scale_s)
        both = tl.dot(same, sh, tl.dot(same, sl))
        f = f - rate * (both * (1.0 / FULL / scale_s))
        tl.debug_barrier()  # every row is read before any is written, and written before it is read again
        tl.store(F + f_at, f, mask=inside)
        g = g - rate * (slope_g * (1.0 / FULL / scale_f))
        tl.debug_barrier()
    tl.store(G + g_at, g, mask=g_in)
