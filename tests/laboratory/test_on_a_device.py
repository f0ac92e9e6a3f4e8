"""A run on a device is measured there: by the CPU's numbers, without its tables on the host.

The second device of these tests refuses tensors of the host as a card does, and writes down what crosses.
"""

from dataclasses import replace

import pytest
import torch

from linrep.laboratory.build import worlds
from linrep.laboratory.gauge import gauge_record
from linrep.laboratory.ruler import BatchRuler
from linrep.laboratory.run import run
from linrep.laboratory.summary import measured
from linrep.laboratory.turning import directions
from linrep.population.population import Population
from linrep.runs.toml import parse
from linrep.seeds import generator
from linrep.training.state import start
from tests.support.second_device import DEVICE, SecondDevice, There

CASES = {
    "one run": {"runs": 1},
    "groups of runs, turned, a shift": {
        "training": {"optimizer": "adam"},
        "contexts": {"kind": "fraction", "fraction": 0.6},
        "tokens": {"kind": "fraction", "fraction": 0.7, "per_run": True},
        "shift": {"step": 2},
    },
    "samples, held out": {
        "training": {"optimizer": "sgd", "stream": "own", "samples": 30},
        "contexts": {"held_out": 0.3},
    },
    "simplices, a network": {
        "world": {"kind": "categorical", "concepts": 2, "states": [3, 2]},
        "model": {"encoder": "mlp"},
        "training": {"until_excess": 0.01},
    },
    "words": {"tokens": {"kind": "words", "of": ["C1", "C2"]}},
    "sparse": {"world": {"kind": "sparse", "concepts": 5, "samples": 12}},
}


def config_of(name, device):
    more = CASES[name]
    fields = {"seed": 0, "runs": 3, "world": {"kind": "random", "concepts": 3}} | more
    training = {"optimizer": "gd", "steps": 4, "snapshots": 2} | more.get("training", {})
    compute = {"dtype": "float64", "device": device}
    return fields | {"training": training, "compute": compute, "measure": {"null_draws": 2}}


def close(found, expected):
    """Whether two records agree in all, and in numbers to rounding."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[key], expected[key]) for key in expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(close, found, expected))
    if isinstance(expected, float):
        return found == pytest.approx(expected, rel=1e-7, abs=1e-9, nan_ok=True)
    return found == expected


@pytest.mark.parametrize("name", CASES)
def test_a_whole_run_is_that_of_the_cpu_and_its_tables_cross_once(name):
    expected = run(config_of(name, "cpu"))
    with SecondDevice() as device:
        found = run(config_of(name, "xpu"))
    drop = {"run", "ended"}  # a key has the device; how it ended is judged at bounds
    assert close(found.summary.model_dump(exclude=drop), expected.summary.model_dump(exclude=drop))
    values = expected.trace["value"].to_numpy()
    assert found.trace["value"].to_numpy() == pytest.approx(values, rel=1e-7, abs=1e-9, nan_ok=True)
    assert device.back[tuple(found.embedding.shape)] == 1
    # The few that are kept for the page, and the last.
    assert device.back[tuple(found.unembedding.shape)] == len(found.snapshot_steps) + 1


@pytest.fixture(scope="module")
def batch():
    """Forty runs of a world each: settings, worlds, and a state."""
    fields = {"runs": 40, "world": {"kind": "random", "concepts": 3}, "measure": {"null_draws": 2}}
    config = parse(fields)
    built = worlds(config)
    draws = [generator(0, "start", number) for number in range(40)]
    population = Population.of(built, dtype=torch.float32)
    state = start(
        population, 3, init_scale=1.0, optimizer="gd", generators=draws, order=generator(0, "order")
    )
    return config.measure, built, state


def moved(state, device):
    """To another device, with one run that has left all numbers."""
    table = state.parameters[0].clone()
    table[7, 0] = torch.nan
    gone = torch.arange(40) == 7
    alive = torch.where(gone, 3, -1)
    return replace(
        state,
        parameters=[table.to(device)],
        unembedding=state.unembedding.to(device),
        diverged_at=alive.to(device),
    )


def test_what_is_measured_is_small_and_nothing_as_long_as_a_table_is_made_on_the_host(batch):
    settings, built, state = batch
    loss, size = torch.zeros(2, 40, dtype=torch.float64)
    with SecondDevice() as device:
        ruler = BatchRuler(built, seed=0, settings=settings, balanced=True, device=DEVICE)
        there = moved(state, DEVICE)

        def everything():
            looks = ruler.observe(there, loss, size)
            tables = ruler.tables(there)
            assert all(type(each) is There for each in tables)
            measured(ruler, *tables, loss, there.alive.cpu())
            gauge_record(ruler, there)
            return [*looks.values(), directions(ruler, there)]

        everything()  # index sets are made once
        device.forget()
        assert all(type(each) is torch.Tensor for each in everything())
        small = 40 * 2 * 3 * 3  # runs × tables × concepts × numbers of a direction
        assert max(torch.Size(shape).numel() for shape in device.back) == small < 40 * 8 * 3
        worked_out = [numbers for _, numbers, drawn in device.made if not drawn]
        assert max(worked_out) <= small
        assert device.waits < 500  # whatever the number of runs


def test_the_second_device_refuses_what_a_card_refuses():
    host = torch.ones(3)
    with SecondDevice() as device:
        there = torch.ones(3, device="xpu")
        assert there.device == DEVICE != host.device
        assert type(there + 1 + host[0]) is There
        assert type(there.mT if there.dim() > 1 else there[:2]) is There
        for refused in (
            lambda: there + host,
            lambda: torch.stack([there, host]),
            lambda: there[torch.tensor([0])],
            lambda: torch.where(there > 0, there, host),
            lambda: torch.rand(3, device=DEVICE, generator=torch.Generator()),
            lambda: there.index_add_(0, torch.tensor([0]), there[:1]),
            lambda: there.sub_(host),
        ):
            with pytest.raises(RuntimeError, match="expected"):
                refused()
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        device.forget()
        assert torch.equal(there.cpu(), host)
        assert device.back == {(3,): 1}
    assert there.tolist() == [1.0, 1.0, 1.0]
