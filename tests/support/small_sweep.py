"""The base config of sweeps whose cells take a moment."""

from typing import Any

BASE: dict[str, Any] = {
    "runs": 2,
    "world": {"kind": "chain", "concepts": 2},
    "training": {"steps": 20, "snapshots": 3, "step_size": 0.5, "optimizer": "gd"},
    "measure": {"bootstrap": 100, "null_draws": 2},
    "compute": {"threads": 1},
}
