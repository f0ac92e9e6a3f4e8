"""Where a result comes from: versions, machine, seed and time."""

import importlib.metadata
import platform
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

from linrep.runs.config import Config

PACKAGES = ("linrep", "torch", "numpy", "scipy", "pydantic", "pandas", "pgmpy", "cvxpy", "clarabel")


def provenance(config: Config, data_hash: str | None, began: float, *, processes: int = 1) -> dict[str, Any]:
    """Everything needed to run it again, as plain data.

    Args:
        config: Resolved.
        data_hash: SHA-256 of the file it read, if any.
        began: Start of the run, seconds since the epoch.
        processes: How many shared its contexts.
    """
    return {
        "versions": {name: _version(name) for name in PACKAGES} | {"python": platform.python_version()},
        "seed": config.seed,
        "data_sha256": data_hash,
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "threads": config.compute.threads,
            "processes": processes,
            "device": config.compute.device,
        },
        "started": datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
        "seconds": round(max(0.0, time.time() - began), 3),  # a clock may be set back
    }


@cache  # found by reading files, a millisecond each; a sweep asks for every cell
def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
