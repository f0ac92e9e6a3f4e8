"""The kernels under Triton's interpreter: gradients are the float64 oracle's, to the bit every time."""

import os
import warnings
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

pytest.importorskip("triton")
if os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("a card is here: test_gpu.py", allow_module_level=True)

from linrep.errors import InputError
from linrep.population import card
from linrep.population.empirical import EmpiricalPopulation
from linrep.population.gradient import Population, population_gradient, table_gradients
from linrep.population.judging import CardResiduals
from linrep.population.kernels import launches
from linrep.population.packed import Packed
from linrep.population.residuals import Residuals
from linrep.training.dataset import Dataset
from linrep.worlds.sampled import sampled_world
from linrep.worlds.sampled import sparse as concept_model
from tests.support.populations import autograd, random_population, random_tables, worst

# Of the numpy that interprets.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

BUDGET = 1e-6


WORLDS = {
    "four concepts": ((2,) * 4, 3, 0.1, {}),
    "trained": ((2,) * 4, 5, 3.0, {"runs": 2}),
    "zeros, masks, padding": (
        (2,) * 3,
        31,
        1.0,
        {"runs": 3, "zeros": 0.3, "fewer_tokens": 1, "fewer_contexts": 3},
    ),
    "several states": ((3, 2, 4), 4, 1.0, {"runs": 2, "fewer_tokens": 2}),
    "next to nothing": ((2,) * 3, 2, 1e-25, {"runs": 2, "fewer_tokens": 1}),
    "wide": ((2,) * 3, 64, 1.0, {}),
}


@pytest.fixture(params=WORLDS)
def case(request):
    sizes, dim, scale, more = WORLDS[request.param]
    population = random_population(sizes, dtype=torch.float32, **more)
    return population, *random_tables(population, dim, scale)


@pytest.mark.parametrize("large", [False, True])
def test_both_gradients_are_those_of_float64(case, large, monkeypatch):
    if large:
        monkeypatch.setattr("linrep.population.card.MOST_OF_A_TILE", 0)
    population, f, g = case
    found = table_gradients(population, f, g, method="kernels")
    assert worst(population, f, g, found) < BUDGET
    again = table_gradients(population, f, g, method="kernels")
    assert all(torch.equal(one, other) for one, other in zip(found, again, strict=True))


def test_the_loss_comes_with_them(case):
    population, f, g = case
    found = population_gradient(population, f, g, method="kernels")
    expected, *_ = autograd(population, f, g)
    torch.testing.assert_close(found.excess_loss, expected, rtol=1e-3, atol=1e-12)
    assert worst(population, f, g, (found.embedding, found.unembedding)) < BUDGET


