"""``linrep predict`` and ``linrep claims``: what theory says, and whether experiment agrees."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linrep.cli.options import Json, print_json
from linrep.errors import InputError

if TYPE_CHECKING:
    from linrep.paper.claims.ledger import Ledger
    from linrep.theory.prediction import Prediction

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
    """Compute the geometry that training must approach: singular values, linearity, alignment."""
    from linrep.laboratory.comparison import for_config
    from linrep.theory.limits import predict as predict_symmetric

    if (config is None) == (concepts is None):
        given = "both" if config is not None else "neither"
        raise InputError(f"predict: expected --concepts M or --config CONFIG.toml, got {given}; give one")
    if config is not None:
        if known is not None:
            raise InputError("--known: the config names its contexts; set contexts.kind = 'known' there")
        from linrep.runs.toml import load

        found = for_config(load(config), dim)
    else:
        assert concepts is not None, "one of the two was given"
        found = predict_symmetric(concepts, dim, known)
    if as_json:
        whole = found.as_json()
        print_json({name: whole[name] for name in PRINTED})
        if found.status != "optimal":
            typer.echo(f"linrep: {found.status.replace('_', ' ')}: {found.reason}", err=True)
    else:
        _show_prediction(found)
    return 1 if found.status == "solver_failed" else 0


def _show_prediction(prediction: "Prediction") -> None:
    from rich.console import Console
    from rich.table import Table

    from linrep.theory.prediction import prediction_rows

    table = Table("quantity", "value", "", box=None)
    for row in prediction_rows(prediction):
        table.add_row(*row)
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
