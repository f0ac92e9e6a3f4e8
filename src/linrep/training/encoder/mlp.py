r"""A multilayer perceptron: it reads the indicators of all digits at once.

.. math:: f(d) = W_{out}\, h_L, \quad h_l = \mathrm{gelu}(W_l h_{l-1} + b_l), \quad h_0 = (1\{d_i = v\})_{iv}.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from linrep.training.encoder.network import Network, digits
from linrep.training.encoder.record import Shape


class Mlp(Network):
    """Layers of one width, without a bias at the end.

    Naively: ``h = onehot(d); for W, b in layers: h = gelu(h @ W + b); f = h @ W_out``, run by run.

    Args:
        context_index: Flat index of each run's contexts, or their digits.
        sizes: Number of states of each concept.
        dim: k.
        width: Of the hidden layers.
        layers: How many there are, >= 1.
        init_scale: About the standard deviation of the embedding's entries at the start.
        dtype: Of the parameters.
    """

    def __init__(
        self,
        context_index: Int64[Tensor, "runs contexts *digits"],
        sizes: Sequence[int],
        dim: int,
        *,
        width: int,
        layers: int,
        init_scale: float,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        sizes = tuple(sizes)
        found = digits(context_index, sizes)
        indicators = [functional.one_hot(d, size + 1) for d, size in zip(found, sizes, strict=True)]
        self.features = torch.cat(indicators, -1).to(dtype)
        self.layers = layers
        read = self.features.shape[-1]
        self.shapes = {}
        for layer in range(layers):
            # One indicator per concept is on: the sums at the start are of order one, and stay so.
            scale = 1 / math.sqrt(len(sizes)) if layer == 0 else math.sqrt(2 / width)
            self.shapes[f"{layer}/weight"] = Shape((width if layer else read, width), scale)
            self.shapes[f"{layer}/bias"] = Shape((width,), 0.0)
        self.shapes["out/weight"] = Shape((width, dim), init_scale / math.sqrt(width))

    def forward(
        self, weights: dict[str, Tensor], features: Float[Tensor, "runs rows digits"]
    ) -> Float[Tensor, "runs rows dim"]:
        """Layer after layer."""
        hidden = features
        for layer in range(self.layers):
            bias = weights[f"{layer}/bias"].unsqueeze(1)
            hidden = functional.gelu(torch.baddbmm(bias, hidden, weights[f"{layer}/weight"]))
        return hidden @ weights["out/weight"]
