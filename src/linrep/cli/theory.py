"""``linrep predict`` and ``linrep claims``: what theory says, and whether experiment agrees."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linrep.cli.options import Json, print_json
from linrep.errors import InputError

if TYPE_CHECKING:
    from linrep.paper.claims.ledger import Ledger
    from linrep.theory.prediction import Prediction
    from linrep.theory.price import Price

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no words.")]
PRINTED = (
    "status",
    "objective",
    "singular_values",
    "rank",
    "linearity",
    "alignment",
    "orthogonality",
    "additive_share",
    "certificate",
    "price_of_linearity",
)
"""Keys of ``linrep predict --json``."""


def register(app: typer.Typer) -> None:
    """Add the commands of theory."""
    for command in (predict, claims):
        app.command()(command)


def predict(
    concepts: Annotated[
        int | None, typer.Option("--concepts", metavar="M", help="Number of binary concepts.")
    ] = None,
    dim: Annotated[
        int | None, typer.Option("--dim", metavar="K", help="Width of the tables; wide enough by default.")
    ] = None,
    known: Annotated[
        tuple[int, int] | None,
        typer.Option("--known", metavar="A B", help="Contexts that know A to B concepts; all by default."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="CONFIG", help="Read world, contexts, tokens and width from here."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Compute what training must approach (singular values, linearity, alignment) and linearity's price."""
    from linrep.theory.limits import predict as predict_symmetric

    if (config is None) == (concepts is None):
        given = "both" if config is not None else "neither"
        raise InputError(f"predict: expected --concepts M or --config CONFIG.toml, got {given}; give one")
    if config is not None:
        if known is not None:
            raise InputError("--known: the config names its contexts; set contexts.kind = 'known' there")
        found, price = _of_config(config, dim)
    else:
        assert concepts is not None, "one of the two was given"
        # How many concepts says nothing of their probabilities, on which the price depends.
        found, price = predict_symmetric(concepts, dim, known), None
    if as_json:
        whole = found.as_json() | {"price_of_linearity": price.as_json() if price else None}
        print_json({name: whole[name] for name in PRINTED})
        if found.status != "optimal":
            typer.echo(f"linrep: {found.status.replace('_', ' ')}: {found.reason}", err=True)
    else:
        _show_prediction(found, price)
    return 1 if found.status == "solver_failed" else 0


def _of_config(path: Path, dim: int | None) -> tuple["Prediction", "Price | None"]:
    """Both answers for the world of a config; no price, and why on stderr, where its problem is too large."""
    from linrep.laboratory.comparison import for_config, price_for_config
    from linrep.runs.toml import load

    config = load(path)
    found = for_config(config, dim)
    try:
        return found, price_for_config(config)
    except InputError as error:
        typer.echo(f"linrep: {error}", err=True)
        return found, None


def _show_prediction(prediction: "Prediction", price: "Price | None") -> None:
    from rich.console import Console
    from rich.table import Table

    from linrep.theory.prediction import prediction_rows

    table = Table("quantity", "value", "", box=None)
    for row in prediction_rows(prediction):
        table.add_row(*row)
    if price is not None:
        table.add_row("price of linearity (nats)", f"{price.nats:.6f}", f"at width {price.width}")
    Console().print(table)


def claims(
    quick: Annotated[bool, typer.Option("--quick", help="Small experiments: about a minute.")] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder for experiments, ledger and page.")] = Path(
        "claims"
    ),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Test the paper's claims C1 to C6, each beside a control where it must fail. Resumable."""
    from linrep.page.claims import write_page
    from linrep.paper.claims.ledger import make_ledger
    from linrep.progress import stop_on_signal

    def say(words: str) -> None:
        if not quiet:
            typer.echo(words, err=True)

    with stop_on_signal() as stop:
        ledger = make_ledger(out, quick=quick, say=say, stop=stop)
    page = write_page(ledger, out)
    if as_json:
        print_json(ledger.as_json())
    elif not quiet:
        _show_ledger(ledger)
        typer.echo(f"page  {page.resolve()}")


def _show_ledger(ledger: "Ledger") -> None:
    from rich.console import Console
    from rich.table import Table

    from linrep.paper.claims.ledger import trial_rows, verdict_rows

    console = Console()
    verdicts = Table("claim", "", "verdict", box=None)
    for row in verdict_rows(ledger):
        verdicts.add_row(*row)
    trials = Table("", "measured [95 %]", "rule", "outcome", "what", box=None)
    for row in trial_rows(ledger):
        trials.add_row(*row)
    console.print(verdicts)
    console.print()
    console.print(trials)
