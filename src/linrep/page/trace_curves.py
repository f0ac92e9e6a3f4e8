"""What the traces show of each measure: its quantiles over runs, single lines, null and prediction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linrep.page.view import View
from linrep.runs.summary import Key

THIN_LINES = 32
"""Single runs or concepts drawn: the first ones."""
TABLES = ("unembedding", "embedding", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How one measure of the trace is drawn."""

    name: str
    title: str
    axis: str
    log: bool = False
    bounds: tuple[float, float] | None = None
    folded: bool = False
    """Not looked at first."""


MEASURES = (
    Measure(name="linearity", title="Linearity", axis="mean cosine", bounds=(-0.08, 1.05)),
    Measure(name="alignment", title="Alignment of f with g", axis="mean cosine", bounds=(-0.08, 1.05)),
    Measure(
        name="orthogonality.mean_directions",
        title="Overlap, mean directions",
        axis="mean |cosine|",
        bounds=(-0.03, 1.03),
    ),
    Measure(
        name="orthogonality.rms",
        title="Overlap, all vectors",
        axis="RMS cosine",
        bounds=(-0.03, 1.03),
        folded=True,
    ),
    Measure(name="additive_share", title="Additive share", axis="share of energy", bounds=(-0.03, 1.05)),
    Measure(name="excess_loss_nats", title="Excess loss", axis="nats", log=True),
    Measure(name="log_odds_gap_nats", title="Log-odds gap", axis="RMSE, nats"),
    Measure(name="margin", title="Margin of known concepts", axis="logit difference, nats", folded=True),
    Measure(name="gauge_imbalance", title="Gauge imbalance", axis="relative", folded=True),
    Measure(
        name="simplex_share",
        title="Energy within simplices",
        axis="share of energy",
        bounds=(-0.03, 1.05),
    ),
    Measure(
        name="simplex_deviation_degrees",
        title="Angles of simplices",
        axis="degrees off the regular",
        folded=True,
    ),
    Measure(
        name="hierarchy_overlap",
        title="Parent with child − parent",
        axis="mean |cosine|",
        bounds=(-0.03, 1.03),
    ),
)
"""A world has the last three where a concept has more than two states, or is nested in another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One table's values of one measure."""

    table: str
    steps: NDArray[np.float64]
    converged: NDArray[np.float64] | None
    """[3, steps]: 10 % quantile, median and 90 % quantile over the runs that converged."""
    others: NDArray[np.float64] | None
    """The same over those that did not."""
    thin: Sequence[tuple[str, NDArray[np.float64]]]
    """Each run, or each concept when there is one run; of many the first."""
    null: NDArray[np.float64] | None
    predicted: NDArray[np.float64] | None
    """Along the steps, NaN where theory gives none: a level, or a rate late in training."""


def curves(view: View, measure: Measure) -> list[Curve]:
    """The curves of one panel, unembedding first."""
    rows = view.trace[view.trace["measure"] == measure.name]
    found: list[Curve] = []
    for table in TABLES:
        mine = rows[rows["table"] == table]
        values = mine[mine["kind"] == "value"]
        over = values[values["concept"] == ""]
        if over.empty:
            continue
        wide = over.pivot_table(index="step", columns="run", values="value", dropna=False)
        steps = wide.index.to_numpy(dtype=np.float64)
        converged = [run for run in wide.columns if view.converged[int(run)]]
        others = [run for run in wide.columns if view.others[int(run)]]
        null = mine[(mine["kind"] == "null") & (mine["concept"] == "")].groupby("step")["value"].median()
        found.append(
            Curve(
                table=table,
                steps=steps,
                converged=_quantiles(wide[converged].to_numpy(dtype=np.float64)),
                others=_quantiles(wide[others].to_numpy(dtype=np.float64)),
                thin=_thin(wide, values, view),
                null=_along(null, steps),
                predicted=_predicted(view, (measure.name, table), steps),
            )
        )
    return found


def _quantiles(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    if not values.shape[1]:
        return None
    safe = np.where(np.isfinite(values), values, np.nan)
    with np.errstate(all="ignore"):
        empty = np.isnan(safe).all(axis=1)
        safe[empty] = 0.0
        quantiles = np.nanquantile(safe, [0.1, 0.5, 0.9], axis=1)
    quantiles[:, empty] = np.nan
    return quantiles


def _thin(wide: Any, values: Any, view: View) -> list[tuple[str, NDArray[np.float64]]]:
    if view.runs > 1:
        some = list(wide.columns)[:THIN_LINES]
        return [
            (f"run {run}{view.unlike_converged(int(run))}", wide[run].to_numpy(dtype=np.float64))
            for run in some
        ]
    concepts = values[values["concept"] != ""]
    if concepts.empty:
        return []
    each = concepts.pivot_table(index="step", columns="concept", values="value", dropna=False)
    each = each.reindex(wide.index)
    some = [name for name in view.names if name in each][:THIN_LINES]
    return [(str(name), each[name].to_numpy(dtype=np.float64)) for name in some]


def _predicted(view: View, key: Key, steps: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """A level holds at all steps, a rate at its own."""
    level = view.level(*key)
    if level is not None:
        return np.full(len(steps), level)
    rate = dict(view.beside.rates.get(key, ())) if view.beside is not None else {}
    return np.array([rate.get(int(step), np.nan) for step in steps]) if rate else None


def _along(null: Any, steps: NDArray[np.float64]) -> NDArray[np.float64] | None:
    if null.empty:
        return None
    at, level = null.index.to_numpy(dtype=np.float64), null.to_numpy(dtype=np.float64)
    return np.interp(steps, at, level)
