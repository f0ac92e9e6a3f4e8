"""Predictions, and the ledger of claims, in a terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linrep.paper.claims.ledger import Ledger
    from linrep.theory.prediction import Prediction
    from linrep.theory.price import Price
    from linrep.theory.width import LeastExcess


def show_prediction(prediction: "Prediction", price: "Price | None", least: "LeastExcess | None") -> None:
    """One line for each quantity."""
    from rich.console import Console
    from rich.table import Table

    from linrep.theory.prediction import prediction_rows

    table = Table("quantity", "value", "", box=None)
    for row in prediction_rows(prediction):
        table.add_row(*row)
    if price is not None:
        table.add_row("price of linearity (nats)", f"{price.nats:.6f}", f"at width {price.width}")
    if least is not None:
        # A tiny floor keeps no run from converging: what is proven is that zero is out of reach.
        said = "zero is out of reach" if least.verdict == "too narrow" else least.verdict
        table.add_row("least excess (nats)", least.words, said or f"at width {least.dim}")
    Console().print(table)


def show_ledger(ledger: "Ledger") -> None:
    """The verdicts, then every trial."""
    from rich.console import Console
    from rich.table import Table

    from linrep.paper.claims.ledger import trial_rows, verdict_rows

    console = Console()
    verdicts = Table("claim", "", "verdict", "why", "conditions", box=None)
    for row in verdict_rows(ledger):
        verdicts.add_row(*row)
    trials = Table("", "measured [95 %]", "rule", "outcome", "what", box=None)
    for row in trial_rows(ledger):
        trials.add_row(*row)
    console.print(verdicts)
    console.print()
    console.print(trials)
