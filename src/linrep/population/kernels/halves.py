r"""Products at float32's accuracy on tensor cores: every operand is a sum of two float16.

With :math:`x = h + l`, both rounded to nearest, h and l have 11 bits each, and
:math:`xy \approx l h' + h l' + h h'` leaves out 2^-22 of it. Half precision has TF32's mantissa at twice its
rate, and its sums lie in memory as the next product wants them. Its short range is made up for by powers of
two, which are exact. After :cite:`ootomo:22`.
"""

# The language of kernels is Triton's: it has its own types, which no checker of Python knows.
# pyright: basic, reportGeneralTypeIssues=false, reportOperatorIssue=false

import inspect
from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
UP = tl.constexpr(14)
"""Powers, and residuals, are scaled by 2 to this before they are halved."""
TOP = tl.constexpr(2048.0)
"""The largest number of a table before it is halved, or up to twice that."""
LEAST = tl.constexpr(1e-30)
"""Tables whose largest entry is less are scaled as if it were this: what is undone must not leave float32."""


def kernel(function: Callable[..., Any]) -> Any:
    """Compiled by Triton when it is launched, or run by its interpreter where ``TRITON_INTERPRET`` is set.

    ``FIRST`` and ``STEPS``, a step's number and how many follow, are others at many a launch.
    """
    plain = inspect.unwrap(function)  # whoever checks types at import has wrapped it
    others = [name for name in inspect.signature(plain).parameters if name in ("FIRST", "STEPS")]
    jit: Any = triton.jit
    return jit(plain, do_not_specialize=others)


@kernel
def halves(x):
    """A float32 as a sum of two float16."""
    high = x.to(tl.float16)
    return high, (x - high.to(tl.float32)).to(tl.float16)


@kernel
def power_of_two(x):
    """2 to the floor of log2 x, exactly, of a positive normal float32."""
    return (x.to(tl.int32, bitcast=True) & 0x7F800000).to(tl.float32, bitcast=True)


@kernel
def scale_to(most, REACH: tl.constexpr):
    """The power of two that brings numbers up to ``most`` to between ``REACH`` and twice that."""
    return REACH / power_of_two(tl.maximum(most, LEAST))


@kernel
def largest(x):
    """Of all entries of a tile, by size."""
    return tl.max(tl.max(tl.abs(x), 1), 0)


@kernel
def product(ah, al, bh, bl):
    """A matrix product of operands in halves, small terms first, from zero: tensor cores cut sums."""
    t = tl.dot(al, bh)
    t = tl.dot(ah, bl, t)
    return tl.dot(ah, bh, t)


@kernel
def over_rows(rh, rl, fh, fl, TOKENS: tl.constexpr):
    """Transpose of r times f; few tokens lie along the columns, so that tensor cores have full tiles."""
    if TOKENS >= 64:
        return product(tl.trans(rh), tl.trans(rl), fh, fl)
    return tl.trans(product(tl.trans(fh), tl.trans(fl), rh, rl))
