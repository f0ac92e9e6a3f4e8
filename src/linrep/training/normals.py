"""A long draw of normal numbers, a piece at a time: the bits of one draw, never all of them in memory."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

PIECE = 2**18
"""Numbers drawn at once, a multiple of BLOCK."""
BLOCK = 16
"""Numbers that PyTorch turns from uniform to normal together."""


class Normals:
    """The standard normal numbers of one draw, in order, in float64.

    PyTorch makes normal numbers in blocks of 16 uniform ones; where the last block is not full, it draws the
    last 16 numbers anew. So whole blocks may be drawn apart, but the last piece needs 16 numbers at least.

    Naively: ``torch.randn(count, generator=generator, dtype=torch.float64)``, and slices of it.

    Args:
        count: How many numbers the draw has.
        generator: Draws on the CPU; belongs to this draw until its last number.

    Example:
        >>> draw, out = Normals(40, torch.Generator().manual_seed(0)), torch.zeros(2, 5, dtype=torch.float64)
        >>> draw.skip(30)
        >>> draw.fill(out, 0.1)
        >>> whole = torch.randn(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        >>> bool((out.flatten() == 0.1 * whole[30:]).all())
        True
    """

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self._undrawn = count
        self._generator = generator
        self._piece = torch.zeros(0, dtype=torch.float64)

    def fill(self, out: Float[Tensor, "*shape"], scale: float) -> None:
        """Overwrite a contiguous tensor by the next numbers times a scale, rounded to its dtype."""
        flat, done = out.view(-1), 0
        while done < len(flat):
            some = self._next(len(flat) - done)
            flat[done : done + len(some)] = scale * some
            done += len(some)

    def skip(self, count: int) -> None:
        """Pass over the next numbers."""
        while count:
            count -= len(self._next(count))

    def _next(self, most: int) -> Float64[Tensor, " some"]:
        """At least one number."""
        if not len(self._piece):
            assert self._undrawn, "the draw has no more numbers"
            size = PIECE if self._undrawn >= PIECE + BLOCK else self._undrawn
            self._piece = torch.randn(size, generator=self._generator, dtype=torch.float64)
            self._undrawn -= size
        some, self._piece = self._piece[:most], self._piece[most:]
        return some
