"""A run on a card is measured there, as the CPU measures it: ``pytest -m gpu tests/laboratory``."""

import pytest
import torch

from linrep.laboratory.ruler import BatchRuler
from linrep.laboratory.run import run
from linrep.laboratory.summary import measured
from tests.laboratory.test_on_a_device import CASES, batch, close, config_of, moved

__all__ = ["batch"]  # a fixture

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module", autouse=True)
def _a_device_is_here():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.mark.parametrize("name", CASES)
def test_a_whole_run_is_that_of_the_cpu(name):
    expected, found = (run(config_of(name, device)) for device in ("cpu", "cuda"))
    drop = {"run", "ended"}  # a key has the device; how it ended is judged at bounds
    assert close(found.summary.model_dump(exclude=drop), expected.summary.model_dump(exclude=drop))
    values = expected.trace["value"].to_numpy()
    assert found.trace["value"].to_numpy() == pytest.approx(values, rel=1e-7, abs=1e-9, nan_ok=True)


def test_forty_runs_are_measured_on_the_card(batch):
    settings, built, state = batch
    records = []
    for device in ("cpu", "cuda"):
        ruler = BatchRuler(built, seed=0, settings=settings, balanced=True, device=device)
        there = moved(state, device)
        tables = ruler.tables(there)
        assert all(table.device.type == device for table in tables)
        records.append(
            measured(ruler, *tables, torch.zeros(40, dtype=torch.float64), there.alive.cpu()).model_dump()
        )
    assert close(*reversed(records))
