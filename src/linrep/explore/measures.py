"""What the curves show: each measure of a look, its null, and the limit that theory predicts for it."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from torch import Tensor

from linrep.errors import InputError
from linrep.explore.setting import Setting
from linrep.geometry.record import MEAN_DIRECTIONS
from linrep.laboratory.comparison import levels, limit_of
from linrep.runs.toml import parse
from linrep.runs.trace import Series
from linrep.theory.price import Price, price_of_linearity


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line in a chart."""

    name: str
    """As the trace names it, with its table: "linearity.unembedding"."""
    measure: str
    table: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """(measure, table)."""
        return self.measure, self.table


def _curve(measure: str, table: str = "") -> Curve:
    return Curve(name=f"{measure}.{table}".rstrip("."), measure=measure, table=table)


CURVES = (
    _curve("linearity", "unembedding"),
    _curve("linearity", "embedding"),
    _curve("alignment"),
    _curve(MEAN_DIRECTIONS, "unembedding"),
    _curve("log_odds_gap_nats"),
    _curve("excess_loss_nats"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One number; None where there is none."""

    value: float | None
    null: float | None


def measured(row: Mapping[Series, Tensor]) -> dict[str, Measured]:
    """The numbers of a look, means over concepts, by the name of their curve.

    Args:
        row: By :meth:`linrep.explore.course.Course.look`, of one run.

    Example:
        >>> import torch
        >>> found = measured({Series("alignment"): torch.tensor([[0.5, 0.7]], dtype=torch.float64)})
        >>> round(found["alignment"].value, 3), found["alignment"].null
        (0.6, None)
    """
    return {
        curve.name: Measured(
            value=_mean(row.get(Series(curve.measure, curve.table))),
            null=_mean(row.get(Series(curve.measure, curve.table, "null"))),
        )
        for curve in CURVES
    }


def _mean(numbers: Tensor | None) -> float | None:
    if numbers is None:
        return None
    found = float(numbers[0].nanmean())
    return found if math.isfinite(found) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What theory says of a world at a width, before a step is made."""

    status: str
    """Of the prediction; "" where there is none."""
    reason: str
    limits: Mapping[str, float] = field(default_factory=dict[str, float])
    """By the name of the curve."""
    price: Price | None = None
    no_price: str = ""
    """Why there is none."""


def ahead(given: Setting) -> Ahead:
    """Prediction and price; a world that theory does not reach is no error, and nothing large is begun.

    Args:
        given: What is trained.

    Example:
        >>> from linrep.explore.setting import FIRST, setting_of
        >>> found = ahead(setting_of(FIRST))
        >>> found.limits["linearity.unembedding"], round(found.price.nats, 12)
        (1.0, 0.0)
    """
    config = given.config
    fields = config.model_dump(mode="json", exclude={"training", "measure", "output"})
    return _ahead(json.dumps(fields, sort_keys=True))


@lru_cache(maxsize=64)
def _ahead(fields: str) -> Ahead:
    from linrep.laboratory.build import worlds

    config = parse(json.loads(fields))
    built = worlds(config)
    prediction, reason = limit_of(config, built)
    known = {} if prediction is None or prediction.geometry is None else levels(prediction.geometry)
    price, no_price = None, ""
    try:
        price = price_of_linearity(built[0])
    except InputError as error:
        no_price = str(error)
    return Ahead(
        status="" if prediction is None else prediction.status,
        reason=reason,
        limits={curve.name: known[curve.key] for curve in CURVES if curve.key in known},
        price=price,
        no_price=no_price,
    )
