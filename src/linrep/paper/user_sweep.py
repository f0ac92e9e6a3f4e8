"""A user's own sweep: no question of ours, so its page says what is largest and smallest, and draws it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from linrep.page import axis_words
from linrep.page.chart import Series, chart, colour, heatmap, numeric
from linrep.page.dots import drawn as runs_drawn
from linrep.page.dots import keys
from linrep.page.experiment import experiment_page
from linrep.page.interactive import chosen
from linrep.page.interval import Trace
from linrep.page.numbers import cosine, finite, listed
from linrep.page.runs_plot import MOST_WRITTEN, even_in_log
from linrep.page.shell import Block, Page, assemble
from linrep.paper.ended import CONVERGED
from linrep.paper.measured import measured_line
from linrep.paper.record import Answer, Experiment, nothing
from linrep.paper.report import Report
from linrep.paper.sweep_dots import Theory, dots_of, theory_of
from linrep.paper.table import cells_of
from linrep.paper.yardsticks import controls, ended_chart
from linrep.sweeps.grid import Cell
from linrep.sweeps.numbers import Numbers
from linrep.sweeps.result import SweepResult

if TYPE_CHECKING:
    import plotly.graph_objects as go

RULE = "The mean linearity of g over the runs of a cell that converged, compared over cells that have some."
MEASURES = (
    ("Linearity of g", "linearity", "unembedding"),
    ("Linearity of f", "linearity", "embedding"),
    ("Alignment", "alignment", ""),
)
SEED = "seed"
"""An axis that is no choice: another draw of the same."""
MANY = 10
"""Most lines in one figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which axis of a sweep is drawn how."""

    along: str
    """Across."""
    lines: str | None
    """One line for each of its points."""
    pooled: tuple[str, ...]
    """Not told apart."""
    map: bool
    """Whether both are numbers, so that a map over them can be drawn."""
    log: bool
    """Whether the axis across is logarithmic."""


def user_experiment(name: str, grid: Sequence[Cell] = ()) -> Experiment:
    """What the machinery of experiments needs to make pages of any sweep.

    Args:
        name: Of the sweep.
        grid: Its cells; without them neither limits nor k = m are drawn.
    """
    return Experiment(name=name, answer=_answer, figures=partial(_figures, theory=theory_of(grid)))


def sweep_page(found: SweepResult) -> str:
    """The page of a sweep that was run from Python."""
    return assemble(page(found))


def page(found: SweepResult) -> Page:
    """All that it says."""
    axes = ", ".join(f"{axis.name!r}: {[point.label for point in axis.points]}" for axis in found.sweep.axes)
    report = Report(
        experiment=_experiment(found),
        sweep=found.sweep,
        numbers=found.numbers,
        outcomes=found.outcomes,
        seconds=found.seconds,
        command=f"linrep.sweep(base, {{{axes}}})",
    )
    return experiment_page(report)


def sweep_plot(found: SweepResult, kind: str | None = None) -> "go.Figure":
    """One figure of that page.

    Args:
        found: The sweep.
        kind: Which; None for the first.

    Raises:
        InputError: No such figure; names those there are.
    """
    return chosen(_experiment(found).figures(found.numbers), kind)


def _experiment(found: SweepResult) -> Experiment:
    return user_experiment(found.sweep.name, [each.cell for each in found.outcomes])


def _answer(numbers: Numbers) -> Answer:
    found = {
        ", ".join(map(axis_words.point, numbers.axes, labels)): value
        for labels, cell in cells_of(numbers)
        if not math.isnan(value := cell.mean("linearity", "unembedding", ended=CONVERGED))
    }
    if not found:
        return nothing(RULE)
    low, high = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
    finding = f"mean linearity of g runs from {cosine(found[low])} ({low}) to {cosine(found[high])} ({high})."
    return Answer(standing="note", finding=finding, rule=RULE)


def _layout(numbers: Numbers) -> Layout:
    """The longest axis of numbers (else the first) across, lines by another one, if possible of numbers."""
    names = [name for name in numbers.axes if name != SEED] or list(numbers.axes)
    numbered = [name for name in names if _are_numbers(numbers.axes[name])]
    along = max(numbered or names[:1], key=lambda name: len(numbers.axes[name]))
    others = sorted((name for name in names if name != along), key=lambda name: name not in numbered)
    lines = others[0] if others else None
    return Layout(
        along=along,
        lines=lines,
        pooled=tuple(name for name in numbers.axes if name not in (along, lines)),
        map=along in numbered and lines in numbered,
        log=along in numbered and even_in_log([float(each) for each in numbers.axes[along]]),
    )


def _are_numbers(labels: Sequence[str]) -> bool:
    return not isinstance(numeric(labels)[0], str)


def _figures(numbers: Numbers, theory: Theory) -> list[Block]:
    """Every run against one axis, in a colour per point of another, and how they ended; and as maps."""
    layout = _layout(numbers)
    groups = [("", numbers)]
    if layout.lines is not None:
        groups = [(axis_words.point(layout.lines, at), part) for at, part in numbers.each(layout.lines)]
    caption = _caption(numbers, layout, len(groups))
    drawn = groups[:MANY]
    return [
        *(_chart(numbers, drawn, layout, measure, caption, theory) for measure in MEASURES),
        ended_chart("ended", drawn, layout.along),
        *(_maps(numbers, layout.along, layout.lines) if layout.map and layout.lines else ()),
    ]


def _chart(
    numbers: Numbers,
    groups: Sequence[tuple[str, Numbers]],
    layout: Layout,
    measured: tuple[str, str, str],
    caption: str,
    theory: Theory,
) -> Block:
    along, (title, *key) = layout.along, measured
    measure, table = key
    lines: list[Series] = []
    found: list[Trace] = []
    ends: set[str] = set()
    for index, (name, part) in enumerate(groups):
        cells = part.each(along)
        shade = colour(index) if name else "--ink"
        mean = measured_line(
            name or "mean of those that converged", shade, cells, (measure, table), marker=""
        )
        lines.append(replace(mean, plain=True))
        dots = [dot for at, cell in cells for dot in dots_of(at, cell, measure, table)]
        found += runs_drawn(dots, "", shade if name else None, listed=False, size=numbers.runs())
        ends |= {dot.ended for dot in dots}
    whole = numbers.each(along)
    lines += controls(numeric([at for at, _ in whole]), [cell for _, cell in whole], measure, table)
    lines += theory.lines(layout.along, (measure, table))
    name = f"{measure}-{table}".strip("-")
    x, y = axis_words.title(along), "mean cosine"
    block = chart(
        name, title, [each for each in lines if each.x], x=x, y=y, log_x=layout.log, caption=caption
    )
    spec = dict(block.spec or {})
    spec["data"] = [*spec["data"], *found, *keys(ends, own=not groups[0][0])]
    return replace(block, spec=spec)


def _caption(numbers: Numbers, layout: Layout, lines: int) -> str:
    """What the axes of a figure do not say: what a dot and a line are, whose the controls are."""
    along = axis_words.title(layout.along)
    line = "Lines join means" if _are_numbers(numbers.axes[layout.along]) else "Dots in the middle are means"
    said = [f"Every dot is a run, its shape how it ended. {line} of runs that converged."]
    if layout.pooled:
        pooled = listed([axis_words.title(name) for name in layout.pooled])
        said.append(f"Runs of every {pooled} are taken together.")
    if lines > MANY:
        said.append(f"The first {MANY} of {lines} lines are drawn.")
    said.append(f"Random pairs and untrained: means over all cells at the same {along}.")
    return " ".join(said)


def _maps(numbers: Numbers, along: str, up: str) -> list[Block]:
    """Linearity of g and the share of runs that converged over two axes of numbers."""

    def linearity(cell: Numbers) -> float:
        return cell.mean("linearity", "unembedding", ended=CONVERGED)

    def share(cell: Numbers) -> float:
        return cell.shares()[CONVERGED]

    return [
        _map(
            "linearity",
            "Linearity of g",
            "Mean over the runs of a cell that converged.",
            numbers,
            along,
            up,
            linearity,
        ),
        _map("converged", "Converged runs", "Share of the runs of a cell.", numbers, along, up, share),
    ]


def _map(
    name: str,
    title: str,
    caption: str,
    numbers: Numbers,
    along: str,
    up: str,
    number: Callable[[Numbers], float],
) -> Block:
    """One number of each cell, the smallest points of both axes at the lower left."""
    columns, rows = (sorted(numbers.axes[axis], key=float) for axis in (along, up))
    rows.reverse()
    values = [[number(numbers.of(**{along: at, up: row})) for at in columns] for row in rows]
    x, y = axis_words.title(along), axis_words.title(up)
    return heatmap(
        f"map-{name}",
        f"{title} by {x} and {y}",
        [[finite(value) for value in line] for line in values],
        rows,
        columns,
        x=x,
        y=y,
        alt=f"Heatmap: {title} by {x} and {y}. {caption}",
        caption=caption,
        written=len(rows) * len(columns) <= MOST_WRITTEN,
        size="half",
    )
