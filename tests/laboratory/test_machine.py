"""What linrep tells the machine before it trains."""

import platform
import subprocess
import sys

import pytest
import torch

from linrep.laboratory import build as laboratory
from linrep.laboratory.machine import device_for, require_device
from linrep.runs.toml import parse

# In a process of its own, which no other test has told anything.
PROGRAM = """
import ctypes
import resource
from linrep.laboratory.machine import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        tables = [b"1" * 2**23 for _ in range(6)]
        del tables
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() / 2**23 / 60

ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # no transparent huge pages, of which a few would hold everything
first = faults()
keep_freed_memory()
faults()
print(first, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_freed_tables_are_used_again() -> None:
    """The share of all pages that the system cleared anew: most before it is told, next to none after."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    before, after = map(float, done.stdout.split())
    assert before > 0.3
    assert after < 0.1


def resolved(dtype: str = "float32", **training: object) -> str:
    config = parse(
        {
            "world": {"kind": "chain", "concepts": 5},
            "runs": 100,
            "training": {"optimizer": "gd", "step_size": 1.0, "steps": 100_000, **training},
            "compute": {"device": "auto", "dtype": dtype},
        }
    )
    one = config.model_copy(update={"runs": 1})
    return laboratory.resolve(config, laboratory.worlds(one)).compute.device


def test_auto_is_a_card_where_there_is_one_and_kernels_take_much_of_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_device("auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolved() == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolved() == "cuda"
    assert resolved(steps=100) == "cpu"
    assert resolved("float64") == "cpu"
    assert resolved(step_size="auto") == "cuda"
    assert resolved(optimizer="sgd") == "cpu"
    assert resolved(optimizer="sgd", stream="own", steps=1_000_000) == "cuda"
    assert device_for("cpu", 1e15) == "cpu"
