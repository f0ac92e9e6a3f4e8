"""Contexts that training never saw, beside those it did."""

from typing import Any

from linrep.page.numbers import central, cosine, count, finite, interval, short
from linrep.page.shell import Block
from linrep.page.view import View

PARTS = ("training", "held_out")


def blocks(view: View) -> list[Block]:
    """The table; nothing where no context was held out."""
    given = view.summary.get("held_out")
    if not given:
        return []
    contexts = given["contexts"]
    rows = [
        ["log-odds gap, RMSE (nats)", *_gaps(given, "rmse"), _untrained(view, "log_odds_gap_nats")],
        ["the same when predicting zero", *_gaps(given, "rmse_of_zero"), ""],
        ["excess loss (nats)", *_losses(given), _untrained(view, "excess_loss_nats")],
        *(
            [
                name,
                *(f"{cosine(central(given[key][part]))} {interval(given[key][part])}" for part in PARTS),
                _untrained(view, key, table, cosine),
            ]
            for name, key, table in (
                ("linearity of f", "linearity", "embedding"),
                ("alignment of f with g", "alignment", ""),
            )
        ),
        ["steering vectors of f", *(count(given["linearity"][part]["pairs"]) for part in PARTS), ""],
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
                f"training ({count(contexts['training'])} contexts)",
                f"held out ({count(contexts['held_out'])} contexts)",
                "held out, untrained",
            ],
            rows=rows,
        )
    ]


def _gaps(given: Any, key: str) -> list[str]:
    return [short((given["log_odds_gap_nats"][part] or {}).get(key)) for part in PARTS]


def _losses(given: Any) -> list[str]:
    return [short(given["excess_loss_nats"][part]["mean"]) for part in PARTS]


def _untrained(view: View, measure: str, table: str = "", write: Any = short) -> str:
    """Mean over runs before the first step, from the trace."""
    rows = view.trace
    chosen = (rows["measure"] == f"held_out_{measure}") & (rows["table"] == table) & (rows["concept"] == "")
    rows = rows[chosen & (rows["kind"] == "value") & (rows["step"] == 0)]
    return write(finite(float(rows["value"].mean())))
