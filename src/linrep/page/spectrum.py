"""Spectrum: how much of each table's energy lies in single concepts, pairs, triples, …"""

from typing import Any

from linrep.geometry.record import TableName
from linrep.page import palette
from linrep.page.meanings import MEANINGS
from linrep.page.numbers import central, cosine
from linrep.page.shell import Block
from linrep.page.view import View

TABLES: tuple[TableName, ...] = ("unembedding", "embedding")
WORDS = {"unembedding": "unembedding g", "embedding": "embedding f"}
BINARY = (
    "Degree 1 is the additive part, one vector a concept. Of g this is the Walsh spectrum; of f, whose "
    "concepts may also be unknown, an analysis of variance."
)
CATEGORICAL = (
    "An analysis of variance: degree 1 is the additive part, one vector for each state of a concept."
)
NARROW = {"legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}}
"""On a narrow screen the legend stands above, where no bar is."""
Shares = list[tuple[int, float]]


def spectra(view: View) -> dict[str, Shares]:
    """Share of the non-constant energy by degree, for each table that has a spectrum."""
    found: dict[str, Shares] = {}
    for table in TABLES:
        degrees = view.summary.spectrum[table] or ()
        shares = [(each.degree, each.share) for each in degrees if each.share is not None]
        if shares:
            found[table] = shares
    return found


def block(view: View) -> Block | None:
    """Bars by degree, predicted shares beside them when there are any; None when no table has a spectrum."""
    found = spectra(view)
    if not found:
        return None
    data: list[dict[str, Any]] = []
    for table, shares in found.items():
        data.append(
            {
                "type": "bar",
                "name": WORDS[table],
                "x": [degree for degree, _ in shares],
                "y": [share for _, share in shares],
                "marker": {
                    "color": f"--{table}",
                    "pattern": {"shape": "" if table == "unembedding" else "/"},
                },
                "text": [cosine(share) if share >= 0.02 else "" for _, share in shares],
                "textposition": "outside",
                "textfont": {"size": 11},
                "cliponaxis": False,
                "hovertemplate": f"degree %{{x}}: %{{y:.4f}}<extra>{WORDS[table]}</extra>",
            }
        )
        predicted = predictions(view, table)
        if predicted:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": f"predicted, {WORDS[table]}",
                    "x": [degree + (-0.2 if table == "unembedding" else 0.2) for degree, _ in predicted],
                    "y": [share for _, share in predicted],
                    "marker": {
                        "symbol": "line-ew-open",
                        "size": 22,
                        "color": "--predicted",
                        "line": {"width": 3},
                    },
                    "hovertemplate": f"predicted: %{{y:.4f}}<extra>{WORDS[table]}</extra>",
                }
            )
    layout = {
        "barmode": "group",
        "bargap": 0.3,
        "showlegend": True,
        "legend": {"x": 1, "xanchor": "right", "y": 1, "yanchor": "top"},
        "xaxis": {"title": {"text": "degree (concepts that act together)"}, "dtick": 1},
        "yaxis": {
            "title": {"text": "share of non-constant energy"},
            "range": [0, 1.1],
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
        },
    }
    words = "; ".join(
        f"{WORDS[t]} " + ", ".join(f"{d}: {cosine(s)}" for d, s in shares) for t, shares in found.items()
    )
    return Block(
        id="spectrum",
        kind="plot",
        title=title(found),
        meaning=MEANINGS["additive_share"],
        caption=f"{BINARY if view.binary else CATEGORICAL} Higher degrees are interactions.",
        alt=f"Share of energy by degree. {words}.",
        spec={"data": data, "layout": layout, "narrow": NARROW},
    )


def title(found: dict[str, Shares]) -> str:
    """The finding in one line."""
    first = {table: dict(shares).get(1) for table, shares in found.items()}
    said = ", ".join(f"{WORDS[t]} {cosine(share)}" for t, share in first.items() if share is not None)
    return f"Energy by degree: additive (degree 1) share {said}"


def absence(view: View) -> str:
    """Why a spectrum is missing, with the number that stands in for it; empty when none is."""
    missing = [table for table in TABLES if table not in spectra(view)]
    if not missing:
        return ""
    said = ", ".join(
        f"{WORDS[table]} {cosine(central(view.similarity('additive_share', table)))}" for table in missing
    )
    why = "some cannot occur or were left out" if view.world.words is None else "words mean several"
    return (
        "The share of energy by degree exists only on a complete set of tokens or contexts, and here "
        f"{why}. In its place, the share that an additive table explains (R² of least "
        f"squares): {said}."
    )


def predictions(view: View, table: str) -> Shares:
    """Predicted shares by degree; theory gives those of g."""
    given = view.beside.spectrum if view.beside is not None and table == "unembedding" else ()
    return list(enumerate(given, start=1))


def paper(view: View) -> Any:
    """The spectrum for a paper; None when no table has one."""
    from matplotlib.figure import Figure

    found = spectra(view)
    if not found:
        return None
    figure = Figure(figsize=(3.5, 2.5), layout="constrained")
    axes: Any = figure.add_subplot()
    told: dict[str, Any] = {}
    for i, (table, shares) in enumerate(found.items()):
        offset = (i - (len(found) - 1) / 2) * 0.38
        colour = palette.paper(f"--{table}")
        at = [degree + offset for degree, _ in shares]
        heights = [share for _, share in shares]
        told[WORDS[table]] = axes.bar(
            at,
            heights,
            0.36,
            color=colour,
            hatch="" if i == 0 else "///",
            edgecolor="white",
        )
        predicted = predictions(view, table)
        for degree, share in predicted:
            x = degree + offset
            line = axes.plot([x - 0.18, x + 0.18], [share, share], color=palette.paper("--predicted"), lw=2)
            told.setdefault("predicted limit", line[0])
    axes.set(xlabel="degree", ylabel="share of non-constant energy", ylim=(0, 1.05))
    axes.set_xticks(sorted({degree for shares in found.values() for degree, _ in shares}))
    axes.legend(told.values(), told.keys(), frameon=False)
    return figure
