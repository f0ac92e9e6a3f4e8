"""``linrep lm``: the ruler on language models, interventions, built-in data and the toy model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from linrep.cli import lm_options as given
from linrep.cli.options import Json, Quiet, Seed, print_json
from linrep.errors import InputError

if TYPE_CHECKING:
    from linrep.llm import LanguageModel, LMResult

lm = typer.Typer(
    name="lm", help="Measure and steer language models.", no_args_is_help=True, pretty_exceptions_enable=False
)


def register(app: typer.Typer) -> None:
    """Add the commands under ``lm``."""
    app.add_typer(lm)


@lm.command()
def measure(
    model: given.Model,
    pairs: given.Pairs = "builtin",
    contexts: given.Contexts = None,
    winograd: Annotated[
        str | None,
        typer.Option("--winograd", metavar="FILE|builtin", help="Winograd pairs; the model is then run."),
    ] = None,
    squares: Annotated[
        str | None,
        typer.Option(
            "--squares", metavar="FILE|builtin", help="Words that cross two concepts: king, queen, kings, …"
        ),
    ] = None,
    table: Annotated[
        Literal["output", "input"], typer.Option("--table", help="Unembedding or input table.")
    ] = "output",
    inner: given.Inner = "causal",
    layer: Annotated[
        str | None,
        typer.Option(
            "--layer", metavar="N|all", help="Where contexts are read; what the head reads if absent."
        ),
    ] = None,
    centred: Annotated[bool, typer.Option(help="Covariance about the mean.")] = True,
    shrinkage: Annotated[float, typer.Option(help="Mix the covariance with the identity.")] = 0.0,
    draws: Annotated[int, typer.Option(min=50, help="Resamples, and draws of each null.")] = 400,
    batch_size: Annotated[int, typer.Option(min=1, help="Contexts at once; halved when memory ends.")] = 32,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Keep states here; an interrupted reading goes on.")
    ] = None,
    space: given.Space = "auto",
    many: given.Many = "drop",
    fewest: given.Fewest = 10,
    device: given.Device = "cpu",
    dtype: given.Dtype = "auto",
    device_map: given.DeviceMap = None,
    revision: given.Revision = None,
    token: given.Token = None,
    trust: given.Trust = False,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for result.json, tables and page.html.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure a model. Given word pairs only, one tensor of it is read and it is never run."""
    from linrep import llm
    from linrep.llm.loading import load_model
    from linrep.llm.source import locate
    from linrep.progress import counting_bar

    in_full = bool(contexts or winograd or layer is not None)
    if layer is not None and not (contexts or winograd):
        raise InputError("--layer: expected --contexts or --winograd beside it; add --contexts builtin")
    if not 0 <= shrinkage < 1:
        raise InputError(f"--shrinkage: expected at least 0 and below 1, got {shrinkage:g}")
    if out is not None:
        given.require_folder(out)
    load = given.load_options(device, dtype, device_map, revision, token, trust)
    options = llm.MeasureOptions(
        table=table,
        inner=inner,
        layer=layer,
        policy=given.policy(space, many, fewest),
        centred=centred,
        shrinkage=shrinkage,
        draws=draws,
        batch_size=batch_size,
        cache=cache,
    )
    with given.talking(quiet=quiet) as say:
        source = locate(model, load)
        say(given.estimate(source, in_full=in_full))
        opened = load_model(source) if in_full else None
        with counting_bar("contexts", quiet=quiet) as advance:
            result = llm.measure(
                opened or model,
                pairs,
                contexts,
                winograd,
                seed=seed,
                squares=squares,
                options=options,
                load=load,
                progress=advance,
            )
        page = None if out is None else _save(result, out, opened, source.folder)
    _report(result, page, as_json=as_json, quiet=quiet)


def _save(result: "LMResult", out: Path, opened: "LanguageModel | None", folder: Path | None) -> Path:
    from linrep.files import one_line_errors, write_file
    from linrep.llm.toy.beside import beside_tables
    from linrep.page.lm.page import render

    if opened is not None and folder is not None and result.summary["data"]["contexts"] != "none":
        result.summary["beside_tables"] = beside_tables(folder, opened)
    with one_line_errors(out):
        result.save(out)
        write_file(out / "page.html", render(result).encode())
    return out / "page.html"


