"""A safetensors file written in any order, some numbers at a time: its tensors need not be in memory."""

import json
import math
from collections.abc import Mapping
from typing import BinaryIO

import torch
from jaxtyping import Shaped
from torch import Tensor

NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""What the format calls the dtypes that are kept."""
ALIGNED = 8
"""Tensors begin at multiples of so many bytes, large numbers first."""

Layout = Mapping[str, tuple[torch.dtype, tuple[int, ...]]]
"""Dtype and shape by name."""


class TensorFile:
    """Places for tensors in an empty file; what is not put there is zero.

    Naively: ``safetensors.torch.save_file(tensors, path, metadata)``.

    Args:
        file: Open for writing in binary, empty.
        layout: Every tensor of it.
        metadata: Kept beside the tensors.

    References:
        The safetensors format: the length of a header in 8 bytes, the header as JSON, the numbers.
    """

    def __init__(self, file: BinaryIO, layout: Layout, metadata: Mapping[str, str]) -> None:
        self._file = file
        header: dict[str, object] = {"__metadata__": dict(metadata)}
        places: dict[str, int] = {}
        end = 0
        for name in sorted(layout, key=lambda name: (-layout[name][0].itemsize, name)):
            dtype, shape = layout[name]
            places[name], end = end, end + math.prod(shape) * dtype.itemsize
            header[name] = {"dtype": NAMES[dtype], "shape": shape, "data_offsets": (places[name], end)}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % ALIGNED)
        file.write(len(text).to_bytes(8, "little") + text)
        begin = file.tell()
        self._places = {name: begin + place for name, place in places.items()}
        file.truncate(begin + end)

    def put(self, name: str, numbers: Shaped[Tensor, "*shape"], first: int = 0) -> None:
        """Write numbers of one tensor, in its dtype.

        Args:
            name: Of the tensor.
            numbers: Those that follow each other in it.
            first: Place of the first among all its numbers, rows before columns.
        """
        self._file.seek(self._places[name] + first * numbers.dtype.itemsize)
        self._file.write(numbers.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
