"""``linrep predict`` and ``linrep claims``: what theory says, and whether experiment agrees."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linrep.cli.options import Json, Printing, grouped, print_json
from linrep.errors import InputError

if TYPE_CHECKING:
    from linrep.theory.prediction import Prediction
    from linrep.theory.price import Price
    from linrep.theory.width import LeastExcess

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
    "least_excess",
)
"""Keys of ``linrep predict --json``."""


def register(app: typer.Typer) -> None:
    """Add the commands of theory."""
    for command in (predict, claims):
        app.command()(grouped(command))


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
    """Compute what training must approach, what linearity costs, and whether the width is enough."""
    from linrep.cli.views.theory import show_prediction
    from linrep.theory.limits import predict as predict_symmetric

    if (config is None) == (concepts is None):
        given = "both" if config is not None else "neither"
        raise InputError(f"predict: expected --concepts M or --config CONFIG.toml, got {given}; give one")
    if config is not None:
        if known is not None:
            raise InputError("--known: the config names its contexts; set contexts.kind = 'known' there")
        found, price, least = _of_config(config, dim)
    else:
        assert concepts is not None, "one of the two was given"
        # How many concepts says nothing of their probabilities, on which these two depend.
        found, price, least = predict_symmetric(concepts, dim, known), None, None
    if as_json:
        whole = found.as_json() | {
            "price_of_linearity": price.as_json() if price else None,
            "least_excess": least.as_json() if least else None,
        }
        print_json({name: whole[name] for name in PRINTED})
        if found.status != "optimal":
            typer.echo(f"linrep: {found.status.replace('_', ' ')}: {found.reason}", err=True)
    else:
        show_prediction(found, price, least)
    return 1 if found.status == "solver_failed" else 0


def _of_config(path: Path, dim: int | None) -> tuple["Prediction", "Price | None", "LeastExcess"]:
    """All answers for the world of a config; no price, and why on stderr, where its problem is too large."""
    from linrep.laboratory.comparison import for_config, least_excess_for_config, price_for_config
    from linrep.runs.toml import load

    config = load(path)
    found, least = for_config(config, dim), least_excess_for_config(config, dim)
    try:
        return found, price_for_config(config), least
    except InputError as error:
        typer.echo(f"linrep: {error}", err=True)
        return found, None, least


def claims(
    printing: Printing,
    quick: Annotated[bool, typer.Option("--quick", help="Small experiments: a minute or two.")] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder for experiments, ledger and page.")] = Path(
        "claims"
    ),
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="DIR", help="Also write verdicts and figure as Markdown here."),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Also write the figure as PDF, SVG and PNG here."),
    ] = None,
) -> None:
    """Test the paper's claims C1 to C6, each beside a control where it must fail. Resumable."""
    from linrep.cli.signals import stop_on_signal
    from linrep.cli.views.theory import show_ledger
    from linrep.files import require_writable
    from linrep.page.claims import write_page
    from linrep.paper.claims.ledger import make_ledger
    from linrep.paper.claims.written import save_forest, write_claims

    def say(words: str) -> None:
        if not printing.quiet:
            typer.echo(words, err=True)

    for folder in (out, results, figures):
        require_writable(folder)
    with stop_on_signal() as stop:
        ledger = make_ledger(out, quick=quick, say=say, stop=stop)
    page = write_page(ledger, out)
    if results is not None:
        write_claims(ledger, results)
    if figures is not None:
        save_forest(ledger, figures)

    def show() -> None:
        show_ledger(ledger)
        typer.echo(f"page  {page.resolve()}")

    printing.tell(ledger.as_json, show)
