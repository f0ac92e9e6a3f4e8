"""Encoders f: from context codes to embeddings, all runs at once.

A table gives every context a row of its own. A network reads the context's digits, and so says something of
contexts that it was never trained on.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.training.encoder.mlp import Mlp
from linrep.training.encoder.record import Encoder, Shape
from linrep.training.encoder.table import ShardedTable, Table
from linrep.training.encoder.transformer import Transformer

__all__ = ["Encoder", "EncoderKind", "Mlp", "Shape", "ShardedTable", "Table", "Transformer", "encoder"]

EncoderKind = Literal["table", "mlp", "transformer"]


def encoder(
    kind: EncoderKind,
    context_index: Int64[Tensor, "runs contexts *digits"],
    sizes: Sequence[int],
    dim: int,
    *,
    init_scale: float,
    width: int | None = None,
    layers: int | None = None,
    heads: int | None = None,
    dtype: torch.dtype = torch.float64,
) -> Encoder:
    """An encoder for the contexts of a batch of runs.

    Naively: ``{"table": Table, "mlp": Mlp, "transformer": Transformer}[kind](...)``.

    Args:
        kind: "table", "mlp" or "transformer".
        context_index: Flat index of each run's contexts, or their digits.
        sizes: Number of states of each concept.
        dim: k, the length of an embedding.
        init_scale: Standard deviation of the embedding's entries at the start: exact for a table, about that
            for a network.
        width: Of a network's layers.
        layers: Hidden layers of an MLP, blocks of a transformer.
        heads: Attention heads; must divide the width.
        dtype: Of the parameters.

    Raises:
        InputError: A size that the kind needs is missing, or heads do not divide the width.

    Example:
        >>> index = torch.arange(9)[None]
        >>> table = encoder("table", index, (2, 2), 3, init_scale=0.1)
        >>> network = encoder("mlp", index, (2, 2), 3, init_scale=0.1, width=4, layers=1)
        >>> table.numbers, network.numbers
        (27, 40)
    """
    if kind == "table":
        return Table(context_index.shape[1], dim, init_scale=init_scale)
    if width is None or layers is None:
        raise InputError(f"encoder: {kind!r} needs a width and a number of layers; give both")
    if kind == "mlp":
        return Mlp(context_index, sizes, dim, width=width, layers=layers, init_scale=init_scale, dtype=dtype)
    return Transformer(
        context_index,
        sizes,
        dim,
        width=width,
        layers=layers,
        heads=heads or 1,
        init_scale=init_scale,
        dtype=dtype,
    )
