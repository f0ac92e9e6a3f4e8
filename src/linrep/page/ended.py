"""How runs ended: a row for each way, with what it was judged by; and the levels its loss is held against."""

import math
from collections.abc import Sequence

import numpy as np

from linrep.page.numbers import ABSENT, capital, count, short
from linrep.page.shell import Block
from linrep.page.view import View
from linrep.runs.spreadsheet import to_csv
from linrep.runs.summary import END_WORDS

HEAD = (
    "how",
    "runs",
    "excess loss",
    "converged up to",
    "floor",
    "rate",
    "gradient",
    "norm",
    "time",
    "at step",
)


def levels(view: View) -> list[tuple[str, str, float]]:
    """What excess loss is held against: name, colour and nats, medians over runs.

    Args:
        view: Of a run.
    """
    ended, price = view.summary.ended, view.summary.price_of_linearity_nats
    found = [
        ("converged up to here", "--good", _median(ended.target_nats)),
        ("price of linearity", "--predicted", None if price is None else price.median),
        ("floor of this width", "--poor", _median(ended.floor_nats)),
    ]
    return [(name, colour, level) for name, colour, level in found if level is not None and level > 0]


def blocks(view: View) -> list[Block]:
    """The table; nothing where it was not measured."""
    ended, ending = view.summary.ended, view.summary.ending
    if ending is None or not any(ended.per_run):
        return []
    nothing = (None,) * view.runs
    columns = {
        "excess": view.summary.final.excess_loss_nats.per_run,
        "target": ended.target_nats,
        "floor": ended.floor_nats,
        "best": ended.best_nats,
        "rate": ended.rate,
        "gradient": ending.gradient_nats.per_run,
        "norm": ending.norm.per_run,
        "time": nothing if ending.time is None else ending.time.per_run,
        "ridge": nothing if ending.ridge is None else ending.ridge.per_run,
        "step": ending.ended_at,
    }
    shown = [name for name in columns if name not in ("best", "ridge")]
    rows: list[list[str]] = []
    for word in END_WORDS:
        runs = [run for run, each in enumerate(ended.per_run) if each == word]
        if runs:
            medians = [_median([columns[name][run] for run in runs]) for name in shown]
            rows.append([word, count(len(runs)), *(ABSENT if m is None else short(m) for m in medians)])
    lines = [[run, ended.per_run[run], *(columns[name][run] for name in columns)] for run in range(view.runs)]
    ridge = "" if ending.ridge is None else f" The ridge ended at {short(ending.ridge.median)} (median)."
    return [
        Block(
            id="ended",
            kind="table",
            title="How runs ended",
            caption=f"Medians. {capital(ended.criterion)}. Losses and gradient in nats; gradient: its norm "
            "times that of both tables; rate: d ln(excess loss) / d ln(time) over the last e-fold of time, "
            f"the sum of step sizes; at step: where what was asked for was reached.{ridge}",
            columns=HEAD,
            rows=rows,
            download=("ended.csv", to_csv(["run", "ended", *columns], lines)),
        )
    ]


def _median(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.median(found)) if found else None
