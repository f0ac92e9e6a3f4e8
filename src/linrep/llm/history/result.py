"""What a history of checkpoints leaves: every number at every step, and when each concept emerged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from linrep.llm.history.by_frequency import ByFrequency
from linrep.llm.history.counts import Frequency
from linrep.llm.history.emerged import WORDS, Emerged, Look, Quantity
from linrep.llm.history.laboratory import TableHistory
from linrep.llm.result import LMResult
from linrep.runs.tidy import plain, save

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergenceResult:
    """A model measured at every checkpoint.

    `looks` holds the rows of each, in the order of steps; `emerged` when words, contexts at each layer and
    alignment of each concept emerged; `frequency` what of that goes with how often concepts occur, if counts
    were given; `laboratory` the curve of tables on a world that is known, at steps of its own.

    Example:
        >>> EmergenceResult.columns[:3]
        ('checkpoint', 'step', 'tokens')
    """

    columns: ClassVar[tuple[str, ...]] = ("checkpoint", "step", "tokens", *LMResult.columns)
    summary: dict[str, Any]
    looks: tuple[Look, ...]
    emerged: tuple[Emerged, ...]
    frequencies: Mapping[str, Frequency] = field(default_factory=dict[str, Frequency])
    frequency: tuple[ByFrequency, ...] = ()
    laboratory: TableHistory | None = None

    @property
    def quantities(self) -> list[Quantity]:
        """What was followed: words, contexts by layer, alignment."""
        return list(dict.fromkeys(each.quantity for each in self.emerged))

    @property
    def table(self) -> "pd.DataFrame":
        """Tidy: one row for each checkpoint and number, as of :attr:`LMResult.table`, with its step."""
        import pandas as pd

        records = [
            {"checkpoint": look.name, "step": look.step, "tokens": look.tokens} | row.record(LMResult.columns)
            for look in self.looks
            for row in look.rows
        ]
        return pd.DataFrame(records, columns=list(self.columns))

    def of(self, quantity: Quantity = WORDS) -> list[Emerged]:
        """When each concept emerged."""
        return [each for each in self.emerged if each.quantity == quantity]

    def by(self, quantity: Quantity = WORDS) -> ByFrequency | None:
        """What goes with the counts; None without them."""
        return next((each for each in self.frequency if each.quantity == quantity), None)

    def json(self) -> dict[str, Any]:
        """Everything, with null for what does not exist."""
        return plain(
            {
                **self.summary,
                "emerged": [_emerged(each) for each in self.emerged],
                "frequencies": [
                    {
                        "concept": each.concept,
                        "count": each.count,
                        "pairs": each.pairs,
                        "contexts": each.contexts,
                        "missing": list(each.missing),
                    }
                    for each in self.frequencies.values()
                ],
                "by_frequency": [each.json() for each in self.frequency],
                "laboratory": None if self.laboratory is None else _laboratory(self.laboratory),
                "checkpoints": [
                    {
                        "name": look.name,
                        "step": look.step,
                        "tokens": look.tokens,
                        "rows": [row.record(LMResult.columns) for row in look.rows],
                    }
                    for look in self.looks
                ],
            }
        )

    def save(self, folder: Path | str) -> Path:
        """Write `result.json`, `table.csv` and `table.parquet`; returns the folder."""
        return save(folder, self.json(), self.table)


def _emerged(each: Emerged) -> dict[str, Any]:
    return {
        "quantity": each.quantity.words,
        "table": each.quantity.table,
        "layer": each.quantity.layer,
        "concept": each.concept,
        "step": each.step,
        "after": each.after,
        "tokens": each.tokens,
    }


def _laboratory(found: TableHistory) -> dict[str, Any]:
    return {
        "world": found.world,
        "dim": found.dim,
        "concepts": [
            {"concept": name, "share": share}
            for name, share in zip(found.concepts, found.shares, strict=True)
        ],
        "checkpoints": [
            {
                "step": look.step,
                "excess_loss_nats": excess,
                "rows": [row.record(LMResult.columns) for row in look.rows],
            }
            for look, excess in zip(found.looks, found.excess_loss_nats, strict=True)
        ],
    }
