"""``linrep lm``: the ruler on language models, interventions, built-in data and the toy model."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from linrep.cli.lm_emergence import emergence
from linrep.cli.lm_options import (
    BatchSize,
    Cache,
    Contexts,
    Draws,
    Hub,
    Inner,
    InnerName,
    Layer,
    Loading,
    Model,
    Tokens,
    Winograd,
    Words,
    numbers,
    talking,
)
from linrep.cli.options import FigureFiles, Json, Measured, Printing, Seed, grouped
from linrep.errors import InputError

if TYPE_CHECKING:
    from linrep.llm import MeasureOptions, TokenPolicy

lm = typer.Typer(
    name="lm", help="Measure and steer language models.", no_args_is_help=True, pretty_exceptions_enable=False
)


def register(app: typer.Typer) -> None:
    """Add the commands under ``lm``."""
    for command in (measure, paper, emergence, steer, data, toy):
        lm.command()(grouped(command))
    app.add_typer(lm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """What else is measured, and where the model's states are read for it."""

    contexts: Contexts = None
    winograd: Winograd = None
    squares: Annotated[
        str | None,
        typer.Option(
            "--squares", metavar="FILE|builtin", help="Words that cross two concepts: king, queen, kings, …"
        ),
    ] = None
    layer: Layer = None

    @property
    def in_full(self) -> bool:
        """Whether the model is run, not only read."""
        texts = bool(self.contexts or self.winograd)
        if self.layer is not None and not texts:
            raise InputError("--layer: expected --contexts or --winograd beside it; add --contexts builtin")
        return texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruler:
    """How it is measured."""

    table: Annotated[
        Literal["output", "input"],
        typer.Option("--table", metavar="NAME", help="Unembedding (output), or input table."),
    ] = "output"
    inner: Inner = "causal"
    centred: Annotated[bool, typer.Option(help="Covariance about the mean.")] = True
    shrinkage: Annotated[float, typer.Option(help="Mix the covariance with the identity.")] = 0.0
    draws: Draws = 400
    batch_size: BatchSize = 32
    cache: Cache = None

    def options(self, layer: str | None, policy: "TokenPolicy") -> "MeasureOptions":
        """As the library takes them."""
        from linrep.llm import MeasureOptions

        if not 0 <= self.shrinkage < 1:
            raise InputError(f"--shrinkage: expected at least 0 and below 1, got {self.shrinkage:g}")
        return MeasureOptions(
            table=self.table,
            inner=self.inner,
            layer=layer,
            policy=policy,
            centred=self.centred,
            shrinkage=self.shrinkage,
            draws=self.draws,
            batch_size=self.batch_size,
            cache=self.cache,
        )


