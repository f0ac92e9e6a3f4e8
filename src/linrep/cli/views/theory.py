"""Predictions, and the ledger of claims, in a terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from linrep.paper.claims.ledger import Ledger
    from linrep.theory.prediction import Prediction
    from linrep.theory.price import Price
    from linrep.theory.width import LeastExcess


MOST_DEGREES = 4
"""Singular values that are shown."""


def show_prediction(prediction: "Prediction", price: "Price | None", least: "LeastExcess | None") -> None:
    """What it is in a sentence, then a line for each quantity."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from linrep.page.numbers import capital
    from linrep.theory.prediction import prediction_rows

    _, (_, reason, _), *rows = prediction_rows(prediction)
    table = Table("quantity", "value, or of f", "of g", box=None, pad_edge=False)
    for row in _fewer(rows):
        table.add_row(*row)
    if price is not None:
        table.add_row("price of linearity (nats)", f"{price.nats:.6f}", f"at width {price.width}")
    if least is not None:
        # A tiny floor keeps no run from converging: what is proven is that zero is out of reach.
        said = "zero is out of reach" if least.verdict == "too narrow" else least.verdict
        table.add_row("least excess (nats)", least.words, said or f"at width {least.dim}")
    console = Console()
    console.print(f"[bold]{escape(capital(reason))}.[/]", highlight=False)
    if table.row_count:
        console.print(table)


def _fewer(rows: "Sequence[tuple[str, str, str]]") -> "Iterator[tuple[str, str, str]]":
    """The rows, with only the first singular values of many."""
    values = [row for row in rows if row[0].startswith("singular value")]
    for row in rows:
        if row not in values[MOST_DEGREES:] or len(values) == MOST_DEGREES + 1:
            yield row
        elif row == values[-1]:
            yield (f"{len(values) - MOST_DEGREES} more singular values", f"down to {row[1]}", "")


def show_ledger(ledger: "Ledger") -> None:
    """How many claims hold, each with its verdict, then every trial in a line."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    from linrep.cli.views.answers import COLOURS
    from linrep.page.claims import headline
    from linrep.paper.claims.ledger import trial_rows, verdict_rows

    console = Console()
    colour = {"holds": COLOURS["yes"], "fails": COLOURS["no"], "undecided": COLOURS["undecided"]}
    console.print(f"[bold]{escape(headline(ledger))}.[/]", highlight=False)
    verdicts = Table(box=None, show_header=False, pad_edge=False)
    for identity, title, verdict, why, _ in verdict_rows(ledger):
        more = f"[dim]{escape(why)}[/]" if verdict != "holds" else ""
        verdicts.add_row(
            identity, Text(verdict, colour[verdict]), "\n".join(filter(None, (escape(title), more)))
        )
    console.print(verdicts)
    # How many runs it is of stands on the page.
    rows = [
        (identity, outcome, measured.rpartition(", ")[0], rule, what)
        for identity, measured, rule, outcome, what in trial_rows(ledger)
    ]
    heads = ("trial", "outcome", "measured [95 %]", "rule", "what")
    taken = sum(
        2 + max(map(len, cells)) for cells in zip(heads[:-1], *(row[:-1] for row in rows), strict=True)
    )
    trials = Table(*heads, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for identity, outcome, *rest, what in rows:
        name = Text(what)
        name.truncate(max(console.width - taken, len(heads[-1])), overflow="ellipsis")
        trials.add_row(identity, Text(outcome, colour[outcome]), *map(escape, rest), name)
    console.print(trials)
