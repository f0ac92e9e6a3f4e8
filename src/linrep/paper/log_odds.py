"""Linearity against log-odds through training: each run's times to shares of its own final values."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray
from torch import Tensor

from linrep.intervals import Effect, average
from linrep.page.chart import Series, chart, control, means
from linrep.page.numbers import count, listed, short
from linrep.page.shell import Block
from linrep.paper.effects import Held, above, judged
from linrep.paper.paired import converged_runs
from linrep.paper.record import ALIGNMENT, EXCESS, LINEARITY_G, LOG_ODDS, Answer, Experiment, nothing, percent
from linrep.sweeps.numbers import Numbers, spread

GAP, G = "log_odds_gap_nats", ("linearity", "unembedding")
SHARES = (0.1, 0.5, 0.9)
RULE = (
    "Of each run that converged, the time from which on linearity of g has gone a share of the way from its "
    "first to its own last value, and that of the log-odds RMSE; time is the sum of steps (Adam: their "
    "number), between looks a straight line in its logarithm. “Yes” if at "
    f"{listed([percent(s) for s in SHARES])} of the way and with every method the ratio of the two times, "
    "log-odds over linearity (geometric mean over runs), lies above 1, “no” if one lies below."
)


def answer(numbers: Numbers) -> Answer:
    """Which comes first, by ratios of times."""
    effects: list[Held] = []
    words: list[str] = []
    for method, cell in numbers.each("method"):
        runs = converged_runs(cell)
        if not runs:
            continue
        linear, matched = (_shares(cell, runs, key) for key in (G, (GAP, "")))
        ratios = [_ratio(b - a) for a, b in zip(linear, matched, strict=True)]
        effects += [
            above(f"time of log-odds over time of linearity, {percent(share)}, {method}", ratio, 1.0)
            for share, ratio in zip(SHARES, ratios, strict=True)
        ]
        found = effects[-len(SHARES) :]
        words.append(
            f"{method}: log-odds take {listed([each.measured for each in found])} times as long as linearity "
            f"(half of it at time {_typical(linear[1])})"
        )
    if not effects:
        return nothing(RULE)
    shares = listed([percent(share) for share in SHARES])
    return Answer(
        standing=judged(effects),
        finding=f"to {shares} of the way, {'; '.join(words)}.",
        rule=RULE,
        effects=tuple(effects),
        would_change="A start that is linear already, such as a wide one; or more runs where an interval "
        "straddles 1.",
    )


def times(clock: NDArray[np.float64], values: NDArray[np.float64], share: float) -> Float64[Tensor, " runs"]:
    """The logarithm of the time from which on each run has gone a share of the way to its own last value.

    Args:
        clock: Times of the looks, looks × runs, rising; the first may be 0.
        values: What was seen at them.
        share: Of the way from the first value to the last.

    Returns:
        NaN for a run whose last value is its first.

    Example:
        >>> clock, seen = np.array([[0.0], [1.0], [100.0]]), np.array([[0.0], [0.2], [1.0]])
        >>> round(float(times(clock, seen, 0.6)[0].exp()), 6)
        10.0
    """
    logs = np.log(np.maximum(clock, clock[1] / 2))
    found: list[float] = []
    for at, seen in zip(logs.T, values.T, strict=True):
        way = seen[-1] - seen[0]
        if not np.isfinite(seen).all() or way == 0:
            found.append(math.nan)
            continue
        gone = (seen - seen[0]) / way
        before = int(np.flatnonzero(gone < share)[-1])
        part = (share - gone[before]) / (gone[before + 1] - gone[before])
        found.append(float(at[before] + part * (at[before + 1] - at[before])))
    return torch.tensor(found, dtype=torch.float64)


def _shares(cell: Numbers, runs: list[int], key: tuple[str, str]) -> list[Float64[Tensor, " runs"]]:
    """The logarithms of the times to every share, of these runs."""
    clock, values = _looks(cell, "time", "", runs), _looks(cell, *key, runs)
    return [times(clock, values, share) for share in SHARES]


def _looks(cell: Numbers, measure: str, table: str, runs: list[int]) -> NDArray[np.float64]:
    """Looks × runs; the steps stand in for a time that is not kept."""
    frame: Any = cell.frame
    rows = frame[(frame["measure"] == measure) & (frame["table"] == table) & (frame["kind"] == "value")]
    if measure == "time" and not len(rows):
        steps, _ = cell.over_steps(GAP)
        return np.repeat(steps[:, None].astype(np.float64), len(runs), 1)
    return rows.pivot_table(index="step", columns="run", values="value")[runs].to_numpy(np.float64)


def _ratio(difference: Float64[Tensor, " runs"]) -> Effect:
    """Geometric mean of ratios, from differences of logarithms."""
    found = average(difference)
    interval = found.interval95
    return Effect(
        value=math.exp(found.value) if math.isfinite(found.value) else math.nan,
        interval95=None if interval is None else (math.exp(interval[0]), math.exp(interval[1])),
        runs=found.runs,
    )


def _typical(logs: Float64[Tensor, " runs"]) -> str:
    middle = float(logs.nanmean().exp())
    return count(round(middle)) if middle >= 10 else short(middle)


def figures(numbers: Numbers) -> list[Block]:
    """Both over training, one panel for each method."""
    blocks: list[Block] = []
    for index, (method, cell) in enumerate(numbers.each("method")):
        steps, linearity = cell.over_steps(*G)
        gap = cell.over_steps(GAP)[1] / cell.over_steps(GAP, kind="null")[1]
        _, null = cell.over_steps(*G, kind="null")
        x = steps.tolist()
        lines = [
            Series(
                name="linearity of g", colour="--unembedding", x=x, points=[spread(row) for row in linearity]
            ),
            Series(
                name="log-odds RMSE / that of zero",
                colour="--embedding",
                x=x,
                points=[spread(row) for row in gap],
            ),
            control("random pairs", "--null", x, means(np.nanmean(null, 1).tolist())),
        ]
        blocks.append(
            chart(f"log-odds-{index}", method, lines, x="training step", y="cosine, or ratio", log_x=True)
        )
    return blocks


EXPERIMENT = Experiment(
    name="log-odds", answer=answer, figures=figures, columns=(LINEARITY_G, LOG_ODDS, EXCESS, ALIGNMENT)
)
