"""What emerges against how often it occurs: order, occurrences before emergence, thresholds by checkpoint."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from linrep.llm.history.counts import Frequency
from linrep.llm.history.emerged import Emerged, Look, Quantity, is_beyond
from linrep.llm.history.law import Bracket, Law, law
from linrep.llm.history.order import RankCorrelation, rank_correlation
from linrep.llm.history.threshold import Threshold, threshold
from linrep.seeds import generator


@dataclass(frozen=True, slots=True, kw_only=True)
class AtCheckpoint:
    """One checkpoint: which concepts are directions, against how often they occur."""

    step: int
    rank: RankCorrelation
    """Of linearity with the count."""
    threshold: Threshold
    """The count from which on concepts are directions."""

    def json(self) -> dict[str, Any]:
        """As plain data."""
        return {"step": self.step, "rank": self.rank.json(), "threshold": self.threshold.json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ByFrequency:
    """One quantity of all concepts that occur."""

    quantity: Quantity
    order: RankCorrelation
    """Of the count with how early a concept emerges: 1 if every commoner one is earlier."""
    law: Law | None
    checkpoints: tuple[AtCheckpoint, ...]

    def json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "quantity": self.quantity.words,
            "order": self.order.json(),
            "law": None if self.law is None else self.law.json(),
            "checkpoints": [each.json() for each in self.checkpoints],
        }


def by_frequency(
    looks: Sequence[Look],
    quantity: Quantity,
    emerged: Sequence[Emerged],
    frequencies: Mapping[str, Frequency],
    *,
    seed: int,
) -> ByFrequency | None:
    """Everything about one quantity and the counts; None where fewer than two concepts have both."""
    own = [each for each in emerged if each.quantity == quantity and each.concept in frequencies]
    if len(own) < 2:
        return None
    names = [each.concept for each in own]
    counts = torch.tensor([frequencies[name].count for name in names], dtype=torch.float64)
    steps = torch.tensor([math.inf if each.step is None else each.step for each in own], dtype=torch.float64)
    draw = generator(seed, "emergence", 0)
    return ByFrequency(
        quantity=quantity,
        order=rank_correlation(counts, -steps, generator=draw),
        law=law(brackets(own, frequencies), looks[-1].step),
        checkpoints=tuple(_at(look, quantity, names, counts, seed=seed) for look in looks),
    )


def brackets(emerged: Sequence[Emerged], frequencies: Mapping[str, Frequency]) -> list[Bracket]:
    """Between which checkpoints each concept emerged, with its count."""
    return [
        Bracket(
            count=frequencies[each.concept].count,
            low=0.0 if each.after is None else float(each.after),
            high=math.inf if each.step is None else float(max(each.step, 1)),
        )
        for each in emerged
    ]


def _at(
    look: Look, quantity: Quantity, names: Sequence[str], counts: torch.Tensor, *, seed: int
) -> AtCheckpoint:
    rows = [look.row(quantity, name) for name in names]
    seen = torch.tensor([row is not None for row in rows])
    values = torch.tensor([row.value for row in rows if row is not None], dtype=torch.float64)
    beyond = torch.tensor([is_beyond(row) for row in rows if row is not None], dtype=torch.bool)
    return AtCheckpoint(
        step=look.step,
        rank=rank_correlation(counts[seen], values, generator=generator(seed, "emergence", 1)),
        threshold=threshold(counts[seen], beyond, generator=generator(seed, "emergence", 2)),
    )
