"""Stacked bars: for every cell of a sweep the shares of a whole."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from linrep.page.chart import FRAME
from linrep.page.numbers import finite
from linrep.page.shell import Block, label

ROOM = 0.18
"""Of a bar's place, left free beside it."""


def stacked(
    name: str,
    title: str,
    places: Sequence[tuple[str, str]],
    shares: Mapping[str, Sequence[float]],
    *,
    colours: Sequence[str],
    x: str,
    y: str,
    size: Literal["small", "third", "half", "wide"] = "half",
    caption: str = "",
) -> Block:
    """One bar a place, its parts from below.

    Args:
        name: Of the block, unique on its page.
        title: Above it.
        places: Group and label of each bar; bars of one group stand together.
        shares: By part, one for each place; a part that is nowhere has no place in the legend.
        colours: Of the parts, named as in the palette.
        x: Title of the axis.
        y: Title of the axis.
        size: Of the block.
        caption: Below it.

    Example:
        >>> block = stacked("b", "B", [("", "1")], {"in": [1.0], "out": [0.0]},
        ...                 colours=("--good", "--poor"), x="k", y="share")
        >>> [part["name"] for part in block.spec["data"]]
        ['in']
    """
    groups = list(dict.fromkeys(group for group, _ in places))
    inner = [label(at) for _, at in places]
    across: Any = inner if len(groups) < 2 else [[label(group) for group, _ in places], inner]
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": label(part),
            "x": across,
            "y": [finite(value) for value in values],
            "marker": {"color": colour},
            "hovertemplate": f"%{{y:.0%}} {label(part)}<extra></extra>",
        }
        for (part, values), colour in zip(shares.items(), colours, strict=True)
        if any(values)
    ]
    layout = {
        "barmode": "stack",
        "bargap": ROOM,
        "xaxis": {"type": "category" if len(groups) < 2 else "multicategory", "title": {"text": label(x)}},
        "yaxis": {"title": {"text": label(y)}, "range": [0, 1.001], "dtick": 0.25, "tickformat": ".0%"},
        **FRAME,
    }
    said = "; ".join(
        f"{', '.join(word for word in place if word)}: "
        + ", ".join(f"{values[at]:.0%} {part}" for part, values in shares.items() if values[at])
        for at, place in enumerate(places)
    )
    spec = {"data": data, "layout": layout}
    return Block(
        id=name,
        kind="plot",
        title=title,
        caption=caption,
        alt=f"{title}: {said}.",
        spec=spec,
        size=size,
    )
