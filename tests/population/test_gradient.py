"""The gradient in every form against autograd, within the promised error, on every kind of population."""

import math

import pytest
import torch

from linrep.errors import InputError
from linrep.laboratory.machine import threads
from linrep.population import residual_sums, tiling
from linrep.population.gradient import population_gradient, table_gradients
from tests.support.populations import autograd, random_population, random_tables

CASES = {
    "one run": {"sizes": (2,) * 5},
    "many runs": {"sizes": (2,) * 4, "runs": 7},
    "zeros": {"sizes": (2,) * 4, "runs": 3, "zeros": 0.4},
    "subsets": {"sizes": (2,) * 4, "runs": 3, "fewer_tokens": 3, "fewer_contexts": 7},
    "sizes": {"sizes": (2, 3, 1, 4), "runs": 2, "fewer_tokens": 2, "zeros": 0.2},
    "uniform": {"sizes": (2,) * 5, "runs": 2, "uniform": True},
}
FORMS = ["auto", "dense", "fused"]


def parts(population, f, g):
    """Norms, per run and table, of the two parts of the gradient before they cancel, added."""
    population, f, g = population.to(dtype=torch.float64), f.double(), g.double()
    weights = population.weights.unsqueeze(-1)
    target = population.conditional
    logits = f @ g.mT
    if population.token_mask is not None:
        logits = logits.masked_fill(~population.token_mask.unsqueeze(1), -torch.inf)
    predicted = logits.softmax(-1)
    of_f = sum((weights * (p @ g)).norm(dim=(1, 2)) for p in (predicted, target))
    of_g = sum(((weights * p).mT @ f).norm(dim=(1, 2)) for p in (predicted, target))
    return of_f, of_g


def assert_within(population, f, g, found, relative):
    loss, by_f, by_g = autograd(population, f, g)
    of_f, of_g = parts(population, f, g)
    assert ((found.embedding - by_f).norm(dim=(1, 2)) <= relative * of_f).all()
    assert ((found.unembedding - by_g).norm(dim=(1, 2)) <= relative * of_g).all()
    return loss, by_f, by_g


@pytest.mark.parametrize("scale", [0.1, 1.0, 6.0])
@pytest.mark.parametrize("method", FORMS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_float64_equals_autograd(case, method, scale):
    population = random_population(**case)
    f, g = random_tables(population, 4, scale)
    found = population_gradient(population, f, g, method=method)
    loss, by_f, by_g = assert_within(population, f, g, found, 1e-13)
    torch.testing.assert_close(found.embedding, by_f, rtol=0, atol=1e-10 * by_f.norm().item())
    torch.testing.assert_close(found.unembedding, by_g, rtol=0, atol=1e-10 * by_g.norm().item())
    torch.testing.assert_close(found.excess_loss, loss, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 1.0, 6.0])
