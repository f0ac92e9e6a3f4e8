"""The page of measured vectors: every part that the numbers give, and none that they do not."""

import pytest
import torch

from linrep.page.vectors import render, save
from linrep.vectors import VectorsOptions, VectorsResult, measure_vectors
from tests.vectors.planted import additive, grid, named, rng

FEW = VectorsOptions(draws=60)


@pytest.fixture(scope="module")
def result() -> VectorsResult:
    codes = grid((2, 2), copies=20)
    table = additive(codes, 2 * torch.eye(2, 6), 0.3)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=rng(), dtype=torch.float64))[0]
    attributes = {**named(codes), "<b>": torch.randint(2, (80,), generator=rng(5)).tolist()}
    return measure_vectors(table, attributes, other=table @ turn, options=FEW)


def test_parts_and_escaped_names(result: VectorsResult) -> None:
    page = render(result)
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    for part in ("map-2d", "concepts-table", "overlap-mean", "noise", "transfer-table", "strange-pairs"):
        assert f'id="{part}"' in page
    assert "have a direction in these vectors" in page


def test_nothing_is_said_of_a_transfer_that_was_not_asked_for() -> None:
    codes = grid((2, 2), copies=15)
    noise = torch.randn(60, 40, generator=rng(2), dtype=torch.float64)
    page = render(measure_vectors(noise, named(codes), options=FEW))
    assert 'id="transfer-table"' not in page
    assert "0 of 2 concepts have a direction in these vectors" in page


def test_files_lie_together(result: VectorsResult, tmp_path) -> None:
    page = save(result, tmp_path / "new")
    files = {"result.json", "table.csv", "table.parquet", "map.parquet", "page.html"}
    assert {path.name for path in page.parent.iterdir()} == files
    assert result.plot("orthogonality_rms").data[0].zmax == 1
