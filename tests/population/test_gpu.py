"""On CUDA the numbers of the CPU, if there is one: ``pytest -m gpu tests/population/test_gpu.py``."""

from operator import attrgetter

import pytest
import torch

from linrep import run
from linrep.population.card import usable
from linrep.population.excess_loss import accurate_excess_loss
from linrep.population.gradient import Population, population_gradient, table_gradients
from linrep.seeds import generator
from linrep.training.encoder import encoder
from linrep.training.monotone import Monotone
from linrep.training.schedule import schedule
from linrep.training.state import start
from linrep.training.training import train
from linrep.worlds.concepts import random_dag
from linrep.worlds.contexts import world
from tests.support.populations import random_population, random_tables, worst

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module", autouse=True)
def _a_device_is_here():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.mark.parametrize("method", ["dense", "fused"])
@pytest.mark.parametrize(("dtype", "relative"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("case", [{}, {"runs": 3, "zeros": 0.3, "fewer_tokens": 2, "fewer_contexts": 5}])
def test_a_gradient_is_the_cpus(case, dtype, relative, method):
    population = random_population((2,) * 5, dtype=dtype, **case)
    f, g = random_tables(population, 4)
    there = population_gradient(population.to(device="cuda"), f.cuda(), g.cuda(), method=method)
    here = population_gradient(population.to(dtype=torch.float64), f.double(), g.double(), method="dense")
    for name in ("excess_loss", "embedding", "unembedding"):
        expected = getattr(here, name)
        found = getattr(there, name).cpu().double()
        assert (found - expected).norm() <= relative * expected.norm()


@pytest.mark.parametrize(
    ("sizes", "dim", "case"),
    [
        ((2,) * 5, 5, {}),
        ((2,) * 9, 9, {}),
        ((2,) * 10, 64, {}),
        ((2,) * 7, 24, {"runs": 3, "zeros": 0.3, "fewer_tokens": 5, "fewer_contexts": 9}),
        ((3, 2, 4, 3, 5, 2), 7, {"runs": 2, "fewer_tokens": 5}),
    ],
)
@pytest.mark.parametrize("spread", [0.01, 5.0])
def test_kernels_are_within_their_budget(sizes, dim, case, spread):
    """Fresh, and with logits of so large a standard deviation."""
    population = random_population(sizes, dtype=torch.float32, **case)
    f, g = random_tables(population, dim, spread**0.5 * dim**-0.25)
    there = population.to(device="cuda")
    assert usable(there, dim)
    for slopes in (
        table_gradients(there, f.cuda(), g.cuda()),
        attrgetter("embedding", "unembedding")(population_gradient(there, f.cuda(), g.cuda())),
    ):
        assert worst(population, f, g, [each.cpu() for each in slopes]) < 1e-6


@pytest.mark.parametrize("optimizer", ["gd", "adam", "sgd"])
@pytest.mark.parametrize(("concepts", "runs"), [(3, 7), (5, 40), (7, 1), (7, 300), (8, 2), (9, 1)])
def test_steps_by_kernels_end_where_float64_does(concepts, runs, optimizer):
    one = random_population((2,) * concepts)
    require_equal_ends(one.select(torch.zeros(runs, dtype=torch.int64)), concepts, optimizer)


@pytest.mark.parametrize("optimizer", ["gd", "adam", "sgd", "judged"])
@pytest.mark.parametrize(
    ("sizes", "case"),
    [
        ((2,) * 7, {"runs": 3, "zeros": 0.3, "fewer_tokens": 5, "fewer_contexts": 9}),
        ((2,) * 9, {"runs": 2, "zeros": 0.1, "fewer_tokens": 50, "fewer_contexts": 99}),
        ((3, 2, 4, 3, 5, 2), {"runs": 2, "fewer_tokens": 5}),
    ],
)
def test_so_do_they_in_worlds_that_are_not_complete(sizes, case, optimizer):
    require_equal_ends(random_population(sizes, **case), 7, optimizer)


def require_equal_ends(population, dim, optimizer):
    """Forty steps in float64, in float32 as PyTorch takes them, and on a card."""
    runs, narrow = population.runs, population.to(dtype=torch.float32)
    rate = schedule("geometric", 0.02 if optimizer == "adam" else 1.0, 40, 0.01)
    kind = "gd" if optimizer == "judged" else optimizer
    ends = []
    for moved in (population, narrow, narrow.to(device="cuda")):
        state = start(
            moved,
            dim,
            init_scale=0.1,
            optimizer=kind,
            generators=[generator(0, "start", each) for each in range(runs)],
            order=generator(0, "order"),
        )
        if optimizer == "judged":
            state.adaptive = Monotone.fresh(runs, moved.device)
        keys = [run + 2**63 for run in range(runs)] if kind == "sgd" else None
        for _ in train(moved, state, optimizer=kind, schedule=rate, steps=40, batch_size=100, keys=keys):
            pass
        ends.append([each.cpu().double() for each in state.trained])
    for expected, plain, found in zip(*ends, strict=True):
        # Adam makes much of little: where a gradient is rounding, so is its step. That, plain float32 shows.
        allowed = 2e-6 * expected.norm() + 3 * (plain - expected).norm()
        assert (found - expected).norm() < allowed < 1e-3 * expected.norm()


def test_the_accurate_loss_is_the_cpus():
    population = random_population((2,) * 4, 2, zeros=0.2)
    f, g = random_tables(population, 3)
    there = accurate_excess_loss(population.to(device="cuda"), f.cuda(), g.cuda()).cpu()
    torch.testing.assert_close(there, accurate_excess_loss(population, f, g))


@pytest.mark.parametrize("kind", ["table", "mlp", "transformer"])
@pytest.mark.parametrize("optimizer", ["gd", "sgd", "adam"])
def test_fifty_steps_end_where_the_cpus_do(optimizer, kind):
    model = random_dag(3, edge_probability=0.5, probability_range=(0.3, 0.7), generator=generator(1, "world"))
    ends = []
    for device in ("cpu", "cuda"):
        population = Population.of([world(model)] * 2, dtype=torch.float64, device=device)
        made = encoder(
            kind,
            population.context_index,
            population.sizes,
            3,
            init_scale=0.1,
            width=8,
            layers=1,
            heads=2,
            dtype=population.dtype,
        )
        state = start(
            population,
            3,
            init_scale=0.1,
            optimizer=optimizer,
            generators=[generator(0, "start", each) for each in range(2)],
            order=generator(0, "order"),
            encoder=made,
        )
        rate = schedule("constant", 0.01 if optimizer == "adam" else 0.5, 50)
        for _ in train(population, state, optimizer=optimizer, schedule=rate, steps=50, batch_size=16):
            pass
        ends.append(state.unembedding.cpu())
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-8, atol=1e-8)


def test_a_whole_run(tmp_path):
    result = run(
        {
            "seed": 0,
            "runs": 2,
            "world": {"kind": "network", "network": "asia"},
            "training": {"optimizer": "gd", "steps": 20, "snapshots": 4},
            "compute": {"device": "cuda"},
        },
        out=tmp_path,
    )
    assert result.embedding.device.type == "cpu"
    assert torch.isfinite(result.unembedding).all()


def test_fourteen_concepts_in_one_card():
    """4.8 million contexts and 16,384 tokens: memory grows with the contexts, never with the logits."""
    if torch.cuda.get_device_properties(0).total_memory < 16 * 2**30:
        pytest.skip("a card of 16 GiB or more is wanted")
    model = random_dag(
        14, edge_probability=0.3, probability_range=(0.3, 0.7), generator=generator(1, "world")
    )
    population = Population.of([world(model)], dtype=torch.float32, device="cuda")
    draw = generator(0, "start")
    f = (0.1 * torch.randn(1, population.weights.shape[1], 14, generator=draw)).cuda()
    g = (0.1 * torch.randn(1, 2**14, 14, generator=draw)).cuda()
    torch.cuda.reset_peak_memory_stats()
    found = population_gradient(population, f, g)
    assert torch.isfinite(found.excess_loss).all()
    assert torch.cuda.max_memory_allocated() < 16 * 2**30