@pytest.mark.parametrize("method", FORMS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_float32_stays_in_its_budget(case, method, scale):
    population = random_population(**case, dtype=torch.float32)
    f, g = random_tables(population, 4, scale)
    found = population_gradient(population, f, g, method=method)
    assert found.embedding.dtype == found.unembedding.dtype == torch.float32
    loss, *_ = assert_within(population, f, g, found, 1e-6)
    torch.testing.assert_close(found.excess_loss, loss, rtol=1e-3, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_lone_large_run_is_cut_for_the_cores(dtype):
    population = random_population((2,) * 8, dtype=dtype)
    f, g = random_tables(population, 8)
    for cores in (1, 2, 3):
        with threads(cores):
            found = population_gradient(population, f, g, method="fused")
        assert_within(population, f, g, found, 1e-6 if dtype == torch.float32 else 1e-13)


@pytest.mark.parametrize("method", ["dense", "fused"])
@pytest.mark.parametrize("tile", [1, 37, 300, 5000])
def test_the_size_of_a_tile_changes_nothing(monkeypatch, tile, method):
    population = random_population((2,) * 4, 5, fewer_tokens=1, fewer_contexts=3)
    f, g = random_tables(population, 3)
    monkeypatch.setattr(tiling, "TILE", tile)
    found = population_gradient(population, f, g, method=method)
    loss, *_ = assert_within(population, f, g, found, 1e-13)
    torch.testing.assert_close(found.excess_loss, loss, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", ["dense", "fused"])
def test_large_logits_and_hopeless_tables_stay_finite(method):
    for dtype in (torch.float32, torch.float64):
        population = random_population((2,) * 4, 2, dtype=dtype)
        f, g = random_tables(population, 4, 60.0)
        found = population_gradient(population, f, g, method=method)
        loss, *_ = assert_within(population, f, g, found, 1e-5 if dtype == torch.float32 else 1e-12)
        torch.testing.assert_close(found.excess_loss, loss, rtol=1e-3, atol=0)


@pytest.mark.parametrize(("dtype", "scale"), [(torch.float32, 12.0), (torch.float64, 60.0)])
def test_powers_beyond_the_largest_number_are_lowered_first(dtype, scale):
    """Logits far above what the true distribution makes of them, in one run of three in a tile."""
    population = random_population((2,) * 5, 3, dtype=dtype)
    f, g = random_tables(population, 4)
    calm = {method: population_gradient(population, f, g, method=method) for method in ("dense", "fused")}
    f[1], g[1] = scale * f[1], scale * g[1]
    fused = population_gradient(population, f, g, method="fused")
    dense = population_gradient(population, f, g, method="dense")
    assert fused.excess_loss[1] > (90 if dtype == torch.float32 else 1024) * math.log(2)
    budget = {"rtol": 1e-4, "atol": 1e-3} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-9}
    loss, by_f, by_g = autograd(population, f, g)
    torch.testing.assert_close(dense.excess_loss, loss, rtol=budget["rtol"], atol=0.0)
    torch.testing.assert_close(dense.embedding.double(), by_f, **budget)
    torch.testing.assert_close(dense.unembedding.double(), by_g, **budget)
    torch.testing.assert_close(fused.excess_loss, dense.excess_loss, rtol=budget["rtol"], atol=0.0)
    torch.testing.assert_close(fused.embedding, dense.embedding, **budget)
    torch.testing.assert_close(fused.unembedding, dense.unembedding, **budget)
    for run in (0, 2):
        assert torch.equal(fused.unembedding[run], calm["fused"].unembedding[run])
        assert torch.equal(dense.unembedding[run], calm["dense"].unembedding[run])


def test_powers_far_below_the_largest_are_normal_numbers_and_masked_ones_nothing():
    """Subnormal numbers are several times slower, and late in training most powers would be."""
    draw = torch.Generator().manual_seed(0)
    single = {"dtype": torch.float32}
    f, key = (8 * torch.randn(shape, generator=draw, **single) for shape in ((3, 40, 4), (3, 4, 16)))
    mask = torch.ones(3, 1, 16, dtype=torch.bool)
    mask[1, 0, :5] = False
    powers = torch.empty(3, 40, 16, **single)
    total, shift = residual_sums._powers(f, key, mask, powers)
    assert not powers[1, :, :5].any()
    assert 0.5 < (shift != 0).float().mean() < 1
    assert powers.masked_select(mask).min() >= torch.finfo(torch.float32).tiny
    naive = (f.double() @ key.double()).masked_fill(~mask, -torch.inf).softmax(-1)
    torch.testing.assert_close((powers / total).double(), naive, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("method", ["dense", "fused"])
def test_a_run_gone_wrong_does_not_touch_the_others(method):
    population = random_population((2,) * 4, 3)
    f, g = random_tables(population, 3)
    clean = population_gradient(population, f, g, method=method)
    f[1, 5] = torch.nan
    found = population_gradient(population, f, g, method=method)
    assert found.excess_loss.isnan().tolist() == [False, True, False]
    torch.testing.assert_close(found.embedding[[0, 2]], clean.embedding[[0, 2]])


def test_the_population_gradient_is_zero_where_the_prediction_is_exact():
    """No context excludes a token when nothing is known: one context, finite exact tables."""
    population = random_population((2, 2))
    joint = population.joint[0]
    population = type(population).build(
        (2, 2), [joint], [torch.tensor([8])], [torch.ones(1, dtype=torch.float64)], [torch.arange(4)]
    )
    f, g = torch.ones(1, 1, 1, dtype=torch.float64), joint.log().view(1, 4, 1)
    found = population_gradient(population, f, g)
    assert found.excess_loss.item() < 1e-30
    assert found.embedding.abs().max() < 1e-15
    assert found.unembedding.abs().max() < 1e-15


def test_padded_rows_have_no_gradient():
    population = random_population((2,) * 4, 3, fewer_tokens=3, fewer_contexts=7)
    for method in FORMS:
        by_f, by_g = table_gradients(population, *random_tables(population, 3), method=method)
        assert not by_f[population.weights == 0].any()
        assert not by_g[~population.token_mask].any()


def test_gradients_alone_are_the_same():
    population = random_population((2,) * 4, 2)
    f, g = random_tables(population, 3)
    for method in FORMS:
        both = population_gradient(population, f, g, method=method)
        by_f, by_g = table_gradients(population, f, g, method=method)
        assert torch.equal(by_f, both.embedding)
        assert torch.equal(by_g, both.unembedding)


def test_tables_of_another_population_are_refused():
    population = random_population((2,) * 3)
    f, g = random_tables(population, 3)
    with pytest.raises(InputError, match="tables: expected"):
        population_gradient(population, f[:, :-1], g)


@pytest.mark.parametrize("shift", [-70.0, -30.0, 30.0, 70.0])
def test_dense_powers_do_not_depend_on_what_lies_beside_them(shift):
    """Rows near either end of the range, alone and beside a run far beyond it."""
    draw = torch.Generator().manual_seed(0)
    f, key = (torch.randn(shape, generator=draw) for shape in ((2, 40, 4), (2, 4, 16)))
    f[0, :, 0], key[0, 0] = shift, 1.0
    f[1] *= 100
    together, alone = torch.empty(2, 40, 16), torch.empty(1, 40, 16)
    total, _ = residual_sums._powers(f, key, None, together)
    residual_sums._powers(f[:1], key[:1], None, alone)
    assert torch.equal(together[:1], alone)
    naive = (f.double() @ key.double()).softmax(-1)
    torch.testing.assert_close((together / total).double(), naive, rtol=1e-3, atol=1e-6)
