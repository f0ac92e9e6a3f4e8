"""Stacked bars on paper, as :mod:`linrep.page.bars` has them."""

from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any

from linrep.page import palette
from linrep.page.print_legend import Drawn
from linrep.page.print_style import plain


def draw_bars(axes: Any, data: Sequence[Mapping[str, Any]], *, width: float) -> dict[str, Drawn]:
    """Bars in their groups, each group's name below the label of its middle bar.

    Args:
        axes: Of matplotlib.
        data: Traces of kind "bar" over the same places.
        width: Of a bar, of the place it has.

    Returns:
        The parts by name.
    """
    across = data[0]["x"]
    grouped = isinstance(across[0], Sequence) and not isinstance(across[0], str)
    groups, labels = across if grouped else ([""] * len(across), across)
    order = list(dict.fromkeys(groups))
    places = [at + order.index(group) for at, group in enumerate(groups)]
    base = [0.0] * len(places)
    drawn: dict[str, Drawn] = {}
    for trace in data:
        heights = [value or 0.0 for value in trace["y"]]
        colour = palette.paper(trace["marker"]["color"])
        handle = axes.bar(places, heights, width, bottom=base, color=colour, linewidth=0)
        base = [low + height for low, height in zip(base, heights, strict=True)]
        name = plain(unescape(trace["name"]))
        drawn[name] = Drawn(look=("bar", colour), handle=handle)
    axes.set_xticks(places, _ticks(groups, labels))
    axes.tick_params(axis="x", length=0)
    return drawn


def _ticks(groups: Sequence[str], labels: Sequence[str]) -> list[str]:
    ticks = [plain(unescape(each)) for each in labels]
    for group in dict.fromkeys(groups):
        at = [place for place, each in enumerate(groups) if each == group]
        if group:
            ticks[at[(len(at) - 1) // 2]] += f"\n{plain(unescape(group))}"
    return ticks