def test_targets_are_sums_over_compatible_pairs():
    population = random_population((2,) * 5, 2, dtype=torch.float32)
    f, g = random_tables(population, 5)
    packed = Packed.of(population)
    for low in (3, 5):
        subsets = launches.Subsets(packed, 5, 5, low=low)
        mean, total = subsets.mean(g, torch.empty_like(f)), subsets.total(f, torch.empty_like(g))
        torch.testing.assert_close(mean, population.conditional_mean(g), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(total, population.conditional_mean_transpose(f), rtol=1e-5, atol=1e-6)


def test_what_is_packed_agrees_where_contexts_and_tokens_are_compatible():
    population = random_population((3, 2, 4), 2, fewer_tokens=2, fewer_contexts=3)
    packed = Packed.of(population)
    agrees = ((packed.bits[:, None, :] ^ packed.value[..., None]) & packed.known[..., None]) == 0
    here = agrees & (packed.bits >= 0)[:, None, :]
    made = here * packed.probability[:, None, :] * packed.inverse_normaliser[..., None]
    torch.testing.assert_close(made, population.conditional)


def test_what_is_not_packed():
    assert Packed.of(random_population((2,) * 3)) is not None
    tiny = Population.build(
        (2,),
        [torch.tensor([1e-35, 1.0], dtype=torch.float64)],
        [torch.arange(3)],
        [torch.full((3,), 1 / 3)],
        [torch.arange(2)],
        dtype=torch.float32,
    )
    assert Packed.of(tiny) is None


def test_float64_and_tables_too_wide_are_left_to_pytorch():
    narrow = random_population((2,) * 3, dtype=torch.float32)
    assert card.fits(narrow, 64)
    assert not card.fits(narrow, 65)
    assert not card.fits(narrow.to(dtype=torch.float64), 3)
    assert not card.usable(narrow, 3)  # no card


def test_kernels_asked_for_where_there_are_none_are_refused(monkeypatch):
    population = random_population((2,) * 3, dtype=torch.float32)
    monkeypatch.delenv("TRITON_INTERPRET")
    with pytest.raises(InputError, match="'kernels' takes float32 tables up to k = 64 on a card"):
        table_gradients(population, *random_tables(population, 3), method="kernels")


@pytest.fixture
def a_card(monkeypatch):
    """PyTorch says that one is here, and nobody asks for the interpreter."""
    monkeypatch.delenv("TRITON_INTERPRET")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(card, "current", lambda device: nullcontext())
    plain = launches.probe
    monkeypatch.setattr(launches, "probe", lambda device: plain(torch.device("cpu")))
    card.known_to_triton.cache_clear()
    yield torch.device("cuda")
    card.known_to_triton.cache_clear()


def test_a_card_that_compiles_is_known(a_card, monkeypatch):
    assert card.known_to_triton(a_card)
    assert not card.known_to_triton(torch.device("cpu"))
    card.known_to_triton.cache_clear()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert not card.known_to_triton(a_card)


def test_the_interpreter_takes_no_cards_place_where_one_is(a_card, monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert not card.known_to_triton(a_card)
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    card.known_to_triton.cache_clear()
    assert card.known_to_triton(a_card)


def test_what_does_not_compile_is_said_once_and_left_to_pytorch(a_card, monkeypatch):
    def broken(device):
        raise RuntimeError("Failed to find C compiler.\nPlease specify one")

    monkeypatch.setattr(launches, "probe", broken)
    with pytest.warns(UserWarning, match=r"compiled here \(Failed to find C compiler\.\)"):
        assert not card.known_to_triton(a_card)
    with warnings.catch_warnings(action="error"):
        assert not card.known_to_triton(a_card)


def test_a_triton_without_products_in_float64_is_too_old(a_card, monkeypatch):
    monkeypatch.setattr(launches.triton, "__version__", "3.4.1")
    with pytest.warns(UserWarning, match=r"Triton 3\.4\.1 is older than 3\.5"):
        assert not card.known_to_triton(a_card)


def test_more_runs_than_a_launch_has_rows_and_more_numbers_than_32_bits_are_left_to_pytorch():
    one = random_population((2,), dtype=torch.float32)
    most = one.select(torch.zeros(2**16 - 1, dtype=torch.int64))
    assert card.fits(most, 2)
    assert not card.fits(one.select(torch.zeros(2**16, dtype=torch.int64)), 2)

    def of(contexts):
        fields = ("context_index", "weights", "normaliser", "entropy")
        return replace(one, **{name: getattr(one, name)[:, :1].expand(1, contexts) for name in fields})

    assert card.fits(of(2**27 - 64), 15)
    assert not card.fits(of(2**27 - 64), 16)
    assert not card.fits(of(2**27 - 63), 15)  # filled up to whole blocks


def test_the_probe_runs_a_kernel_and_complains_of_what_is_wrong_with_it(monkeypatch):
    launches.probe(torch.device("cpu"))
    monkeypatch.setattr(launches, "OLDEST", (99, 0))
    with pytest.raises(RuntimeError, match=r"is older than 99\.0"):
        launches.probe(torch.device("cpu"))
    monkeypatch.undo()

    class Idle:
        def __getitem__(self, grid):
            return lambda numbers, out, *_, **__: out.fill_(3.0)

    monkeypatch.setattr(launches.tile, "add_parts", Idle())
    with pytest.raises(RuntimeError, match=r"expected a sum of 2, got 3\.0"):
        launches.probe(torch.device("cpu"))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 30.0])
@pytest.mark.parametrize("name", ["trained", "zeros, masks, padding", "several states"])
def test_judged_gradients_are_those_of_the_residuals(name, scale):
    sizes, dim, _, more = WORLDS[name]
    population = random_population(sizes, **more)
    f, g = random_tables(population, dim, scale)
    found = CardResiduals(Packed.of(population), dim).gradient(f, g)
    expected = Residuals(population).gradient(f, g)
    torch.testing.assert_close(found.excess_loss, expected.excess_loss, rtol=1e-12, atol=0)
    for table in ("embedding", "unembedding"):
        one, two = getattr(found, table), getattr(expected, table)
        assert (one - two).norm() <= 1e-13 * two.norm()


def test_small_losses_keep_their_digits():
    """A coin whose log-odds are off by a little: half of p(1-p) times its square, in one context of three."""
    population = random_population((2,), uniform=True)
    f, g = random_tables(population, 2)
    log_odds = population.joint[0].log()
    off = 1e-7
    f[0] = torch.tensor([[60.0, 0.0], [-60.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    g[0] = torch.stack([torch.tensor([0.5, -0.5], dtype=torch.float64), log_odds], 1)
    g[0, 0, 1] += off
    found = CardResiduals(Packed.of(population), 2).gradient(f, g).excess_loss
    variance = population.joint[0].prod()
    expected = (variance * off**2 / 2) / 3
    assert abs(found.item() - expected.item()) < 1e-6 * expected


def test_targets_that_are_counted_or_stored_go_through_the_passes():
    true = random_population((2,) * 3, 2)
    draws = [torch.Generator().manual_seed(run) for run in range(2)]
    pairs = Dataset.of(true, 40, generators=draws)
    counted = EmpiricalPopulation.of_pairs(true, pairs.contexts, pairs.tokens).to(dtype=torch.float32)
    sparse = sampled_world(concept_model(20, probability=0.1), samples=12, generator=draws[0])
    for population in (counted, Population.of([sparse], dtype=torch.float32)):
        assert Packed.of(population) is None
        f, g = random_tables(population, 3)
        found = table_gradients(population, f, g, method="kernels")
        expected = table_gradients(population.to(dtype=torch.float64), f.double(), g.double(), method="dense")
        for one, two in zip(found, expected, strict=True):
            assert (one.double() - two).norm() < 1e-6 * two.norm()
