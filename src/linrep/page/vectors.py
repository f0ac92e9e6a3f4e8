"""The page of measured vectors: the shell of every page, with the map, tables, overlaps and anomalies."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import linrep
from linrep.files import one_line_errors, write_file
from linrep.page import heat, palette
from linrep.page.interval import BESIDE, Estimates, Trace, line
from linrep.page.numbers import ABSENT, cosine, count, short
from linrep.page.scale import Scale, Standing
from linrep.page.shell import Block, Line, Page, Section, assemble, label
from linrep.runs.row import Row
from linrep.runs.spreadsheet import frame_to_csv
from linrep.runs.tidy import plain
from linrep.vectors import VectorsResult
from linrep.vectors.result import POINT

BELOW = {"legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.2, "yanchor": "top"}}
"""On a narrow screen the legend stands below."""
MATRICES = {
    "orthogonality_mean": ("Mean directions", "|cosine|"),
    "orthogonality_rms": ("All steering vectors", "RMS cosine"),
}


def save(result: VectorsResult, out: Path) -> Path:
    """Write `result.json`, the tables, the map and `page.html`; returns the page."""
    with one_line_errors(out):
        result.save(out)
        write_file(out / "page.html", render(result).encode())
    return out / "page.html"


def render(result: VectorsResult) -> str:
    """One HTML file that opens offline."""
    return assemble(page(result))


def page(result: VectorsResult) -> Page:
    """All that the page of attributed vectors says."""
    concepts, given = result.summary["concepts"], result.summary["vectors"]
    sections = [
        Section(id="map", title="Map by concept axes", blocks=_maps(result)),
        Section(id="concepts", title="Concepts", blocks=[_concepts(result)]),
        Section(id="overlap", title="Overlap", blocks=[_heat(result, name) for name in MATRICES]),
        Section(id="stability", title="Under noise", blocks=[_noise(result)]),
        Section(id="transfer", title="Carried over", blocks=_transfer(result)),
        Section(id="anomalies", title="Anomalies", blocks=_anomalies(result)),
    ]
    inner = result.summary["inner"]["inner"]
    return Page(
        title=title(result),
        kicker=f"{given['source']}, attributes {result.summary['attributes']['source']}",
        lines=_lines(result),
        thresholds=(
            "A concept has a direction (“yes”) when shuffling its attribute does as well in at most 5 % of "
            "draws; how straight it is, linearity says.",
            "A direction carries over when its interval over held-out pairs lies above every map fitted to "
            "shuffled rows.",
        ),
        facts=[
            ("Rows", count(given["rows"])),
            ("Dimension", count(given["dim"])),
            ("Concepts", ", ".join(each["name"] for each in concepts)),
            ("Inner product", {"euclid": "Euclidean", "causal": "causal, Cov(x)⁻¹"}[inner]),
            ("Rows joined by", result.summary["attributes"]["joined_by"]),
            ("Seed", str(result.summary["seed"])),
        ],
        sections=[section for section in sections if section.blocks],
        footer=f"linrep {linrep.__version__}. Similarities are cosines.",
    )


def title(result: VectorsResult) -> str:
    """What was found, in one sentence."""
    concepts = result.summary["concepts"]
    found = sum(bool(each["found"]) for each in concepts)
    return f"{found} of {len(concepts)} concepts have a direction in these vectors"


def _lines(result: VectorsResult) -> list[Line]:
    lines: list[Line] = []
    for each in result.summary["concepts"]:
        linear, halves = (result.value(measure, each["name"]) for measure in ("linearity", "split_half"))
        if not math.isnan(linear.value):
            detail = f"Linearity {cosine(linear.value)} over {count(each['pairs_used'])} matched pairs, "
            detail += f"{cosine(linear.shuffled.q95)} is the shuffled attribute's 95\u00a0% quantile."
        else:
            detail = f"Difference of class means; two halves of the rows agree to {cosine(halves.value)}."
        states = f"{each['low']} → {each['high']}"
        claim = each["name"] if each["name"].endswith(states) else f"{each['name']} ({states})"
        lines.append(
            Line(
                there=answer(each["found"]),
                claim=f"{claim}.",
                scales=[] if math.isnan(linear.value) else [of_linearity(linear)],
                detail=detail,
            )
        )
    return [
        *lines,
        *(Line(there="note", claim="Note:", detail=f"{note}.") for note in result.summary["notes"]),
    ]


def answer(found: bool | None) -> Standing:
    """Whether a concept has a direction; None where it was not asked."""
    return "note" if found is None else "yes" if found else "no"


def of_linearity(row: Row) -> Scale:
    """How straight a concept is, against its shuffled attribute."""
    return Scale(
        name="linearity",
        value=row.value,
        interval95=(row.low, row.high),
        null=row.shuffled.q95,
        null_name="shuffled attribute",
    )


def _maps(result: VectorsResult) -> list[Block]:
    axes: list[str] = result.summary["map"]["axes"]
    if len(axes) < 2:
        return []
    return [_map(result, 1), *([_map(result, 2)] if len(axes) == 3 else [])]


def _map(result: VectorsResult, up: int) -> Block:
    """Rows by the first axis and another, coloured by the value of the first."""
    axes: list[str] = result.summary["map"]["axes"]
    attributes: list[str] = result.summary["attributes"]["columns"]
    owner = next(name for name in attributes if axes[0] == name or axes[0].startswith(f"{name}: "))
    key = f"{owner} (attribute)" if owner in POINT else owner
    values = sorted({point[key] for point in result.points})
    traces: list[dict[str, Any]] = []
    for i, value in enumerate(values):
        points = [point for point in result.points if point[key] == value]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label(f"{owner}: {value or 'missing'}"),
                "x": [point["x"] for point in points],
                "y": [point["xyz"[up]] for point in points],
                "text": [_hover(point, attributes) for point in points],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {
                    "size": 6,
                    "opacity": 0.75,
                    "color": palette.concept(i),
                    "symbol": palette.MARKERS[i % len(palette.MARKERS)],
                },
            }
        )
    across, above = ({"title": {"text": label(axis), "font": {"size": 12}}} for axis in (axes[0], axes[up]))
    tilt = ", ".join(f"{a} {cosine(t)}" for a, t in zip(axes, result.summary["map"]["tilt"], strict=True))
    return Block(
        id="map-2d" if up == 1 else "map-third",
        kind="plot",
        title=f"{count(len(result.points))} rows along {axes[0]} and {axes[up]}",
        caption="In the units of the vectors. Axes are the orthonormal directions nearest to the concepts'; "
        f"cosine of each with its concept's: {tilt}. Distances shrink in projection, none is stretched.",
        alt=f"Scatter of rows along {axes[0]} and {axes[up]}, coloured by {owner}.",
        spec={
            "data": traces,
            "layout": {"showlegend": True, "xaxis": across, "yaxis": above},
            "narrow": BELOW,
        },
        size="half" if len(axes) == 3 else "wide",
    )


def _hover(point: Mapping[str, Any], attributes: list[str]) -> str:
    values = (f"{a}: {point[f'{a} (attribute)' if a in POINT else a]}" for a in attributes)
    return "<br>".join(label(text) for text in (point["row"], *values))


def _concepts(result: VectorsResult) -> Block:
    head = ("Concept", "found", "p", "linearity", "95 % interval", "shuffled 95 %", "overlap", "halves agree",
            "measured on")  # fmt: skip
    rows: list[list[str]] = []
    for each in result.summary["concepts"]:
        linear, halves = (result.value(measure, each["name"]) for measure in ("linearity", "split_half"))
        bounds = ABSENT if math.isnan(linear.low) else f"[{cosine(linear.low)}, {cosine(linear.high)}]"
        paired = each["method"] == "matched pairs"
        rows.append(
            [
                each["name"],
                {True: "yes", False: "no", None: ABSENT}[each["found"]],
                short(each["p"]),
                cosine(linear.value),
                bounds,
                cosine(linear.shuffled.q95),
                cosine(result.value("orthogonality_mean", each["name"]).value),
                cosine(halves.value),
                f"{count(each['pairs_used'])} of {count(each['matched_pairs'])} matched pairs"
                if paired
                else f"class means of {count(each['rows_low'])} and {count(each['rows_high'])} rows",
            ]
        )
    return Block(
        id="concepts-table",
        kind="table",
        title="Every concept by itself",
        caption=f"{ABSENT}: does not exist. Overlap: mean |cosine| with the directions of other "
        "attributes. Halves agree: cosine between the directions of two random halves of the data.",
        columns=head,
        rows=rows,
        swatches=[palette.concept(i) for i in range(len(rows))],
        download=("measures.csv", frame_to_csv(result.table)),
    )


def _heat(result: VectorsResult, name: str) -> Block:
    what, unit = MATRICES[name]
    matrix: list[list[float | None]] = plain(result.matrices[name].values)
    cells = [[cosine(value) for value in row] for row in matrix]
    return Block(
        id=f"overlap-{name.removeprefix('orthogonality_')}",
        kind="plot",
        title=f"{what}: {unit} between concepts",
        alt=f"Heatmap, concept by concept: {unit} of {what.lower()}.",
        spec=heat.square(result.concepts, matrix, cells),
    )


def _noise(result: VectorsResult) -> Block:
    traces: list[Trace] = []
    for i, name in enumerate(result.concepts):
        rows = [row for row in result.rows if row.concept == name and row.measure.startswith("noise_")]
        given = Estimates(
            name=name,
            colour=palette.concept(i),
            x=[float(row.measure.removeprefix("noise_")) for row in rows],
            centre=[row.value for row in rows],
            hover="noise %{x}: %{y:.3f}<extra></extra>",
        )
        traces += line(given, dash=palette.dash(i), width=BESIDE, symbol="circle")
    levels = sorted({float(x) for trace in traces for x in trace["x"]})
    ticks = {"tickvals": levels, "ticktext": [f"{level:g}" for level in levels]}
    layout = {
        "showlegend": True,
        "xaxis": {"type": "log", "title": {"text": "noise, standard deviations"}, **ticks},
        "yaxis": {"range": [-0.1, 1.05], "title": {"text": "cosine with the direction"}},
    }
    return Block(
        id="noise",
        kind="plot",
        title="How far noise turns each direction",
        caption="Independent normal noise is added to every coordinate of every vector; its unit is the "
        "standard deviation of a coordinate.",
        alt="Lines, one for each concept: cosine with the direction without noise, by the level of noise.",
        spec={
            "data": traces,
            "layout": layout,
            "narrow": BELOW,
        },
        size="wide",
    )


def _transfer(result: VectorsResult) -> list[Block]:
    record = result.summary["transfer"]
    if record is None:
        return []
    head = (
        "Concept",
        "carried over",
        "95 % interval",
        "own direction",
        "without a map",
        "largest null",
        "pairs",
    )
    rows: list[list[str]] = []
    for name, each in record["concepts"].items():
        bounds = ABSENT if each["low"] is None else f"[{cosine(each['low'])}, {cosine(each['high'])}]"
        numbers = [cosine(each[key]) for key in ("own", "unmapped", "null_high")]
        rows.append([name, cosine(each["mapped"]), bounds, *numbers, count(each["held_out"])])
    return [
        Block(
            id="transfer-table",
            kind="table",
            title="Directions found here, mapped to the other vectors",
            caption="Mean cosine with the other set's held-out pairs, through an orthogonal map fitted "
            "to the other half of the rows. Of the held-out rows' variation it explains "
            f"{cosine(record['rows_explained'])}. Null: maps fitted to shuffled rows.",
            columns=head,
            rows=rows,
        )
    ]


def _anomalies(result: VectorsResult) -> list[Block]:
    pairs, rows = (result.summary["anomalies"][kind] for kind in ("pairs", "rows"))
    blocks: list[Block] = []
    if pairs:
        cells = [[each["low"], each["high"], each["concept"], cosine(each["cosine"]), short(each["score"])]
                 for each in pairs]  # fmt: skip
        blocks.append(
            Block(
                id="strange-pairs",
                kind="table",
                title="Pairs that deviate most from their concept's direction",
                caption="Cosine with the mean of the concept's other pairs; deviations below its median.",
                columns=("low", "high", "concept", "cosine", "deviations"),
                rows=cells,
            )
        )
    if rows:
        cells = [
            [each["row"], each["concept"], short(each["score"]), "yes" if each["wrong_side"] else "no"]
            for each in rows
        ]
        blocks.append(
            Block(
                id="strange-rows",
                kind="table",
                title="Rows that lie farthest from the rows of their value",
                caption="Along the concept's direction, in standard deviations. On the wrong side: nearer "
                "to the other value's rows, perhaps mislabelled.",
                columns=("row", "concept", "deviations", "on the wrong side"),
                rows=cells,
            )
        )
    return blocks