def _report(result: "LMResult", page: Path | None, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json(result.json())
    elif not quiet:
        from linrep.cli.lm_show import show_measurement

        show_measurement(result, page)


@lm.command()
def steer(
    model: given.Model,
    concept: Annotated[str, typer.Option("--concept", help="Which to push: male-female, …")],
    prompt: Annotated[
        list[str], typer.Option("--prompt", help="A text whose next word is watched; again for more.")
    ],
    strength: Annotated[
        str,
        typer.Option(
            "--strength", metavar="A,B,…", help="At the head in nats, at a layer in context differences."
        ),
    ] = "-4,-2,2,4",
    pairs: given.Pairs = "builtin",
    contexts: Annotated[
        str | None,
        typer.Option("--contexts", metavar="FILE|builtin", help="Paired contexts, to push at a layer."),
    ] = None,
    layer: Annotated[
        int | None, typer.Option("--layer", min=0, help="Push the state after so many blocks.")
    ] = None,
    inner: given.Inner = "causal",
    space: given.Space = "auto",
    many: given.Many = "drop",
    fewest: given.Fewest = 10,
    device: given.Device = "cpu",
    dtype: given.Dtype = "auto",
    device_map: given.DeviceMap = None,
    revision: given.Revision = None,
    token: given.Token = None,
    trust: given.Trust = False,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for result.json, the table and page.html.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Push the state along a concept: its log-odds move, do others stay?"""
    from linrep import llm
    from linrep.llm.loading import load_model
    from linrep.llm.source import locate

    if not all(text.strip() for text in prompt):
        raise InputError("--prompt: expected a text, got an empty one")
    strengths = given.numbers(strength, "--strength")
    if not any(strengths):
        raise InputError("--strength: expected a number other than 0, which is always read")
    if out is not None:
        given.require_folder(out)
    load = given.load_options(device, dtype, device_map, revision, token, trust)
    with given.talking(quiet=quiet) as say:
        source = locate(model, load)
        say(given.estimate(source, in_full=True))
        result = llm.steer(
            load_model(source),
            concept,
            list(dict.fromkeys(prompt)),
            seed=seed,
            strengths=strengths,
            pairs=pairs,
            contexts=contexts if contexts or layer is None else "builtin",
            layer=layer,
            inner=inner,
            policy=given.policy(space, many, fewest),
        )
    page = None
    if out is not None:
        from linrep.page.lm.steer import save

        page = save(result, out)
    if as_json:
        print_json(result.json())
    elif not quiet:
        from linrep.cli.lm_show import show_steering

        show_steering(result, page)


@lm.command()
def data(
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", metavar="MODEL", help="Count the pairs that this one keeps.")
    ] = None,
    space: given.Space = "auto",
    many: given.Many = "drop",
    revision: given.Revision = None,
    token: given.Token = None,
    trust: given.Trust = False,
    as_json: Json = False,
) -> None:
    """List the built-in data: where it comes from, how much there is, how much a tokenizer keeps."""
    from linrep.cli.lm_show import builtin_record, show_data

    load = given.load_options("cpu", "auto", None, revision, token, trust)
    with given.talking(quiet=True):
        record = builtin_record(tokenizer, load, given.policy(space, many, 0))
    if as_json:
        print_json(record)
    else:
        show_data(record)


@lm.command()
def toy(
    out: Annotated[Path, typer.Option("--out", help="A new or empty folder.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer steps on smaller batches: half a minute.")
    ] = False,
    concepts: Annotated[
        int | None, typer.Option(min=1, help="Binary concepts of the world; 5, by width 4.")
    ] = None,
    world: Annotated[
        Literal["independent", "chain", "random"], typer.Option(help="How concepts depend on each other.")
    ] = "independent",
    hidden: Annotated[int, typer.Option(help="Width of the residual stream.")] = 64,
    layers: Annotated[int, typer.Option(help="Blocks.")] = 2,
    heads: Annotated[int, typer.Option(help="Attention heads.")] = 4,
    tied: Annotated[bool, typer.Option("--tied", help="One table for input and output.")] = False,
    facts: Annotated[
        int, typer.Option(help="Names with a place, which have nothing to do with concepts.")
    ] = 64,
    steps: Annotated[int | None, typer.Option(help="Training steps; by default 1200, quick 480.")] = None,
    widths: Annotated[
        str | None,
        typer.Option(
            "--widths",
            metavar="A,B,…",
            help="Instead of one model: transformers of these widths beside the same world's tables.",
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Worlds, with --widths.")] = 1,
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a small transformer on a language whose concepts are known, or many of them by width."""
    from linrep.cli import lm_toy

    with given.talking(quiet=quiet):
        if widths is not None:
            record, page = lm_toy.by_width(
                out,
                given.numbers(widths, "--widths"),
                runs=runs,
                seed=seed,
                quiet=quiet,
                concepts=4 if concepts is None else concepts,
                world=world,
                layers=layers,
                heads=heads,
                tied=tied,
                steps=steps,
                quick=quick,
            )
        else:
            record, page = lm_toy.one(
                out,
                seed=seed,
                quiet=quiet,
                concepts=5 if concepts is None else concepts,
                world=world,
                hidden=hidden,
                layers=layers,
                heads=heads,
                tied=tied,
                facts=facts,
                steps=steps,
                quick=quick,
            )
    if as_json:
        print_json(record)
    elif not quiet:
        lm_toy.show(record, page, out)
