"""Launches of the gradient that judged steps stand on."""

import torch
import triton
from jaxtyping import Float64
from torch import Tensor

from linrep.population.kernels import judged, tile
from linrep.population.kernels.launches import OPTIONS, padded
from linrep.population.packed import Packed


class Judge:
    """Excess loss and both gradients of every run, float64, in two launches and a sum.

    Naively: ``gradient`` of :class:`linrep.population.residuals.Residuals`.

    Args:
        packed: The world's numbers, float64.
        dim: k.
    """

    def __init__(self, packed: Packed, dim: int) -> None:
        self.packed, self.dim = packed, dim
        self.runs, self.contexts = packed.weights.shape
        self.tokens = packed.bits.shape[1]
        self.wide = padded(self.tokens)
        self.block = max(16, 1024 // self.wide) if self.wide > 16 else 16
        self.options = OPTIONS | {"num_warps": 1 if self.wide == 16 else 4}
        self.parts = triton.cdiv(self.contexts, self.block)
        self.part = packed.weights.new_empty(self.runs, self.parts, self.wide, dim)
        self.loss = packed.weights.new_empty(self.runs, self.parts)

    def __call__(
        self, f: Float64[Tensor, "runs contexts dim"], g: Float64[Tensor, "runs tokens dim"]
    ) -> tuple[
        Float64[Tensor, " runs"],
        Float64[Tensor, "runs contexts dim"],
        Float64[Tensor, "runs tokens dim"],
    ]:
        """Loss in nats, and the gradients of F and of G.

        Args:
            f: F.
            g: G.
        """
        packed, f, g = self.packed, f.contiguous(), g.contiguous()
        to_f, to_g = torch.empty_like(f), torch.empty_like(g)
        judged.judged_gradient[(self.parts, self.runs)](
            f, g, to_f, self.part, self.loss, packed.weights, packed.inverse_normaliser, packed.known,
            packed.value, packed.probability, packed.bits, self.contexts, self.tokens,
            self.contexts if len(packed.known) > 1 else 0, self.tokens if len(packed.bits) > 1 else 0,
            self.dim, padded(self.dim), self.block, self.wide, **self.options,
        )  # fmt: skip
        numbers = self.tokens * self.dim
        tile.add_parts[(triton.cdiv(numbers, 32), self.runs)](
            self.part, to_g, self.parts, numbers, self.wide * self.dim, 16, 32, **OPTIONS,
        )  # fmt: skip
        return self.loss.sum(-1), to_f, to_g
