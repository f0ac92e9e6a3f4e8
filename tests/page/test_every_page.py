"""Every kind of page is read in a real browser: contrast, keyboard, narrow screens, errors, requests."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
import torch

import linrep
from linrep.llm import MeasureOptions, measure, paper, steer
from linrep.llm.toy import ToySettings
from linrep.llm.toy.sweep import Kind, Trained, WidthSweep
from linrep.page import claims, runs_page, vectors
from linrep.page.cards import Card
from linrep.page.experiment import experiment_page, index_page
from linrep.page.gallery import gallery_page
from linrep.page.lm import emergence, widths
from linrep.page.lm import page as lm_page
from linrep.page.lm import paper as lm_paper
from linrep.page.lm import steer as lm_steer
from linrep.page.reading import reading_page
from linrep.page.scale import Standing
from linrep.page.shell import Block, Line, Page, Section, assemble
from linrep.paper.claims.ledger import Ledger
from linrep.paper.claims.verdict import Claim, Estimate, Rule, Trial
from linrep.paper.effects import above, below
from linrep.paper.exhibition import missing
from linrep.paper.record import Answer
from linrep.paper.report import picture
from linrep.runs.row import NullRange, Row
from linrep.vectors import VectorsOptions, measure_vectors
from tests.llm.planted import planted
from tests.paper.test_user_sweep import report, two_axes
from tests.vectors.planted import additive, grid, named

from .audit import faults
from .test_emergence_page import history

pytestmark = pytest.mark.browser


def many_runs() -> str:
    """Runs of three widths and two optimizers, some too narrow, one on a plateau."""
    size = 24
    width = [2 + n % 3 * 2 for n in range(size)]
    shares = {"converged": [float(k > 2) for k in width], "too_narrow": [float(k == 2) for k in width]}
    table = {
        "run": [f"chain-k{k}-{n:03d}" for n, k in enumerate(width)],
        "model.dim": width,
        "concepts": [4] * size,
        "training.optimizer": ["gd" if n % 2 else "adam" for n in range(size)],
        "counts.tokens": [16] * size,
        "counts.runs": [3] * size,
        "final.linearity.unembedding.median": [0.3 + 0.02 * n for n in range(size)],
        "final.linearity.unembedding.null.mean": [0.01] * size,
        **{f"ended.shares.{word}": given for word, given in shares.items()},
    }
    return runs_page.render(pa.table(table), x=None, y="final.linearity.unembedding.median", colour=None)


def answered() -> Answer:
    """One effect of each standing."""
    effects = [
        above("linearity of g, m = 3", linrep_effect([0.9, 0.95, 0.97, 0.99]), 0.5),
        above("linearity of g, m = 4", linrep_effect([0.1, 0.2, 0.12, 0.2]), 0.5),
        below("overlap, m = 4", linrep_effect([0.0, 0.9, 0.2, 0.5]), 0.3),
    ]
    return Answer(
        standing="undecided",
        finding="it depends.",
        rule="By intervals.",
        effects=tuple(effects),
        would_change="More runs.",
    )


def linrep_effect(values: Sequence[float]) -> Any:
    from linrep.intervals import average

    return average(torch.tensor(values, dtype=torch.float64))


def experiment() -> str:
    given = report(two_axes())
    study = replace(given.experiment, answer=lambda numbers: answered())
    return assemble(experiment_page(replace(given, experiment=study)))


def index() -> str:
    record = report(two_axes()).record()
    each = [record | {"standing": word, "deciding": "–", "share": "3 of 4"} for word in ("yes", "no", "note")]
    return assemble(index_page(each, {record["name"]: picture(report(two_axes()))}))


def ledger() -> str:
    rule = Rule(kind="at least", bound=0.95, target=1.0)
    good, bad = (Estimate(mean=m, interval95=(m - 0.01, m + 0.01), seeds=20) for m in (0.98, 0.3))
    test = Trial(name="k = m", quantity="linearity of g", experiments=("narrow",), measured=good, rule=rule)
    control = replace(test, name="k ≫ m", measured=bad).control(breaks="k = m")
    told = {"short": "s", "statement": "Concepts become directions."}
    holds = Claim(id="C1", title="One holds", trials=(test, control), **told)
    fails = Claim(id="C2", title="One fails", trials=(replace(test, measured=bad),), **told)
    undecided = Claim(id="C3", title="One is undecided", trials=(control,), **told)
    configs = {"narrow": {"world": {"kind": "chain", "concepts": 3}}}
    return claims.render(Ledger(scale="tiny", claims=(holds, fails, undecided), configs=configs))


def model() -> str:
    world = planted()
    options = MeasureOptions(inner="euclid", draws=100, layer="all")
    return lm_page.render(
        measure(world.pair, world.pairs, world.contexts, world.winograd, seed=0, options=options)
    )


def figures_of_the_paper() -> str:
    world, options = planted(), MeasureOptions(inner="euclid", draws=100)
    return lm_paper.render(
        paper(world.pair, world.pairs, world.contexts, world.winograd, seed=0, options=options)
    )


def pushed() -> str:
    world = planted()
    prompts = ("frame0 redend0v0", "frame1 redend0v0")
    return lm_steer.render(steer(world.pair, "red", prompts, seed=0, pairs=world.pairs, inner="euclid"))


def by_width() -> str:
    keys = [
        (measure, table)
        for measure in ("linearity", "orthogonality_mean", "orthogonality_rms")
        for table in ("unembedding", "embedding")
    ]
    kinds: tuple[Kind, ...] = ("transformer", "tables")
    trained = tuple(
        Trained(
            model=kind,
            width=width,
            seed=0,
            concepts=3,
            excess_loss_nats=0.1 / width,
            rows=tuple(
                Row(concept="", measure=measure, table=table, value=0.5 + 0.01 * width, low=0.4, high=0.9,
                    null=NullRange(mean=0.1, low=0.0, high=0.2, q95=0.2))
                for measure, table in [*keys, ("alignment", "")]
            ),
        )
        for width in (4, 8)
        for kind in kinds
    )  # fmt: skip
    settings = ToySettings(concepts=3, layers=1, steps=2)
    return widths.render(WidthSweep(settings=settings, seed=0, runs=1, widths=(4, 8), trained=trained))


def attributed() -> str:
    codes = grid((2, 2, 2), copies=10)
    table = additive(codes, 2 * torch.eye(3, 6), 0.3)
    return vectors.render(measure_vectors(table, named(codes), options=VectorsOptions(draws=60)))


def read() -> str:
    f, g = np.random.default_rng(0).normal(size=(2, 8, 5))
    pairs = {"sex": [[0, 4], [1, 5], [2, 6]], "age": [[0, 1], [2, 3]]}
    return reading_page(linrep.measure(f, g, pairs=pairs, seed=0))


def of_checkpoints() -> str:
    return emergence.render(history([2048, 512, 128, None, 8], (16.0, 64.0, 256.0, 1024.0, 4096.0)))


def hung() -> str:
    """Experiments with each answer, and kinds of pages with and without a picture."""
    drawn = picture(report(two_axes()))
    found = [
        Card(title=word, sentence=f"Is it {word}?", href="page.html", there=word, picture=drawn)
        for word in get_args(Standing)
    ]
    kinds = [
        Card(title=name, sentence="A long sentence of what it shows. " * 3, href="page.html",
             command="linrep lm emergence", picture=svg)
        for name, svg in (("A run", drawn), ("A very_long_name_without_a_place_to_break_it", ""))
    ]  # fmt: skip
    return assemble(gallery_page(found, {"Pages": kinds}, missing({"order": found[0]})))


MAKERS: dict[str, Callable[[], str]] = {
    "runs": many_runs,
    "sweep": lambda: assemble(experiment_page(report(two_axes()))),
    "experiment": experiment,
    "index": index,
    "claims": ledger,
    "language model": model,
    "figures of the paper": figures_of_the_paper,
    "pushed": pushed,
    "emergence": of_checkpoints,
    "gallery": hung,
    "widths": by_width,
    "vectors": attributed,
    "reading": read,
}


@pytest.mark.parametrize("kind", MAKERS)
def test_nothing_is_in_a_readers_way(kind: str, chromium: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(MAKERS[kind](), encoding="utf-8")
    assert faults(chromium, path) == []


@pytest.mark.parametrize("which", ["dags_page", "categorical_page", "hostile_page"])
def test_nothing_is_in_the_way_on_a_runs_page(
    which: str, chromium: Any, request: pytest.FixtureRequest
) -> None:
    assert faults(chromium, request.getfixturevalue(which)) == []


def small() -> str:
    """A page with a table and a note."""
    table = Block(id="t", kind="table", title="Numbers", columns=("a", "b"), rows=[("1", "2")])
    section = Section(id="s", title="A section", blocks=[table])
    return assemble(
        Page(title="A page", kicker="Small", lines=[Line(there="yes", claim="So.")], sections=[section])
    )


def test_a_small_page_has_no_fault(chromium: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(small(), encoding="utf-8")
    assert faults(chromium, path) == []


@pytest.mark.parametrize(
    ("planted_fault", "said"),
    [
        ('<p style="color:#999;background:#fff">pale</p>', "contrast 2.85 of “pale”"),
        ('<p style="color:light-dark(#15191f,#444)">pale at night</p>', "contrast"),
        ('<svg><text y="20" style="fill:#aaa">drawn pale</text></svg>', "of “drawn pale”"),
        ('<div style="width:2000px">wide</div>', "scrolls sideways"),
        ('<div tabindex="3">first</div>', "tabindex 3 of DIV"),
        ('<span role="button">no key</span>', "no keyboard reaches SPAN"),
        (
            '<div style="overflow-x:auto;width:50px"><p style="width:90px">cut</p></div>',
            "no keyboard scrolls",
        ),
        ('<button type="button"></button>', "no name: BUTTON"),
        ('<button style="outline:none">no ring</button>', "focus is not seen on BUTTON"),
        ('<img src="https://example.org/x.png" alt="x">', "console: "),
        ("<div inert><button>out of reach</button></div>", "no tab reaches BUTTON"),
    ],
)
def test_a_planted_fault_is_found(planted_fault: str, said: str, chromium: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(small().replace("</main>", f"{planted_fault}</main>"), encoding="utf-8")
    assert any(said in fault for fault in faults(chromium, path))


def test_a_figure_that_is_not_drawn_is_found(chromium: Any, tmp_path: Path) -> None:
    path, page = tmp_path / "page.html", many_runs()
    call = "Plotly.react(element, resolve(data)"
    assert page.count(call) == 1
    path.write_text(page.replace(call, "((...given) => given)(element, resolve(data)"), encoding="utf-8")
    assert any("not drawn: scatter-plot" in fault for fault in faults(chromium, path))
