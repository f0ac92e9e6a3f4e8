"""What linrep tells the machine before it trains."""

import platform
import subprocess
import sys

import pytest

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
