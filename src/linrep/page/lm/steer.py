"""The page of an intervention: how far the target's log-odds move, how far the others', and what is said."""

from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import linrep
from linrep.files import one_line_errors, write_file
from linrep.llm import SteerResult
from linrep.page.interactive import figure as drawn
from linrep.page.interval import THIN, Estimates, Trace, line
from linrep.page.numbers import ABSENT, count, short
from linrep.page.scale import Scale
from linrep.page.shell import Block, Line, Page, Section, assemble, label
from linrep.runs.spreadsheet import frame_to_csv

if TYPE_CHECKING:
    import plotly.graph_objects as go

AN_ORDER = 0.1


def save(result: SteerResult, out: Path) -> Path:
    """Write `result.json`, `table.parquet`, `table.csv` and `page.html`; returns the page."""
    with one_line_errors(out):
        result.save(out)
        write_file(out / "page.html", render(result).encode())
    return out / "page.html"


def render(result: SteerResult) -> str:
    """One HTML file that opens offline."""
    return assemble(page(result))


def page(result: SteerResult) -> Page:
    """All that the page of an intervention says."""
    found = result.summary
    unit = "nat" if found["unit"].startswith("nats") else "context difference"
    prompts = list(result.tokens)
    return Page(
        title=f"Pushed along {found['concept']}: {short(found['target_shift_per_unit'])} nats a {unit}, "
        f"other concepts {short(found['other_shift_per_unit'])}",
        kicker=f"{found['model']}, {where(result)}",
        lines=lines(result),
        thresholds=(
            "The target moves when its log-odds change by more than half a nat for each nat of strength (at "
            "a layer: when they rise).",
            f"Others stay when their mean change in size is below {AN_ORDER:.0%} of the target's.",
        ),
        facts=[
            ("Model", found["model"]),
            ("Revision", str(found["revision"] or "local")),
            ("Pushed", where(result)),
            ("Strength in", found["unit"]),
            ("Inner product", str(found["inner"] or ABSENT)),
            ("Direction from", f"{count(found['direction_pairs'])} pairs"),
            ("Read on", f"{count(found['held_out_pairs'])} other pairs"),
            ("Prompts", count(len(prompts))),
            ("Seed", str(found["seed"])),
        ],
        sections=[
            Section(id="effect", title="Effect", blocks=[_curves(result), _slopes(result)]),
            Section(id="words", title="Next words", blocks=[_words(result)]),
        ],
        footer=f"linrep {linrep.__version__}. Log-odds are in nats, towards the high words.",
    )


def where(result: SteerResult) -> str:
    """Where the state was pushed, in words."""
    place = result.summary["where"]
    return "the state the head reads, after the final norm" if place == "head" else place


def lines(result: SteerResult) -> list[Line]:
    """The two findings."""
    found = result.summary
    slope, share = found["target_shift_per_unit"], found["other_to_target"]
    whole = found["head"].get("passes", 1.0)
    moved = slope > (0.5 * whole if found["unit"].startswith("nats") else 0)
    said = [
        Line(
            there="yes" if moved else "no",
            claim=f"The target's log-odds {'move' if moved else 'do not move'}.",
            detail=f"{short(slope)} nats for each unit of strength, on {count(found['held_out_pairs'])} word "
            "pairs that the direction was not made of.",
        )
    ]
    if share is not None:
        said.append(
            Line(
                there="yes" if share < AN_ORDER else "no",
                scales=[Scale(name="of the target's", value=share, start=1.0, end=0.0, write=short)],
                claim="Other concepts' log-odds stay."
                if share < AN_ORDER
                else "Other concepts' log-odds move too.",
                detail=f"Mean size of their change: {short(found['other_shift_per_unit'])} nats for each "
                f"unit, {short(share)} of the target's.",
            )
        )
    said += [Line(there="note", claim="Note:", detail=f"{note}.") for note in found["notes"]]
    return said


