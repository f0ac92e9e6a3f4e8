"""A small page of every kind, made on the spot: of a run, of many, of vectors, of a language model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import linrep
from linrep.page.print_plot import thumbnail
from linrep.page.print_style import STYLE, as_svg
from linrep.page.shell import Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUNS = "On a world whose concepts are known"
VECTORS = "On vectors and language models"
WORK = "work"
"""Folder of what pages are made from: runs and a model, found again the next time."""
SMALL: dict[str, Any] = {
    "runs": 8,
    "world": {"kind": "random", "concepts": 3},
    "model": {"start": "wide"},
    "training": {"optimizer": "gd", "step_size": "auto", "steps": 1500},
    "compute": {"threads": 1},
}
WIDTHS = (2, 3, 4, 6, 10)
MODEL: dict[str, Any] = {
    "concepts": 4,
    "world": "balanced",
    "hidden": 32,
    "facts": 0,
    "steps": 480,
    "checkpoints": 8,
    "frequency_ratio": 4.0,
}
LABORATORY = True
"""Whether tables are trained beside the model's history."""
LM_WIDTHS, WIDTH_STEPS, TABLE_STEPS = (4, 8, 16), 200, 2000
PAIRS = 8
"""Word pairs that each concept of the small model has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A page, and its picture where that is not its first plot."""

    page: Page
    drawn: "Figure | None" = None

    @property
    def picture(self) -> str:
        """The thumbnail as an SVG; empty where nothing is drawn."""
        from matplotlib import rc_context

        with rc_context(STYLE):
            drawn = thumbnail(self.page.blocks) if self.drawn is None else self.drawn
        return "" if drawn is None else as_svg(drawn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of page."""

    name: str
    group: str
    title: str
    sentence: str
    command: str
    """By which it is made, or the call."""
    make: Callable[[Path], Made]
    """Given the folder of what is found again."""


def _run(work: Path) -> Made:
    from matplotlib import rc_context

    from linrep.laboratory.comparison import beside
    from linrep.page import cube, run_page
    from linrep.page.view import view

    result = linrep.run(SMALL, out=work / "run", progress=False)
    seen = view(result, beside(result))
    with rc_context(STYLE):
        return Made(page=run_page.page(seen), drawn=cube.thumbnail(seen))


def _sweep(work: Path) -> Any:
    return linrep.sweep(
        SMALL,
        {"model.dim": WIDTHS},
        title="A sweep over widths",
        question="How straight are concepts at each width?",
        out=work / "runs",
        progress=False,
    )


def _of_sweep(work: Path) -> Made:
    from linrep.paper.user_sweep import page

    return Made(page=page(_sweep(work)))


def _of_runs(work: Path) -> Made:
    from linrep.page.runs_page import page
    from linrep.runs.index import run_index
    from linrep.runs.store import Store

    _sweep(work)
    table = run_index(Store(work / "runs")).table
    return Made(page=page(table, x=None, y="final.linearity.unembedding.median", colour=None))


def _claims(work: Path) -> Made:
    from linrep.page import claims
    from linrep.page.print_forest import forest_figure
    from linrep.paper.claims.ledger import make_ledger

    ledger = make_ledger(work / "claims", quick=True)
    return Made(page=claims.page(ledger), drawn=forest_figure(claims.groups(ledger)[:2]))


def _reading(work: Path) -> Made:
    from matplotlib import rc_context

    from linrep.page.reading import page

    result = linrep.run(SMALL, out=work / "run", progress=False)
    world = result.worlds[0]
    reading = linrep.measure(
        result.embedding[0, : len(world.codes)],
        result.unembedding[0, : len(world.token_codes)],
        world=world,
        seed=0,
        progress=False,
    )
    drawn = page(reading)
    matrix = next(block for block in drawn.blocks if block.id.startswith("matrix-orthogonality"))
    with rc_context(STYLE):
        return Made(page=drawn, drawn=thumbnail([matrix]))


def _vectors(work: Path) -> Made:
    from linrep.page.vectors import page
    from linrep.vectors import measure_vectors

    six = {"kind": "random", "concepts": 6}
    result = linrep.run({**SMALL, "world": six, "runs": 1}, out=work / "run", progress=False)
    codes = result.worlds[0].token_codes
    attributes = {f"C{concept + 1}": codes[:, concept].tolist() for concept in range(codes.shape[1])}
    return Made(page=page(measure_vectors(result.unembedding[0].numpy(), attributes)))


def _model(work: Path) -> Path:
    """A small transformer with its history; trained where it is not there yet."""
    from linrep.llm.toy import make_toy

    folder = work / "model"
    if not (folder / "world.json").is_file():
        make_toy(folder, seed=0, **MODEL)
    return folder


def _options() -> Any:
    from linrep.llm import MeasureOptions, TokenPolicy

    return MeasureOptions(policy=TokenPolicy(minimum_pairs=PAIRS), draws=200)


def _lm(work: Path) -> Made:
    from linrep import llm
    from linrep.page.lm.page import page

    folder = _model(work)
    found = llm.measure(folder, folder / "pairs", folder / "contexts.jsonl", seed=0, options=_options())
    return Made(page=page(found))


def _lm_paper(work: Path) -> Made:
    from linrep import llm
    from linrep.page.lm.paper import page

    folder = _model(work)
    found = llm.paper(folder, folder / "pairs", folder / "contexts.jsonl", None, seed=0, options=_options())
    return Made(page=page(found))


def _emergence(work: Path) -> Made:
    from linrep import llm
    from linrep.page.lm.emergence import page

    folder = _model(work)
    found = llm.emergence(
        folder,
        None,
        folder / "pairs",
        folder / "contexts.jsonl",
        seed=0,
        counts=folder / "counts.csv",
        options=_options(),
        laboratory=LABORATORY,
    )
    return Made(page=page(found))


def _steer(work: Path) -> Made:
    from linrep import llm
    from linrep.llm.inputs import as_contexts
    from linrep.page.lm.steer import page

    folder = _model(work)
    contexts = sorted(as_contexts(folder / "contexts.jsonl"), key=lambda each: each.concept)
    concept, prompts = contexts[0].concept, contexts[0].context0[:4]
    found = llm.steer(
        folder, concept, prompts, seed=0, pairs=folder / "pairs", policy=_options().policy, inner="euclid"
    )
    return Made(page=page(found))


def _widths(work: Path) -> Made:
    del work  # seconds
    from linrep.llm.toy import ToySettings, width_sweep
    from linrep.page.lm.widths import page

    settings = ToySettings(concepts=3, layers=1, heads=1, facts=0, steps=WIDTH_STEPS, batch_size=32)
    return Made(page=page(width_sweep(seed=0, widths=LM_WIDTHS, settings=settings, table_steps=TABLE_STEPS)))


_of = partial(Kind, group=RUNS)
_about = partial(Kind, group=VECTORS)
KINDS = (
    _of(
        name="run",
        command="linrep run",
        title="A run",
        sentence="From a random cloud to directions: each measure with its null, interval and prediction.",
        make=_run,
    ),
    _of(
        name="sweep",
        command="linrep sweep",
        title="A sweep",
        sentence="Every cell of a grid, and over its axes what the runs that converged come to.",
        make=_of_sweep,
    ),
    _of(
        name="runs",
        command="linrep runs --page",
        title="A folder of runs",
        sentence="One dot a run, its shape by how it ended.",
        make=_of_runs,
    ),
    _of(
        name="claims",
        command="linrep claims",
        title="The claims",
        sentence="Each claim of the paper beside the control in which it must fail.",
        make=_claims,
    ),
    _about(
        name="reading",
        command="linrep.measure(F, G, …).page(…)",
        title="Tables of your own network",
        sentence="F and G, however they were trained, under the same ruler.",
        make=_reading,
    ),
    _about(
        name="vectors",
        command="linrep measure",
        title="Any vectors",
        sentence="Which attributes of their rows are directions, drawn along them.",
        make=_vectors,
    ),
    _about(
        name="lm",
        command="linrep lm measure",
        title="A language model",
        sentence="Word pairs and contexts: which concepts are directions, and do both agree?",
        make=_lm,
    ),
    _about(
        name="lm-paper",
        command="linrep lm paper",
        title="The paper's figures of a model",
        sentence="The four figures of the paper, of any model, in its order.",
        make=_lm_paper,
    ),
    _about(
        name="lm-emergence",
        command="linrep lm emergence",
        title="A model's history",
        sentence="At which checkpoint each concept becomes a direction, commoner ones first or not.",
        make=_emergence,
    ),
    _about(
        name="lm-steer",
        command="linrep lm steer",
        title="An intervention",
        sentence="A state pushed along one concept: its log-odds move, do others stay?",
        make=_steer,
    ),
    _about(
        name="lm-widths",
        command="linrep lm toy --widths",
        title="Transformers beside tables",
        sentence="Does the geometry of the theory survive a transformer, and at which width?",
        make=_widths,
    ),
)
"""In the order in which they are shown."""