def measure(
    model: Model,
    words: Words,
    sentences: Sentences,
    ruler: Ruler,
    loading: Loading,
    printing: Printing,
    seed: Seed = 0,
    out: Measured = Path("lm-measured"),
) -> None:
    """Measure a model. Given word pairs only, one tensor of it is read and it is never run."""
    from linrep import llm
    from linrep.cli.views import lm as views
    from linrep.files import require_writable
    from linrep.llm.source import locate
    from linrep.llm.toy.beside import beside_tables
    from linrep.page.lm.page import save

    in_full = sentences.in_full
    options = ruler.options(sentences.layer, words.policy())
    require_writable(out)
    load = loading.load_options()
    with talking(quiet=printing.quiet) as say:
        source = locate(model, load)
        say(views.estimate(source, in_full=in_full))
        opened = llm.load_model(source) if in_full else None
        result = llm.measure(
            opened or model,
            words.pairs,
            sentences.contexts,
            sentences.winograd,
            seed=seed,
            squares=sentences.squares,
            options=options,
            load=load,
        )
        if opened is not None and source.folder is not None and sentences.contexts:
            result = replace(result, beside=beside_tables(source.folder, opened))
        page = save(result, out)
    printing.tell(result.json, lambda: views.show_measurement(result, page))
    printing.where(page)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is drawn and read at once."""

    draws: Draws = 400
    batch_size: BatchSize = 32
    cache: Cache = None


def paper(
    model: Model,
    words: Words,
    effort: Effort,
    loading: Loading,
    printing: Printing,
    contexts: Annotated[
        str, typer.Option("--contexts", metavar="FILE|builtin", help="Paired contexts.")
    ] = "builtin",
    winograd: Annotated[
        str, typer.Option("--winograd", metavar="FILE|builtin", help="Winograd pairs.")
    ] = "builtin",
    weights_only: Annotated[
        bool, typer.Option("--weights-only", help="Read one tensor, run nothing: the first two figures.")
    ] = False,
    inner: Annotated[
        InnerName,
        typer.Option(
            "--inner",
            metavar="NAME",
            help="Of the headlines: euclid, causal or random; all stand in one table.",
        ),
    ] = "euclid",
    seed: Seed = 0,
    out: Measured = Path("lm-paper"),
    figures: FigureFiles = None,
) -> None:
    """The paper's figures of LLaMA-2, of any model: one page, in the paper's order."""
    from linrep import llm
    from linrep.cli.views import lm as views
    from linrep.files import require_writable
    from linrep.llm.source import locate
    from linrep.page.lm.paper import save, save_figures

    if weights_only and (contexts, winograd) != ("builtin", "builtin"):
        raise InputError("--weights-only: runs nothing; leave out --contexts and --winograd, or the flag")
    require_writable(out)
    require_writable(figures)
    load = loading.load_options()
    with talking(quiet=printing.quiet) as say:
        say(views.estimate(locate(model, load), in_full=not weights_only))
        found = llm.paper(
            model,
            words.pairs,
            None if weights_only else contexts,
            None if weights_only else winograd,
            seed=seed,
            options=llm.MeasureOptions(
                inner=inner,
                policy=words.policy(),
                draws=effort.draws,
                batch_size=effort.batch_size,
                cache=effort.cache,
            ),
            load=load,
        )
    written = [save(found, out), *([] if figures is None else save_figures(found, figures))]
    printing.tell(found.json, lambda: views.show_paper(found, written))
    printing.where(written[0])


def steer(
    model: Model,
    concept: Annotated[str, typer.Option("--concept", help="Which to push: male-female, …")],
    prompt: Annotated[
        list[str], typer.Option("--prompt", help="A text whose next word is watched; again for more.")
    ],
    words: Words,
    loading: Loading,
    printing: Printing,
    strength: Annotated[
        str,
        typer.Option(
            "--strength", metavar="A,B,…", help="At the head in nats, at a layer in context differences."
        ),
    ] = "-4,-2,2,4",
    contexts: Annotated[
        str | None,
        typer.Option("--contexts", metavar="FILE|builtin", help="Paired contexts, to push at a layer."),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option("--layer", min=0, metavar="N", help="Push the state after so many blocks."),
    ] = None,
    inner: Inner = "causal",
    seed: Seed = 0,
    out: Measured = Path("lm-steered"),
) -> None:
    """Push the state along a concept: its log-odds move, do others stay?"""
    from linrep import llm
    from linrep.cli.views import lm as views
    from linrep.files import require_writable
    from linrep.llm.source import locate
    from linrep.page.lm.steer import save

    if not all(text.strip() for text in prompt):
        raise InputError("--prompt: expected a text, got an empty one")
    strengths = numbers(strength, "--strength")
    if not any(strengths):
        raise InputError("--strength: expected a number other than 0, which is always read")
    require_writable(out)
    load = loading.load_options()
    with talking(quiet=printing.quiet) as say:
        source = locate(model, load)
        say(views.estimate(source, in_full=True))
        result = llm.steer(
            llm.load_model(source),
            concept,
            list(dict.fromkeys(prompt)),
            seed=seed,
            strengths=strengths,
            pairs=words.pairs,
            contexts=contexts if contexts or layer is None else "builtin",
            layer=layer,
            inner=inner,
            policy=words.policy(),
        )
    page = save(result, out)
    printing.tell(result.json, lambda: views.show_steering(result, page))
    printing.where(page)


def data(
    tokens: Tokens,
    hub: Hub,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", metavar="MODEL", help="Count the pairs that this one keeps.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the built-in data: where it comes from, how much there is, how much a tokenizer keeps."""
    from linrep.cli.views.data import show
    from linrep.llm.catalogue import catalogue

    with talking(quiet=True):
        found = catalogue(tokenizer, tokens.policy(), hub.load_options())
    Printing(as_json=as_json).tell(found.json, lambda: show(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Of a toy model and of its world."""

    quick: Annotated[bool, typer.Option("--quick", help="Fewer steps on smaller batches: half a minute.")] = (
        False
    )
    concepts: Annotated[
        int | None, typer.Option(min=1, help="Binary concepts of the world; 5, by width 4.")
    ] = None
    world: Annotated[
        Literal["independent", "balanced", "chain", "random"],
        typer.Option(help="How concepts depend on each other; balanced: not, and both states are as likely."),
    ] = "independent"
    frequency_ratio: Annotated[
        float,
        typer.Option(help="Speak of the commonest concept so many times as often as of the rarest."),
    ] = 1.0
    hidden: Annotated[int, typer.Option(help="Width of the residual stream.")] = 64
    layers: Annotated[int, typer.Option(help="Blocks.")] = 2
    heads: Annotated[int, typer.Option(help="Attention heads.")] = 4
    tied: Annotated[bool, typer.Option("--tied", help="One table for input and output.")] = False
    facts: Annotated[
        int, typer.Option(help="Names with a place, which have nothing to do with concepts.")
    ] = 64
    steps: Annotated[int | None, typer.Option(help="Training steps; by default 1200, quick 480.")] = None


def toy(
    out: Annotated[Path, typer.Option("--out", help="A new or empty folder.")],
    shape: Shape,
    printing: Printing,
    widths: Annotated[
        str | None,
        typer.Option(
            "--widths",
            metavar="A,B,…",
            help="Instead of one model: transformers of these widths beside the same world's tables.",
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Worlds, with --widths.")] = 1,
    checkpoints: Annotated[
        int, typer.Option(min=0, help="Keep so many on the way, in folders step0, step32, … of OUT.")
    ] = 0,
    seed: Seed = 0,
) -> None:
    """Train a small transformer on a language whose concepts are known, or many of them by width."""
    if widths is None:
        _one(out, shape, printing, seed, checkpoints)
    elif checkpoints:
        raise InputError("--checkpoints: expected one model, got --widths; leave one of them out")
    else:
        _by_width(out, shape, printing, seed, runs=runs, widths=numbers(widths, "--widths"))


def _one(out: Path, shape: Shape, printing: Printing, seed: int, checkpoints: int) -> None:
    from dataclasses import asdict

    from linrep.cli.views.toy import show_model
    from linrep.llm.toy import make_toy
    from linrep.progress import stage, with_excess

    settings = asdict(shape if shape.concepts else replace(shape, concepts=5))
    with talking(quiet=printing.quiet), stage("training") as advance:
        report = make_toy(out, seed=seed, checkpoints=checkpoints, progress=with_excess(advance), **settings)
    printing.tell(report.json, lambda: show_model(report))


def _by_width(
    out: Path, shape: Shape, printing: Printing, seed: int, *, runs: int, widths: list[float]
) -> None:
    from linrep.cli.views.toy import show_widths
    from linrep.files import require_writable
    from linrep.llm.toy import ToySettings, width_sweep
    from linrep.llm.toy.sweep import QUICK_SWEEP_STEPS, QUICK_TABLE_STEPS, SWEEP_STEPS, TABLE_STEPS
    from linrep.page.lm.widths import save
    from linrep.progress import stage

    if any(width != int(width) or width < 2 for width in widths):
        raise InputError("--widths: expected whole numbers of at least 2, separated by commas")
    steps = QUICK_SWEEP_STEPS if shape.quick else SWEEP_STEPS
    settings = ToySettings(
        concepts=4 if shape.concepts is None else shape.concepts,
        world=shape.world,
        layers=shape.layers,
        heads=shape.heads,
        tied=shape.tied,
        facts=0,
        steps=shape.steps or steps,
        batch_size=32,
        frequency_ratio=shape.frequency_ratio,
    )
    require_writable(out)
    with talking(quiet=printing.quiet), stage("models") as advance:
        sweep = width_sweep(
            seed=seed,
            widths=sorted({int(width) for width in widths}),
            settings=settings,
            runs=runs,
            table_steps=QUICK_TABLE_STEPS if shape.quick else TABLE_STEPS,
            progress=advance,
        )
    page = save(sweep, out)
    printing.tell(sweep.json, lambda: show_widths(sweep, page))
    printing.where(page)
