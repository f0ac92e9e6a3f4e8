"""What is replayed on a card asks nothing of the host; kernels take the tables of the device they are on.

Triton's interpreter runs the kernels, on the second device of the tests.
"""

import os

import pytest
import torch

pytest.importorskip("triton")
if os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("a card is here: test_gpu.py", allow_module_level=True)

from triton.runtime import interpreter

from linrep.laboratory.run import run
from linrep.seeds import generator
from linrep.training.monotone import Monotone
from linrep.training.replayed import BEFORE, Replayed
from linrep.training.schedule import schedule
from linrep.training.state import start
from linrep.training.training import train
from tests.support.populations import random_population
from tests.support.second_device import DEVICE, SecondDevice

# Of the numpy that interprets.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")


@pytest.fixture
def device(monkeypatch):
    """One that has kernels, whose interpreter is no part of what is counted."""
    monkeypatch.setattr("linrep.population.card.known_to_triton", lambda device: device == DEVICE)
    plain = interpreter.GridExecutor.__call__

    def launched(self, *args, **kwargs):
        with torch._C.DisableTorchFunction():
            return plain(self, *args, **kwargs)

    monkeypatch.setattr(interpreter.GridExecutor, "__call__", launched)
    return SecondDevice()


@pytest.fixture
def asked(device, monkeypatch):
    """What each call that a card would replay asked of the host."""
    counts = []

    def called(self):
        before = device.crossings()
        self.call()
        self.calls += 1
        if self.calls > BEFORE:
            counts.append(device.crossings() - before)

    monkeypatch.setattr(Replayed, "__call__", called)
    return counts


WORLDS = {
    "complete": ((2,) * 3, {"runs": 2}),
    "zeros, masks, padding": (
        (2,) * 3,
        {"runs": 3, "zeros": 0.3, "fewer_tokens": 1, "fewer_contexts": 3},
    ),
    "several states": ((3, 4), {"runs": 2}),
}


def trained(population, optimizer, *, judged=False):
    state = start(
        population,
        3,
        init_scale=0.3,
        optimizer=optimizer,
        generators=[generator(3, "start", number) for number in range(population.runs)],
        order=generator(0, "order"),
    )
    if judged:
        state.adaptive = Monotone.fresh(population.runs, population.device)
    rate = schedule("constant", 0.02 if optimizer == "adam" else 0.5, 6)
    for _ in train(population, state, optimizer=optimizer, schedule=rate, steps=6):
        pass
    return state


@pytest.mark.parametrize(
    ("rule", "large", "world"),
    [
        *(("gd", large, world) for large in (False, True) for world in WORLDS),
        ("adam", False, "several states"),
        ("adam", True, "zeros, masks, padding"),
        ("judged", False, "zeros, masks, padding"),
    ],
)
def test_a_step_that_is_replayed_asks_nothing_of_the_host(rule, large, world, device, asked, monkeypatch):
    monkeypatch.setattr("linrep.training.on_card.MOST_TOKENS", 0)  # else whole stretches are one launch
    if large:
        monkeypatch.setattr("linrep.population.card.MOST_OF_A_TILE", 0)
    sizes, case = WORLDS[world]
    population = random_population(sizes, dtype=torch.float32, **case)
    optimizer = "adam" if rule == "adam" else "gd"
    expected = trained(population, optimizer, judged=rule == "judged")
    assert asked == []  # the CPU replays nothing
    with device:
        found = trained(population.to(device=DEVICE), optimizer, judged=rule == "judged")
        ends = [each.cpu() for each in found.trained]
    assert asked == [0] * (6 - BEFORE)
    for one, two in zip(ends, expected.trained, strict=True):
        assert (one - two).norm() < 1e-5 * two.norm()


def test_what_asks_the_host_is_found_out(device, asked):
    with device:
        table = torch.ones(3, device=DEVICE)
        for call in (lambda: table.sum().item(), table.cpu, lambda: torch.ones(3).to(DEVICE)):
            step = Replayed(call, DEVICE)
            for _ in range(BEFORE + 1):
                step()
    assert asked == [1, 1, 1]


@pytest.mark.parametrize(
    "training",
    [
        {"optimizer": "gd", "step_size": 1.0},
        {"optimizer": "adam"},
        {"optimizer": "gd", "step_size": "auto"},
        {"optimizer": "sgd", "stream": "own", "batch_size": 20},
    ],
    ids=lambda training: "-".join(map(str, training.values())),
)
def test_a_whole_run_by_kernels_ends_where_the_cpus_does(training, device):
    fields = {
        "runs": 2,
        "world": {"kind": "random", "concepts": 3},
        "training": training | {"steps": 6, "snapshots": 2},
        "tokens": {"kind": "fraction", "fraction": 0.8, "per_run": True},
        "measure": {"null_draws": 2},
    }
    expected = run(fields)
    with device:
        found = run(fields | {"compute": {"device": "xpu"}})
    for one, two in (
        (found.embedding, expected.embedding),
        (found.unembedding, expected.unembedding),
    ):
        assert (one - two).norm() < 1e-5 * two.norm()
