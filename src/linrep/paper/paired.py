"""Runs that come in pairs: one world and one start under several trainings, compared run by run."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.intervals import Effect, Range, average, jackknife_interval
from linrep.sweeps.numbers import Numbers

Key = tuple[str, str]
"""(measure, table)."""


def converged_runs(cell: Numbers) -> list[int]:
    """The numbers of a cell's runs that converged."""
    frame = cell.frame
    return sorted(int(run) for run in set(frame["run"][frame["ended"] == "converged"]))


def of_runs(
    cells: Sequence[Numbers], key: Key, runs: Sequence[int], *, kind: str = "value"
) -> Float64[Tensor, "cells runs"]:
    """A measure at the end of each cell, in these runs; NaN where a run has none.

    Args:
        cells: Each of one cell.
        key: Measure and table.
        runs: Their numbers.
        kind: "value" or "null".
    """
    found = np.full((len(cells), len(runs)), np.nan)
    for row, cell in enumerate(cells):
        frame: Any = cell.frame
        chosen = (frame["measure"] == key[0]) & (frame["table"] == key[1]) & (frame["kind"] == kind)
        last = frame[chosen & frame["last"]]
        known = dict(zip(last["run"], last["value"], strict=True))
        found[row] = [known.get(run, np.nan) for run in runs]
    return torch.from_numpy(found)


def by_run(cell: Numbers, measure: str, table: str = "", *, kind: str = "value") -> Float64[Tensor, " runs"]:
    """A measure at the end of a cell in each run's place; NaN where a run did not converge.

    Args:
        cell: One cell.
        measure: As in the trace.
        table: "embedding", "unembedding" or "".
        kind: "value" or "null".
    """
    runs = converged_runs(cell)
    found = torch.full((max(runs, default=-1) + 1,), torch.nan, dtype=torch.float64)
    found[runs] = of_runs([cell], (measure, table), runs, kind=kind)[0]
    return found


def stacked(
    cells: Sequence[Numbers], measure: str, table: str = "", *, kind: str = "value"
) -> Float64[Tensor, "cells runs"]:
    """:func:`by_run` of several cells; NaN too where one has fewer runs."""
    rows = [by_run(cell, measure, table, kind=kind) for cell in cells]
    if not rows:
        return torch.zeros(0, 0, dtype=torch.float64)
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=torch.nan)


def mean_difference(first: Float64[Tensor, " runs"], second: Float64[Tensor, " others"]) -> Effect:
    """Of what :func:`by_run` gives for two cells, over the runs that both have.

    Args:
        first: One number per run, NaN where there is none.
        second: Of the same runs, as far as both go.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 3.0, 4.0, torch.nan], dtype=torch.float64)
        >>> mean_difference(x + 1, x)
        Effect(value=1.0, interval95=(1.0, 1.0), runs=(4,))
    """
    runs = min(len(first), len(second))
    return average(first[:runs] - second[:runs])


def geometric_mean(values: Float64[Tensor, " runs"]) -> Effect:
    """Of ratios, one a run, with the interval of the mean of their logarithms; NaN is left out.

    Args:
        values: Positive.

    Example:
        >>> round(geometric_mean(torch.tensor([0.5, 2.0, 0.5, 2.0], dtype=torch.float64)).value, 9)
        1.0
    """
    logs = average(values.log())
    ends = None if logs.interval95 is None else (math.exp(logs.interval95[0]), math.exp(logs.interval95[1]))
    return Effect(value=math.exp(logs.value), interval95=ends, runs=logs.runs)


def paired_difference(first: Numbers, second: Numbers, measure: str, table: str = "") -> Effect:
    """Mean over runs that converged in both cells of the first's number less the second's.

    Args:
        first: One cell.
        second: Another, whose runs begin in the same worlds.
        measure: As in the trace.
        table: "embedding", "unembedding" or "".
    """
    return mean_difference(by_run(first, measure, table), by_run(second, measure, table))


def growth_exponent(
    x: Float64[Tensor, "cells runs"], y: Float64[Tensor, "cells runs"], within: Range | None = None
) -> Effect:
    r"""Slope of :math:`\ln \bar y` on :math:`\ln \bar x` over cells, bars over runs, by leaving runs out.

    Naively: ``np.polyfit(np.log(x.mean(1)), np.log(y.mean(1)), 1)[0]``.

    Args:
        x: Positive; of each cell, in the same runs.
        y: Positive.
        within: Where it can be; anywhere by default.

    Returns:
        The exponent a of y ∝ x^a, with the jackknife's interval; NaN without two cells.

    Example:
        >>> x = torch.arange(1.0, 5.0, dtype=torch.float64)[:, None].expand(4, 6)
        >>> round(growth_exponent(x, 3 * x**-0.5).value, 12)
        -0.5
    """
    sound = (torch.isfinite(x) & torch.isfinite(y)).all(0)
    x, y = x[:, sound], y[:, sound]
    cells, runs = x.shape
    if cells < 2 or not runs:
        return Effect(value=float("nan"), interval95=None, runs=(runs,))
    value = float(_slope(x.mean(1, keepdim=True), y.mean(1, keepdim=True)))
    if runs < 2:
        return Effect(value=value, interval95=None, runs=(runs,))
    left_out = _slope(*((each.sum(1, keepdim=True) - each) / (runs - 1) for each in (x, y)))
    interval = jackknife_interval(value, [left_out], *(() if within is None else (within,)))
    return Effect(value=value, interval95=interval, runs=(runs,))


def _slope(x: Tensor, y: Tensor) -> Float64[Tensor, " columns"]:
    x, y = x.log(), y.log()
    about = x - x.mean(0)
    return (about * y).sum(0) / about.square().sum(0)
