r"""Targets of a complete binary world, :math:`P G` and :math:`P^\top \Omega F`: sums over compatible pairs.

Contexts count up in base 3 (2 is unknown), tokens in base 2. The first concepts are walked through, subset by
subset; the last ``LOW`` are one product with a small table of zeros and ones.
"""

# pyright: basic, reportGeneralTypeIssues=false, reportOperatorIssue=false

import triton.language as tl

from linrep.population.kernels.halves import kernel


@kernel
def compatible(LOW: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """1 where context i of ``LOW`` concepts is compatible with token j."""
    i = tl.arange(0, ROWS)[:, None]
    j = tl.arange(0, COLUMNS)[None, :]
    agrees = (i < 3**LOW) & (j < 2**LOW)
    for _ in tl.static_range(LOW):
        digit = i % 3
        agrees = agrees & ((digit == 2) | (digit == (j % 2)))
        i = i // 3
        j = j // 2
    return tl.where(agrees, 1.0, 0.0)


@kernel
def target_mean(
    G, P, INVERSE_Z, TARGET, K: tl.constexpr, KP: tl.constexpr, HIGH: tl.constexpr, LOW: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, UNROLL: tl.constexpr,
):  # fmt: skip
    """Σ_c p(c|d) g(c) of the 3^LOW contexts that share their first ``HIGH`` digits."""
    run = tl.program_id(1).to(tl.int64)
    rest = tl.program_id(0)
    known = 0
    unknown = 0
    count = 1
    for i in tl.static_range(HIGH):
        digit = rest % 3
        rest = rest // 3
        unknown += tl.where(digit == 2, 1 << i, 0)
        known += tl.where(digit == 1, 1 << i, 0)
        count *= tl.where(digit == 2, 2, 1)
    P += run * 2 ** (HIGH + LOW)
    G += run * 2 ** (HIGH + LOW) * K
    c = tl.arange(0, COLUMNS)
    col = tl.arange(0, KP)[None, :]
    inside = (c[:, None] < 2**LOW) & (col < K)
    total = tl.zeros((COLUMNS, KP), tl.float32)
    free = unknown  # its subsets in turn, largest first
    for _ in tl.range(0, count, num_stages=1, loop_unroll_factor=UNROLL):
        token = (known + free) * 2**LOW + c
        p = tl.load(P + token, mask=c < 2**LOW, other=0.0)
        total += p[:, None] * tl.load(G + token[:, None] * K + col, mask=inside, other=0.0)
        free = (free - 1) & unknown
    mean = tl.dot(compatible(LOW, ROWS, COLUMNS), total, input_precision="ieee")
    d = tl.arange(0, ROWS)
    context = (run * tl.num_programs(0) + tl.program_id(0)) * 3**LOW + d
    mean = mean * tl.load(INVERSE_Z + context, mask=d < 3**LOW, other=0.0)[:, None]
    tl.store(TARGET + context[:, None] * K + col, mean, mask=(d[:, None] < 3**LOW) & (col < K))


@kernel
def target_total(
    F, W_OVER_Z, P, TARGET, CONTEXTS, K: tl.constexpr, KP: tl.constexpr, HIGH: tl.constexpr,
    LOW: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, UNROLL: tl.constexpr,
):  # fmt: skip
    """Σ_d ω(d) p(c|d) f(d) of the 2^LOW tokens that share their first ``HIGH`` bits."""
    run = tl.program_id(1).to(tl.int64)
    token = tl.program_id(0)
    W_OVER_Z += run * CONTEXTS
    F += run * CONTEXTS * K
    d = tl.arange(0, ROWS)
    col = tl.arange(0, KP)[None, :]
    inside = (d[:, None] < 3**LOW) & (col < K)
    total = tl.zeros((ROWS, KP), tl.float32)
    # Which of the first concepts the context leaves open, subset by subset.
    for hidden in tl.range(0, 2**HIGH, num_stages=1, loop_unroll_factor=UNROLL):
        prefix = 0
        for i in tl.static_range(HIGH):
            prefix += 3**i * tl.where((hidden >> i) & 1 == 1, 2, (token >> i) & 1)
        context = prefix * 3**LOW + d
        w = tl.load(W_OVER_Z + context, mask=d < 3**LOW, other=0.0)
        total += w[:, None] * tl.load(F + context[:, None] * K + col, mask=inside, other=0.0)
    total = tl.dot(tl.trans(compatible(LOW, ROWS, COLUMNS)), total, input_precision="ieee")
    c = tl.arange(0, COLUMNS)
    at = (run * tl.num_programs(0) + token) * 2**LOW + c
    p = tl.load(P + at, mask=c < 2**LOW, other=0.0)
    tl.store(TARGET + at[:, None] * K + col, total * p[:, None], mask=(c[:, None] < 2**LOW) & (col < K))