def means(result: SteerResult) -> dict[str, list[tuple[float, float]]]:
    """For each concept the mean shift over prompts at each strength."""
    strengths = sorted({row.strength for row in result.rows})
    return {
        concept: [
            (a, fmean(row.shift for row in result.rows if row.concept == concept and row.strength == a))
            for a in strengths
        ]
        for concept in dict.fromkeys(row.concept for row in result.rows)
    }


def figure(result: SteerResult) -> "go.Figure":
    """Shift against strength, target and off-target concepts, by itself; returned, not shown."""
    target = result.summary["concept"]
    return drawn(_curves(result)).update_layout(
        title=f"{result.summary['model']}: pushed along {label(target)}"
    )


def _curves(result: SteerResult) -> Block:
    target = result.summary["concept"]
    found = means(result)
    order = [name for name in found if name != target] + [target]
    traces: list[Trace] = []
    for i, name in enumerate(order):
        own = name == target
        given = Estimates(
            name=name if own else "other concepts",
            colour="--unembedding" if own else "--null/0.6",
            x=[a for a, _ in found[name]],
            centre=[shift for _, shift in found[name]],
            hover=f"{label(name)} at %{{x}}: %{{y:.2f}} nats<extra></extra>",
            listed=own or i == 0,
        )
        traces += line(given, symbol="circle") if own else line(given, width=THIN)
    layout = {
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": {"title": {"text": f"strength, {result.summary['unit']}"}},
        "yaxis": {"title": {"text": "shift of log-odds, nats"}},
        "margin": {"l": 52, "r": 12, "t": 30, "b": 44},
    }
    return Block(
        id="shift",
        kind="plot",
        title="Target and all others",
        caption="Mean over prompts and word pairs; each thin line is one other concept.",
        alt=f"Shift of log-odds by strength: {target} as a thick line, other concepts as thin ones.",
        spec={"data": traces, "layout": layout},
    )


def _slopes(result: SteerResult) -> Block:
    target = result.summary["concept"]
    slopes = {
        name: fmean(shift / a for a, shift in points if a) if any(a for a, _ in points) else 0.0
        for name, points in means(result).items()
    }
    order = sorted(slopes, key=lambda name: (name == target, abs(slopes[name])))
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [slopes[name] for name in order],
        "y": list(range(len(order))),
        "marker": {"color": ["--unembedding" if name == target else "--null" for name in order]},
        "text": [label(name) for name in order],
        "textposition": "none",
        "hovertemplate": "%{text}: %{x:.3f}<extra></extra>",
    }
    ticks = {"tickvals": list(range(len(order))), "ticktext": [label(name) for name in order]}
    layout = {
        "xaxis": {"title": {"text": "nats for each unit of strength"}},
        "yaxis": {**ticks, "tickfont": {"size": 12 if len(order) < 12 else 9}, "showgrid": False},
    }
    return Block(
        id="slopes",
        kind="plot",
        title="Change for each unit of strength",
        alt="Bars: mean change of each concept's log-odds for each unit of strength.",
        spec={"data": [trace], "layout": layout},
    )


def _words(result: SteerResult) -> Block:
    target = result.summary["concept"]
    rows: list[list[str]] = []
    for prompt, by_strength in result.tokens.items():
        for strength, tokens in sorted(by_strength.items()):
            own = [
                r
                for r in result.rows
                if r.prompt == prompt and r.strength == strength and r.concept == target
            ]
            rows.append(
                [
                    prompt,
                    f"{strength:g}".replace("-", "−"),
                    short(own[0].log_odds),
                    " · ".join(map(repr, tokens)),
                ]
            )
    return Block(
        id="next-words",
        kind="table",
        title="Likeliest next tokens",
        columns=("Prompt", "strength", f"log-odds of {target}", "likeliest first"),
        rows=rows,
        download=("steering.csv", frame_to_csv(result.table)),
    )
