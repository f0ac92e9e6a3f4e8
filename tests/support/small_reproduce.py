"""``linrep reproduce`` as its own process, on a cut-down experiment that saves a checkpoint all the time."""

import sys
from dataclasses import replace

from linrep.cli import execute
from linrep.paper import reproduce
from linrep.sweeps.file import Sweep

whole = reproduce.sweep_of


def small(name: str, *, quick: bool = False, device: str | None = None) -> Sweep:
    """Two cells of less than a second; the run's key does not see how often it is saved."""
    sweep = whole(name, quick=quick, device=device)
    base = {**sweep.base, "runs": 2, "output": {"checkpoint_seconds": 0.02}}
    base["training"] = {**dict(base["training"]), "steps": 1200, "snapshots": 40}
    return replace(sweep, base=base)


if __name__ == "__main__":
    reproduce.sweep_of = small
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.exit(execute(["reproduce", "orthogonality", "--quick", "--out", "out", "--quiet"]))
