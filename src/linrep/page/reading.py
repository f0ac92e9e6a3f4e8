"""The page and the figures of tables that a user measured, and of a trace that a user made."""

from typing import TYPE_CHECKING, Any

import linrep
from linrep.errors import InputError, many, shown
from linrep.page import heat
from linrep.page.interactive import chosen, figure
from linrep.page.interval import Estimates, Trace, line, null, points
from linrep.page.numbers import ABSENT, cosine, count, finite, short
from linrep.page.shell import Block, Page, Section, assemble

if TYPE_CHECKING:
    import plotly.graph_objects as go

WORDS = {"embedding": "F", "unembedding": "G", "both": "F, G"}
COSINES = ("linearity", "alignment", "orthogonality", "additive", "simplex_share", "hierarchy")
"""How measures begin that lie between -1 and 1."""


def reading_page(reading: Any) -> str:
    """The page of a :class:`linrep.laboratory.reading.Reading`."""
    return assemble(page(reading))


def title(reading: Any) -> str:
    """The headline measures and what chance gives, in one sentence."""
    rows = [row for row in reading.rows if not row.concept and row.measure in ("linearity", "alignment")]
    found = ", ".join(f"{row.measure} of {WORDS[row.table]} {cosine(row.value)}" for row in rows)
    said = f"{found} (chance {', '.join(cosine(row.null.mean) for row in rows)})"
    return f"{said[:1].upper()}{said[1:]}"


def page(reading: Any) -> Page:
    """All that it says."""
    blocks = _blocks(reading)
    return Page(
        title=title(reading),
        kicker="Vectors under the ruler",
        facts=[
            ("Concepts", f"{len(reading.concepts)}: {', '.join(reading.concepts)}"),
            *(
                (
                    WORDS[name],
                    f"{many(rows, 'row')} of dimension {dim}, {many(runs, 'run')}",
                )
                for name, (runs, rows, dim) in reading.sizes.items()
            ),
            ("Seed", str(reading.seed)),
        ],
        sections=[
            Section(id="drawn", title="Measures", blocks=blocks),
            Section(id="numbers", title="Numbers", blocks=[_overall(reading), _by_concept(reading)]),
        ],
        footer=f"linrep {linrep.__version__}. Similarities are cosines; losses and log-odds are in nats.",
    )


def reading_plot(reading: Any, kind: str | None = None) -> "go.Figure":
    """One plot of that page.

    Raises:
        InputError: No such plot; names those there are.
    """
    blocks = {block.id.replace("-", "_"): block for block in _blocks(reading)}
    if kind is not None and kind in reading.matrices:
        return figure(blocks[_identity(kind).replace("-", "_")])
    if kind not in (None, "measures"):
        names = ", ".join(["measures", *reading.matrices])
        raise InputError(f"plot: no kind {shown(kind)}; this has {names}")
    return chosen(blocks.values(), kind)


def trace_plot(trace: Any, kind: str) -> "go.Figure":
    """One measure of a trace over its steps: mean over runs and concepts, and its null.

    Raises:
        InputError: No such measure; names those there are.
    """
    import plotly.graph_objects as go

    rows = trace[(trace["measure"] == kind) & (trace["concept"] == "")]
    if not len(rows):
        raise InputError(f"plot: no kind {shown(kind)}; this has {', '.join(trace['measure'].unique())}")
    data: list[Trace] = []
    for (table, what), part in rows.groupby(["table", "kind"], sort=False):
        level = part.groupby("step")["value"].mean()
        name, x, y = WORDS.get(table, kind), level.index.tolist(), level.tolist()
        if what == "null":
            data += null(x, y, name=f"{name}, null")
        else:
            data += line(Estimates(name=name, colour=f"--{table or 'both'}", x=x, centre=y))
    layout = {"showlegend": True, "xaxis": {"title": {"text": "step"}}, "yaxis": {"title": {"text": kind}}}
    block = Block(id="trace", kind="plot", title=kind, spec={"data": data, "layout": layout})
    drawn: go.Figure = figure(block)
    return drawn


