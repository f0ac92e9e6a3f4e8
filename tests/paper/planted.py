"""Numbers of a sweep with a known answer: what each measure is at the end, in every run of every cell."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from linrep.sweeps.numbers import Numbers

STEPS = (0, 10, 100, 1000)
G = ("linearity", "unembedding")
F = ("linearity", "embedding")
ALIGNMENT = ("alignment", "")
OVERLAP = ("orthogonality.mean_directions", "unembedding")
EXCESS = ("excess_loss_nats", "")
GAP = ("log_odds_gap_nats", "")
MARGIN = ("margin", "")

Value = float | Sequence[float]
"""One value for all runs at the end (0 before it), or one for each of STEPS."""
Planted = Value | Callable[[int], Value]
"""Or a value of each run, by its number."""


def scattered(middle: float, width: float) -> Callable[[int], float]:
    """Runs that differ, half of them by ``width`` above the middle and half by as much below."""
    return lambda run: middle + width * (1 - 2 * (run % 2))


def numbers(
    axes: Mapping[str, Sequence[str]],
    cells: Mapping[tuple[str, ...], Mapping[tuple[str, str], Planted]],
    *,
    null: Mapping[tuple[str, str], Planted] | None = None,
    runs: int = 4,
    held: Mapping[tuple[str, ...], int] | None = None,
) -> Numbers:
    """Planted numbers.

    Args:
        axes: Labels of each axis.
        cells: By labels, by (measure, table).
        null: The same null in every cell.
        runs: In every cell.
        held: How many first runs of a cell are on a plateau; the others converged.
    """
    rows: list[dict[str, Any]] = []
    for labels, measures in cells.items():
        coordinates = dict(zip(axes, labels, strict=True))
        many = (held or {}).get(labels, 0)
        words = ["on a plateau" if run < many else "converged" for run in range(runs)]
        known = {EXCESS: 0.001, **measures}
        for kind, source in (("value", known), ("null", null or {})):
            for (measure, table), value in source.items():
                for run in range(runs):
                    rows += [
                        {**coordinates, "step": step, "run": run, "measure": measure, "table": table,
                         "kind": kind, "value": at, "ended": words[run]}
                        for step, at in zip(STEPS, _series(value, run), strict=True)
                    ]  # fmt: skip
    return Numbers.of_frame(pd.DataFrame(rows), axes={name: list(given) for name, given in axes.items()})


def _series(value: Planted, run: int) -> list[float]:
    found = value(run) if callable(value) else value
    return list(found) if isinstance(found, Sequence) else [0.0] * (len(STEPS) - 1) + [found]
