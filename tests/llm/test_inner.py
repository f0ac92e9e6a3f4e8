import pytest
import torch

from linrep.errors import InputError
from linrep.linalg import whiten
from linrep.llm.inner import covariance, euclid, inner_product


@pytest.fixture
def draw():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def table(draw):
    scale = torch.linspace(0.2, 3, 24, dtype=torch.float64)
    return torch.randn(3000, 24, dtype=torch.float64, generator=draw) * scale + 1


@pytest.mark.parametrize("dim", [24, 600])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_covariance_is_that_of_the_usable_rows(dim, dtype, draw):
    table = torch.randn(2500, dim, generator=draw).to(dtype) + 2
    usable = torch.rand(2500, generator=draw) < 0.8
    expected = torch.cov(table[usable].double().T, correction=0)
    torch.testing.assert_close(covariance(table, usable), expected, atol=2e-6, rtol=0)
    second = table[usable].double()
    torch.testing.assert_close(
        covariance(table, usable, centred=False), second.T @ second / len(second), atol=2e-5, rtol=0
    )


def test_causal_inner_product_is_the_inverse_covariance(table, draw):
    inner = inner_product("causal", table, generator=draw)
    x, y = torch.randn(2, 5, 24, dtype=torch.float64, generator=draw)
    matrix = torch.linalg.inv(torch.cov(table.T, correction=0))
    assert inner.clamped == 0
    torch.testing.assert_close(inner.unembedding(x) @ inner.unembedding(y).T, x @ matrix @ y.T)
    torch.testing.assert_close(inner.dual(x), x @ matrix)
    # The ruler's own whitening differs by a rotation only.
    white = whiten(table, centre=True).matrix
    torch.testing.assert_close(inner.unembedding(x) @ inner.unembedding(y).T, (x @ white) @ (y @ white).T)


@pytest.mark.parametrize("name", ["euclid", "causal", "random"])
@pytest.mark.parametrize("rows", [3000, 15])
def test_every_gauge_keeps_the_logits_and_can_be_undone(name, rows, table, draw):
    inner = inner_product(name, table[:rows], generator=draw)
    assert (inner.clamped > 0) == (rows == 15 and name != "euclid")
    f, g = torch.randn(2, 7, 24, dtype=torch.float64, generator=draw)
    torch.testing.assert_close(inner.embedding(f) @ inner.unembedding(g).T, f @ g.T)
    torch.testing.assert_close(inner.to_states(inner.embedding(f)), f)


def test_clamping_agrees_with_the_exact_factor_where_nothing_is_clamped(table, draw):
    exact = inner_product("causal", table, generator=draw, floor=1e-12)
    clamped = inner_product("causal", table, generator=draw, floor=0.02)
    variance = torch.linalg.eigvalsh(covariance(table))
    assert clamped.clamped == int((variance < 0.02 * variance[-1]).sum()) > 0
    strong = torch.linalg.eigh(covariance(table)).eigenvectors[:, -5:].T
    torch.testing.assert_close(
        clamped.unembedding(strong) @ clamped.unembedding(strong).T,
        exact.unembedding(strong) @ exact.unembedding(strong).T,
    )


def test_random_inner_product_has_the_causal_spectrum_but_other_directions(table, draw):
    causal, random = (inner_product(n, table, generator=draw) for n in ("causal", "random"))
    eye = torch.eye(24, dtype=torch.float64)
    gram = [i.unembedding(eye) @ i.unembedding(eye).T for i in (causal, random)]
    torch.testing.assert_close(torch.linalg.eigvalsh(gram[0]), torch.linalg.eigvalsh(gram[1]))
    assert (gram[0] - gram[1]).norm() > 0.3 * gram[0].norm()


def test_shrinkage_mixes_in_the_mean_eigenvalue(table, draw):
    inner = inner_product("causal", table, generator=draw, shrinkage=0.5)
    cov = torch.cov(table.T, correction=0)
    mixed = cov / 2 + torch.eye(24, dtype=torch.float64) * cov.diagonal().mean() / 2
    x = torch.randn(3, 24, dtype=torch.float64, generator=draw)
    torch.testing.assert_close(inner.dual(x), x @ torch.linalg.inv(mixed))


def test_wrong_input_is_one_line(draw):
    with pytest.raises(InputError, match="rows that differ"):
        inner_product("causal", torch.ones(5, 3), generator=draw)
    with pytest.raises(InputError, match="expected usable rows"):
        inner_product("causal", torch.ones(5, 3), torch.zeros(5, dtype=torch.bool), generator=draw)
    assert euclid().record()["clamped_modes"] == 0
