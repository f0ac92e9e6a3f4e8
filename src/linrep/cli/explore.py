"""``linrep explore``: the live laboratory, until it is stopped."""

from pathlib import Path
from typing import Annotated

import typer

from linrep.cli.options import Quiet, grouped


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(grouped(explore))


def explore(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", help="What the page opens with; a cube by default.")
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Of 127.0.0.1; any that is free by default.")
    ] = 0,
    quiet: Quiet = False,
) -> None:
    """A local page that trains while you watch: change the world, the width, the step. Ctrl-C ends it."""
    import time

    from linrep.cli.signals import stop_on_signal
    from linrep.explore.serving import laboratory

    with laboratory(config, port=port) as lab, stop_on_signal() as stop:
        typer.echo(lab.address)
        if not quiet:
            typer.echo("open this address in a browser on this machine; Ctrl-C ends the laboratory", err=True)
        while lab.running and not stop():
            time.sleep(0.2)