def _blocks(reading: Any) -> list[Block]:
    return [_measures(reading), *(_matrix(reading, name) for name in reading.matrices)]


def _measures(reading: Any) -> Block:
    """Every measure that is a cosine or a share, with interval, null and the null's 95 % quantile."""
    rows = [
        row
        for row in reading.rows
        if not row.concept and row.measure.startswith(COSINES) and finite(row.value) is not None
    ]
    names = [row_name(row) for row in rows]
    measured = Estimates(
        name="measured",
        colour="--accent",
        x=names,
        centre=[row.value for row in rows],
        low=[row.low for row in rows],
        high=[row.high for row in rows],
    )
    chance = Estimates(name="null, 95 %", colour="--null", x=names, centre=[row.null.q95 for row in rows])
    data = [
        *points(measured, size=9, along="x"),
        *points(chance, symbol="line-ns-open", size=9, outline=2.0, along="x"),
    ]
    layout = {
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": {"range": [min([-0.05, *(1.1 * row.value for row in rows)]), 1.05]},
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
        "margin": {"l": 170, "r": 12, "t": 8, "b": 36},
    }
    said = "; ".join(
        f"{name} {cosine(row.value)} (null {cosine(row.null.mean)})"
        for name, row in zip(names, rows, strict=True)
    )
    return Block(
        id="measures",
        kind="plot",
        title="Measured, and what chance gives",
        caption="Dots with 95 % intervals; bars mark what 95 % of random pairs (shuffled rows) stay below.",
        alt=f"Measures: {said}.",
        spec={"data": data, "layout": layout},
        size="wide",
    )


def _matrix(reading: Any, name: str) -> Block:
    matrix = reading.matrices[name].plain()
    cells = [[ABSENT if finite(value) is None else f"{value:.2f}" for value in row] for row in matrix]
    return Block(
        id=_identity(name),
        kind="plot",
        title=_title(name),
        alt=f"Heatmap, concept by concept: {name}.",
        spec=heat.square(reading.concepts, matrix, cells),
    )


def _overall(reading: Any) -> Block:
    rows = [row for row in reading.rows if not row.concept]
    return Block(
        id="overall",
        kind="table",
        title="Every measure",
        columns=["measure", "value", "95 % interval", "null (95 %)", "pairs"],
        rows=[
            [
                row_name(row),
                short(row.value),
                f"[{short(row.low)}, {short(row.high)}]" if finite(row.low) is not None else ABSENT,
                f"{short(row.null.mean)} ({short(row.null.q95)})"
                if finite(row.null.mean) is not None
                else ABSENT,
                count(row.pairs) if row.pairs else ABSENT,
            ]
            for row in rows
        ],
        size="wide",
    )


def _by_concept(reading: Any) -> Block:
    kinds = [row for row in reading.rows if not row.concept]
    named = {(row.measure, row.table, row.concept): row.value for row in reading.rows}
    kinds = [
        row for row in kinds if any((row.measure, row.table, each) in named for each in reading.concepts)
    ]
    return Block(
        id="concepts",
        kind="table",
        title="By concept",
        columns=["concept", *(row_name(row) for row in kinds)],
        rows=[
            [each, *(cosine(named.get((row.measure, row.table, each))) for row in kinds)]
            for each in reading.concepts
        ],
        size="wide",
    )


def row_name(row: Any) -> str:
    """A measure and its table, such as "orthogonality, mean directions, G"."""
    return f"{row.measure.replace('_', ' ').replace('.', ', ')}, {WORDS[row.table]}"


def _title(name: str) -> str:
    """Of a matrix: "orthogonality.rms.embedding" is the RMS overlap of F."""
    measure, _, rest = name.partition(".")
    if measure != "orthogonality":
        return f"{measure[:1].upper()}{measure[1:]} of F (rows) with G"
    form, _, table = rest.partition(".")
    return (
        f"Overlap of {'F' if table else 'G'}, {form.replace('_', ' ').replace('rms', 'RMS of all vectors')}"
    )


def _identity(name: str) -> str:
    return f"matrix-{name}".replace(".", "-").replace("_", "-")
