"""``linrep lm emergence``: the ruler at every checkpoint of a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from linrep.cli.lm_options import (
    BatchSize,
    Contexts,
    Draws,
    Inner,
    Layer,
    Loading,
    Winograd,
    Words,
    numbers,
    talking,
)
from linrep.cli.options import Printing, Seed
from linrep.errors import InputError

OUT = Path("lm-emergence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """Which checkpoints there are, and what becomes of those that are downloaded."""

    revisions: Annotated[
        str | None,
        typer.Option("--revisions", metavar="A,B,…", help="Of a model on the Hub, or folders in MODEL."),
    ] = None
    steps: Annotated[
        str | None, typer.Option("--steps", metavar="A,B,…", help="One a checkpoint, where names do not say.")
    ] = None
    tokens_per_step: Annotated[
        float | None, typer.Option(help="Tokens that a step reads: the axis is then in tokens.")
    ] = None
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep downloads; else each is deleted once it is measured.")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is measured at each."""

    contexts: Contexts = None
    winograd: Winograd = None
    layer: Layer = None
    counts: Annotated[
        Path | None,
        typer.Option(
            "--counts",
            metavar="FILE",
            help="How often words, tokens or concepts occur in the corpus (CSV, TSV, JSON): adds the law of "
            "frequency.",
        ),
    ] = None
    laboratory: Annotated[bool, typer.Option(help="Train tables beside it, on a world like the model's.")] = (
        True
    )


def emergence(
    model: Annotated[
        list[str],
        typer.Argument(metavar="MODEL…", help="A Hub id or a folder of checkpoints; or folders, one each."),
    ],
    checkpoints: Checkpoints,
    asked: Asked,
    words: Words,
    loading: Loading,
    printing: Printing,
    inner: Inner = "causal",
    draws: Draws = 400,
    batch_size: BatchSize = 32,
    seed: Seed = 0,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="Folder for the page, tables and each checkpoint's numbers: the same command goes on.",
        ),
    ] = OUT,
) -> None:
    """When do concepts become directions? Every checkpoint is measured, and none of them twice."""
    from linrep import llm
    from linrep.cli.views.lm import show_emergence
    from linrep.files import require_writable
    from linrep.page.lm.emergence import save
    from linrep.progress import stage

    if asked.layer is not None and not (asked.contexts or asked.winograd):
        raise InputError("--layer: expected --contexts or --winograd beside it; add --contexts builtin")
    if loading.revision is not None:
        raise InputError("--revision: expected several; name them with --revisions step0,step512")
    revisions = None if checkpoints.revisions is None else _names(checkpoints.revisions)
    steps = None if checkpoints.steps is None else _steps(checkpoints.steps)
    require_writable(out)
    options = llm.MeasureOptions(
        inner=inner, layer=asked.layer, policy=words.policy(), draws=draws, batch_size=batch_size
    )
    load = loading.load_options()
    with talking(quiet=printing.quiet, bars=False), stage("checkpoints") as advance:
        found = llm.emergence(
            model,
            revisions,
            words.pairs,
            asked.contexts,
            asked.winograd,
            seed=seed,
            counts=asked.counts,
            steps=steps,
            tokens_per_step=checkpoints.tokens_per_step,
            options=options,
            load=load,
            out=out,
            keep=checkpoints.keep,
            laboratory=asked.laboratory,
            progress=advance,
        )
    page = save(found, out)
    if printing.as_json:
        typer.echo(f"page  {page.resolve()}", err=True)
    printing.tell(found.json, lambda: show_emergence(found, page))


def _names(text: str) -> list[str]:
    found = [part.strip() for part in text.split(",") if part.strip()]
    if not found:
        raise InputError(
            f"--revisions: expected names separated by commas, such as step0,step512, got {text!r}"
        )
    return found


def _steps(text: str) -> list[int]:
    found = numbers(text, "--steps")
    if any(step != int(step) or step < 0 for step in found):
        raise InputError(f"--steps: expected whole numbers of at least 0, such as 0,512, got {text!r}")
    return [int(step) for step in found]
