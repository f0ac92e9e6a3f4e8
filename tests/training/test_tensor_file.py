"""Files written in pieces: what safetensors reads from them is what was put there."""

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from linrep.training.tensor_file import TensorFile


def tensors():
    draw = torch.Generator().manual_seed(0)
    return {
        "bytes": torch.randint(0, 256, (5,), generator=draw, dtype=torch.uint8),
        "short": torch.randn(3, 7, generator=draw),
        "table": torch.randn(2, 9, 5, generator=draw, dtype=torch.float64),
        "steps": torch.tensor([1, -2, 2**62]),
        "one": torch.tensor(0.1),
        "none": torch.zeros(0, 3),
    }


def written(path, values, pieces):
    layout = {name: (value.dtype, tuple(value.shape)) for name, value in values.items()}
    with open(path, "wb") as file:
        target = TensorFile(file, layout, {"step": "7"})
        for name, numbers, first in pieces:
            target.put(name, numbers, first)
    return path


def test_whole_tensors_come_back_bit_for_bit(tmp_path):
    values = tensors()
    path = written(tmp_path / "a", values, [(name, value, 0) for name, value in values.items()])
    found = load_file(path)
    assert set(found) == set(values)
    for name, value in values.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"step": "7"}


def test_pieces_in_any_order_columns_and_gaps(tmp_path):
    values = tensors()
    columns = values["table"].mT.contiguous().mT  # as training lays them
    assert not columns[1].is_contiguous()
    pieces = [
        ("table", columns[1, 4:], (9 + 4) * 5),
        ("bytes", values["bytes"], 0),
        ("table", columns[0, :6], 0),
    ]
    found = load_file(written(tmp_path / "a", values, pieces))
    expected = values["table"].clone()
    expected[0, 6:] = 0
    expected[1, :4] = 0
    assert torch.equal(found["table"], expected)
    assert torch.equal(found["bytes"], values["bytes"])
    assert not found["short"].any()


def test_a_file_cut_off_is_refused(tmp_path):
    path = written(tmp_path / "a", tensors(), [])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SafetensorError):
        load_file(path)
