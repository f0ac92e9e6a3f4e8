r"""A small transformer: it reads the context as a sequence, one position per concept and one to say the rest.

Position i holds the symbol of digit :math:`d_i` (a state, or ⋄) and an embedding of its place; the last
position holds no symbol, and what stands there after the last block is the embedding, as a language model's
state at its last token is. Blocks normalise first:

.. math:: x \leftarrow x + \mathrm{attention}(\mathrm{norm}\, x), \quad
    x \leftarrow x + \mathrm{mlp}(\mathrm{norm}\, x), \quad f(d) = W_{out}\, \mathrm{norm}\, x_{last}.

The norms have no gain of their own: the linear map after each absorbs it.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from linrep.errors import InputError
from linrep.training.encoder.network import Network, digits
from linrep.training.encoder.record import Shape

EXPANSION = 4
"""Width of a block's hidden layer, in widths."""


class Transformer(Network):
    """Pre-norm blocks of attention without a mask, and a two-layer perceptron.

    Naively: a ``torch.nn.TransformerEncoder`` per run on the context's symbols, read at its last position.

    Args:
        context_index: Flat index of each run's contexts, or their digits.
        sizes: Number of states of each concept.
        dim: k.
        width: Of the stream.
        layers: Blocks.
        heads: Attention heads; must divide the width.
        init_scale: Standard deviation of the embedding's entries at the start, over many runs.
        dtype: Of the parameters.

    Raises:
        InputError: If the heads do not divide the width.
    """

    def __init__(
        self,
        context_index: Int64[Tensor, "runs contexts *digits"],
        sizes: Sequence[int],
        dim: int,
        *,
        width: int,
        layers: int,
        heads: int,
        init_scale: float,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        if width % heads:
            raise InputError(f"encoder: heads must divide the width, got {heads} heads for width {width}")
        sizes = tuple(sizes)
        self.layers, self.heads = layers, heads
        unknown = max(sizes)
        # Unknown is one symbol, whatever the number of states.
        found = [
            torch.where(digit == size, unknown, digit)
            for digit, size in zip(digits(context_index, sizes), sizes, strict=True)
        ]
        symbols = functional.one_hot(torch.stack(found, -1), unknown + 1)
        self.features = functional.pad(symbols, (0, 0, 0, 1)).to(dtype)
        fan_in = 1 / math.sqrt(width)
        self.shapes = {
            "symbols": Shape((unknown + 1, width), fan_in),
            "places": Shape((len(sizes) + 1, width), fan_in),
        }
        wide = EXPANSION * width
        block = {
            "query": Shape((width, width), fan_in),
            "key": Shape((width, width), fan_in),
            "value": Shape((width, width), fan_in),
            "mix": Shape((width, width), fan_in),
            "up": Shape((width, wide), fan_in),
            "up_bias": Shape((wide,), 0.0),
            "down": Shape((wide, width), 1 / math.sqrt(wide)),
        }
        for layer in range(layers):
            self.shapes |= {f"{layer}/{name}": shape for name, shape in block.items()}
        self.shapes["out/weight"] = Shape((width, dim), init_scale * fan_in)

    def forward(
        self, weights: dict[str, Tensor], features: Float[Tensor, "runs rows places symbols"]
    ) -> Float[Tensor, "runs rows dim"]:
        """Block after block, read at the last position."""
        rows = features.shape[1]
        symbols = (features.flatten(1, 2) @ weights["symbols"]).unflatten(1, (rows, -1))
        stream = symbols + weights["places"].unsqueeze(1)
        for layer in range(self.layers):
            prefix = f"{layer}/"
            block = {
                name.removeprefix(prefix): each for name, each in weights.items() if name.startswith(prefix)
            }
            seen = _normed(stream)
            if layer == self.layers - 1:
                # Only what the last position becomes is read.
                stream = stream[:, :, -1:]
            stream = stream + self._attend(block, seen, stream.shape[2])
            stream = stream + _perceptron(block, _normed(stream))
        return _normed(stream.squeeze(2)) @ weights["out/weight"]

    def _attend(
        self, block: dict[str, Tensor], seen: Float[Tensor, "runs rows places width"], asking: int
    ) -> Float[Tensor, "runs rows asking width"]:
        """What the last positions, as many as are asking, take from all."""
        runs, rows = seen.shape[:2]

        def heads(stream: Tensor, name: str) -> Tensor:
            flat = stream.flatten(1, 2) @ block[name]
            return flat.view(runs * rows, stream.shape[2], self.heads, -1).transpose(1, 2)

        mixed = functional.scaled_dot_product_attention(
            heads(seen[:, :, -asking:], "query"), heads(seen, "key"), heads(seen, "value")
        )
        together = mixed.transpose(1, 2).reshape(runs, rows * asking, -1)
        return (together @ block["mix"]).unflatten(1, (rows, asking))


def _perceptron(
    block: dict[str, Tensor], stream: Float[Tensor, "runs rows places width"]
) -> Float[Tensor, "runs rows places width"]:
    hidden = torch.baddbmm(block["up_bias"].unsqueeze(1), stream.flatten(1, 2), block["up"])
    return (functional.gelu(hidden) @ block["down"]).view_as(stream)


def _normed(stream: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
    return functional.layer_norm(stream, stream.shape[-1:])
