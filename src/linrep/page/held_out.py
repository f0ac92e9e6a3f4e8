"""Contexts that training never saw, beside those it did."""

from collections.abc import Callable
from typing import Any

from linrep.errors import many
from linrep.page.numbers import ABSENT, central, cosine, count, finite, interval, short
from linrep.page.shell import Block
from linrep.page.view import View
from linrep.runs.summary import PARTS, HeldOut, LogOdds, held_out_measure


def blocks(view: View) -> list[Block]:
    """The table; nothing where no context was held out."""
    given = view.summary.held_out
    if given is None:
        return []
    contexts = given.contexts
    rows = [
        [
            "log-odds gap, RMSE (nats)",
            *_gaps(given, lambda gap: gap.rmse),
            _untrained(view, "log_odds_gap_nats"),
        ],
        ["the same when predicting zero", *_gaps(given, lambda gap: gap.rmse_of_zero), ""],
        ["excess loss (nats)", *_losses(given), _untrained(view, "excess_loss_nats")],
        *(
            [
                name,
                *(f"{cosine(central(record[part]))} {interval(record[part])}" for part in PARTS),
                _untrained(view, key, table, cosine),
            ]
            for name, record, key, table in (
                ("linearity of f", given.linearity, "linearity", "embedding"),
                ("alignment of f with g", given.alignment, "alignment", ""),
            )
        ),
        ["steering vectors of f", *(count(given.linearity[part].pairs or 0) for part in PARTS), ""],
    ]
    return [
        Block(
            id="held-out",
            kind="table",
            title="Contexts held out of training",
            caption="Means over runs. Steering vectors have both ends among the contexts of their column. "
            "The excess loss weighs held-out contexts equally.",
            columns=[
                "measure",
                f"training ({many(contexts['training'], 'context')})",
                f"held out ({many(contexts['held_out'], 'context')})",
                "held out, untrained",
            ],
            rows=rows,
        )
    ]


def _gaps(given: HeldOut, of: Callable[[LogOdds], float]) -> list[str]:
    return [ABSENT if (gap := given.log_odds_gap_nats[part]) is None else short(of(gap)) for part in PARTS]


def _losses(given: HeldOut) -> list[str]:
    return [short(given.excess_loss_nats[part].mean) for part in PARTS]


def _untrained(view: View, measure: str, table: str = "", write: Any = short) -> str:
    """Mean over runs before the first step, from the trace."""
    rows = view.trace
    name = held_out_measure(measure, "held_out")
    chosen = (rows["measure"] == name) & (rows["table"] == table) & (rows["concept"] == "")
    rows = rows[chosen & (rows["kind"] == "value") & (rows["step"] == 0)]
    return write(finite(float(rows["value"].mean())))
