"""Plots of a page on paper: the same data and layout, drawn by matplotlib as panels of one figure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import unescape
from typing import Any

import numpy as np

from linrep.page import palette
from linrep.page.heat import DARK
from linrep.page.interval import Numbers, Places
from linrep.page.print_bars import draw_bars
from linrep.page.print_legend import Drawn, Panel, add_legends, wrapped
from linrep.page.print_style import plain
from linrep.page.shell import Block

WIDTH = 7.2
"""Inches: both columns of a paper."""
COLUMNS, HALF = 6, 3
"""Places across both columns of a paper, and across one."""
SPANS = {"small": (2, 2.0), "third": (2, 2.0), "half": (3, 2.3), "wide": (6, 2.3)}
"""Columns of each size of block, and inches from row to row."""
LEGEND = 0.6
"""Inches that a figure of one row gains for the legend below."""
DASHES = {"solid": "-", "dash": (0, (4, 2)), "dot": (0, (1, 1.6)), "dashdot": "-."}
SHAPES = {"circle": "o", "square": "s", "diamond": "D", "cross": "P", "x": "x", "star": "*"} | {
    "triangle-up": "^",
    "triangle-down": "v",
}
SLANTED = 34
"""Letters of a category from which on its labels are slanted."""
Spec = Mapping[str, Any]


def figure(blocks: Sequence[Block], columns: int = COLUMNS) -> Any:
    """Every plot among blocks as a panel of one figure; None where there is none.

    Args:
        blocks: Of a page; their specs hold scatter lines, error bars, bands or one heatmap.
        columns: How many of :data:`COLUMNS` it is wide; no block may be wider.

    Returns:
        A matplotlib figure. Panels of the same lines have the same ends, so that they can be compared.
    """
    from matplotlib.figure import Figure

    plots = [block for block in blocks if block.kind == "plot" and block.spec]
    if not plots:
        return None
    lines = _lines(plots, columns)
    heights = [max(SPANS[block.size][1] for block in line) for line in lines]
    if len(lines) == 1:  # Else the legend would take half of the only row.
        heights = [heights[0] + LEGEND]
    drawn = Figure(figsize=(WIDTH * columns / COLUMNS, sum(heights)), layout="constrained")
    cells = drawn.add_gridspec(len(lines), columns, height_ratios=heights)
    panels: list[Panel] = []
    for row, line in enumerate(lines):
        at = 0
        for block in line:
            span = SPANS[block.size][0]
            axes = drawn.add_subplot(cells[row, at : at + span])
            at += span
            mark = f"({chr(ord('a') + len(panels))}) " if len(plots) > 1 else ""
            panels.append(_panel(axes, block, mark))
    _same_ends(panels)
    add_legends(drawn, panels, columns)
    return drawn


def thumbnail(blocks: Sequence[Block]) -> Any:
    """The first plot among blocks, one column wide and without its title; None where there is none.

    Args:
        blocks: As for :func:`figure`.
    """
    plots = [block for block in blocks if block.kind == "plot" and block.spec]
    return figure([replace(plots[0], title="", size="half")], HALF) if plots else None


def first_row(blocks: Sequence[Block]) -> list[Block]:
    """The plots that a page sets side by side in its first row; a single one takes the whole of it.

    Args:
        blocks: Of a page.
    """
    plots = [block for block in blocks if block.kind == "plot" and block.spec]
    row = _lines(plots, COLUMNS)[0] if plots else []
    return [replace(row[0], size="wide")] if len(row) == 1 else row


def _lines(plots: Sequence[Block], columns: int) -> list[list[Block]]:
    """Blocks as the page sets them: side by side while there is room."""
    lines: list[list[Block]] = []
    room = 0
    for block in plots:
        span = SPANS[block.size][0]
        if span > room:
            lines.append([])
            room = columns
        lines[-1].append(block)
        room -= span
    return lines


def _panel(axes: Any, block: Block, mark: str) -> Panel:
    assert block.spec is not None
    data, layout = block.spec["data"], block.spec["layout"]
    span = SPANS[block.size][0]
    panel = Panel(axes=axes, span=span, title=wrapped(mark + unescape(block.title), span))
    axes.set_title(plain(panel.title), loc="left")
    if data and data[0]["type"] == "heatmap":
        _heat(axes, data[0], layout, narrow=span < SPANS["half"][0])
        return panel
    if data and data[0]["type"] == "bar":
        panel.lines.update(draw_bars(axes, data, width=1 - layout["bargap"]))
        axes.set_xlabel(plain(unescape(layout["xaxis"]["title"]["text"])))
        _axis(axes.yaxis, layout["yaxis"], None)
        return panel
    names = _categories(data) if layout["xaxis"].get("type") == "category" else None
    panel.lines.update(draw(axes, data, names))
    _axis(axes.xaxis, layout["xaxis"], names)
    _axis(axes.yaxis, layout["yaxis"], None)
    return panel


def draw(axes: Any, data: Sequence[Spec], names: Sequence[str] | None = None) -> dict[str, Drawn]:
    """The lines, points, bands and bars of :mod:`linrep.page.interval` on axes of matplotlib.

    Args:
        axes: Where.
        data: A plot's traces, in order.
        names: Categories across, over which points stand side by side; None for numbers.

    Returns:
        What was drawn, by name; bands have none.
    """
    side = _sides(data) if names else [0.0] * len(data)
    low: Any = None
    drawn: dict[str, Drawn] = {}
    for trace, shift in zip(data, side, strict=True):
        x = [names.index(place) + shift for place in trace["x"]] if names else trace["x"]
        y = [math.nan if value is None else value for value in trace["y"]]
        if trace.get("fill") == "tonexty":
            colour, opacity = _colour(trace["fillcolor"]), _opacity(trace["fillcolor"])
            axes.fill_between(x, low, y, color=colour, alpha=opacity, linewidth=0)
        elif (trace.get("line") or {}).get("width") == 0:
            low = y
        else:
            line = _trace(axes, trace, x, y)
            if trace.get("showlegend", True):
                drawn[plain(unescape(trace.get("name") or ""))] = line
    return drawn


def _same_ends(panels: Sequence[Panel]) -> None:
    groups: dict[Any, list[Any]] = {}
    for panel in panels:
        if panel.lines:
            groups.setdefault((panel.axes.get_ylabel(), *panel.lines), []).append(panel.axes)
    for group in groups.values():
        low, high = zip(*(axes.get_ylim() for axes in group), strict=True)
        for axes in group:
            axes.set_ylim(min(low), max(high))


def _trace(axes: Any, trace: Spec, x: Places, y: Numbers) -> Drawn:
    line, marker = trace.get("line") or {}, trace.get("marker") or {}
    named = marker.get("color") or line["color"]
    colour = _colour(named)
    symbol = str(marker.get("symbol", "circle"))
    style: dict[str, Any] = {
        "color": colour,
        "linestyle": DASHES[line.get("dash", "solid")] if "lines" in trace["mode"] else "none",
        "marker": SHAPES[symbol.removesuffix("-open")] if "markers" in trace["mode"] else None,
        "markerfacecolor": "white" if symbol.endswith("-open") else colour,
    }
    style["alpha"] = _opacity(named)
    look = tuple(style.values())
    style |= {"linewidth": 0.55 * line.get("width", 2.0), "markersize": 3.2, "markeredgewidth": 0.8}
    bars = trace.get("error_y")
    if bars is None:
        return Drawn(look=look, handle=axes.plot(x, y, **style)[0])
    spans = (bars["arrayminus"], bars["array"])
    return Drawn(look=look, handle=axes.errorbar(x, y, yerr=spans, capsize=1.6, elinewidth=0.9, **style))


def _axis(axis: Any, given: Spec, names: Sequence[str] | None) -> None:
    """Scale, ends, ticks and title, as the page has them."""
    from matplotlib.ticker import MultipleLocator, NullLocator

    which = axis.axis_name
    scale, ends = getattr(axis.axes, f"set_{which}scale"), getattr(axis.axes, f"set_{which}lim")
    axis.set_label_text(plain(unescape((given.get("title") or {}).get("text", ""))))
    # Where nothing is above zero, as in a study cut down to nothing, there is no logarithm to take.
    if given.get("type") == "log" and math.isfinite(axis.get_minpos()):
        scale("log")
        axis.set_minor_locator(NullLocator())
    if given.get("range") is not None:
        ends(*given["range"])
    elif given.get("rangemode") == "tozero":
        low, high = getattr(axis.axes, f"get_{which}lim")()
        ends(min(low, 0.0), high)
    if names is not None:
        long = sum(len(name) for name in names) > SLANTED
        slant: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if long else {}
        axis.set_ticks(range(len(names)), [plain(unescape(name)) for name in names], **slant)
        ends(-0.5, len(names) - 0.5)
    elif given.get("tickvals") is not None:
        _ticks(axis, given)
    elif given.get("type") != "log" and given.get("dtick"):
        axis.set_major_locator(MultipleLocator(given["dtick"]))


def _ticks(axis: Any, given: Spec) -> None:
    """A tick for each given place; its names slanted, or left out, where the page does so."""
    named = given.get("ticktext")
    if named is None:
        axis.set_ticks(given["tickvals"])
        return
    names = [plain(unescape(text)) if given.get("showticklabels", True) else "" for text in named]
    slant: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    axis.set_ticks(given["tickvals"], names, **(slant if given.get("tickangle") else {}))


def _heat(axes: Any, trace: Spec, layout: Spec, *, narrow: bool) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    stops = [(at, _colour(name)) for at, name in trace["colorscale"]]
    values = np.array([[np.nan if value is None else value for value in row] for row in trace["z"]])
    colours = LinearSegmentedColormap.from_list("heat", stops)
    square = values.shape[0] == values.shape[1]
    shape = "equal" if square else "auto"
    image = axes.imshow(values, cmap=colours, vmin=trace["zmin"], vmax=trace["zmax"], aspect=shape)
    if (layout.get("meta") or {}).get("written"):
        _write(axes, values, DARK * trace["zmax"])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    for axis, given in ((axes.xaxis, layout["xaxis"]), (axes.yaxis, layout["yaxis"])):
        _ticks(axis, given)
        axis.set_label_text(plain(unescape((given.get("title") or {}).get("text", ""))))
    axes.set_anchor("W")
    beside = axes.inset_axes((1.05, 0.1, 0.05, 0.8))
    # A square leaves it room, but in a narrow place: panels above and below stay as wide as they are.
    beside.set_in_layout(not square or narrow)
    bar = axes.figure.colorbar(image, cax=beside, ticks=trace["colorbar"].get("tickvals"))
    bar.outline.set_visible(False)


def _write(axes: Any, values: Any, dark: float) -> None:
    """Every number into its cell, light from ``dark`` on."""
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            ink = _colour("--surface" if value > dark else "--ink")
            axes.text(column, row, f"{value:.2f}", color=ink, fontsize=6, ha="center", va="center")


def _categories(data: Sequence[Spec]) -> list[str]:
    return list(dict.fromkeys(place for trace in data for place in trace["x"]))


def _sides(data: Sequence[Spec]) -> list[float]:
    """Where each series stands beside the others over its category."""
    return [0.5 * ((place + 0.5) / len(data) - 0.5) for place in range(len(data))]


def _colour(name: str) -> str:
    """A page colour such as ``--null/0.2`` on paper, without its opacity."""
    return palette.paper(name.partition("/")[0])


def _opacity(name: str) -> float | None:
    """Of a page colour such as ``--null/0.2``; None where it says none."""
    said = name.partition("/")[2]
    return float(said) if said else None
