"""Thresholds of experiments that do not judge by intervals yet; goes with the last of them."""

import math
from collections.abc import Iterable

from linrep.paper.record import Standing
from linrep.sweeps.numbers import Numbers

HIGH, FAIR = 0.9, 0.75
SMALL, MIDDLING = 0.05, 0.2
MATCHED = 0.5
"""A log-odds gap of at most this share of predicting zero's counts as matched."""


def converged_else_all(cell: Numbers, measure: str, table: str) -> float:
    """A measure's mean over runs that converged, or over all where none did; NaN where there is no run."""
    there = cell.mean(measure, table, ended="converged")
    return cell.mean(measure, table) if math.isnan(there) else there


def graded(value: float, high: float, fair: float, *, falling: bool = False) -> Standing:
    """Yes from ``high`` on, undecided from ``fair`` on, else no; with ``falling``, up to them."""
    if math.isnan(value):
        return "note"
    if falling:
        value, high, fair = -value, -high, -fair
    return "yes" if value >= high else "undecided" if value >= fair else "no"


def worst(standings: Iterable[Standing]) -> Standing:
    """Of several findings, the one that a claim about all of them can have."""
    order: list[Standing] = ["no", "note", "undecided", "yes"]
    return min(standings, key=order.index)
