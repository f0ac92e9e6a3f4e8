"""Singular values from Gram matrices against those of the logits themselves."""

import numpy as np
import pytest
import torch

from linrep.geometry import singular_values


def tables(dim: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    shapes = ((3, 20, dim), (3, 6, dim))
    f, g = (torch.randn(shape, dtype=torch.float64, generator=draw) for shape in shapes)
    return f, g + 2.0


@pytest.mark.parametrize("dim", [1, 4, 9])
def test_they_are_those_of_the_tables_themselves(dim: int) -> None:
    f, g = tables(dim)
    found = singular_values(f, g)
    centred = g - g.mean(1, keepdim=True)
    for mine, matrix in zip(found, (f @ centred.mT, f, centred), strict=True):
        wanted = np.zeros((3, dim))
        known = np.linalg.svd(matrix.numpy(), compute_uv=False)[:, :dim]
        wanted[:, : known.shape[1]] = known
        # Of nine dimensions the six tokens span five: the others are rounding.
        np.testing.assert_allclose(mine.numpy(), wanted, rtol=1e-10, atol=1e-7 * wanted.max())


def test_logits_do_not_see_the_gauge_but_tables_do() -> None:
    f, g = tables(4)
    turn = torch.diag(torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64))
    before, after = singular_values(f, g), singular_values(f @ turn, g @ turn.inverse() + 7.0)
    torch.testing.assert_close(after.logits, before.logits)
    assert not torch.allclose(after.embedding, before.embedding)
    assert not torch.allclose(after.unembedding, before.unembedding)


def test_a_mean_of_the_embedding_is_kept() -> None:
    f, g = tables(4)
    assert not torch.allclose(singular_values(f + 1.0, g).logits, singular_values(f, g).logits)


def test_tables_of_nothing_have_none() -> None:
    f, g = tables(4)
    assert float(singular_values(0 * f, g).logits.abs().max()) == 0.0
