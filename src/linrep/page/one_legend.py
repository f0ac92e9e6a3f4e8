"""One legend for all charts of a section, where every name looks alike in all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from linrep.page.shell import Block

KEYS = {"solid": "", "dash": "dashed", "dot": "dotted", "dashdot": "dashed"}
"""Classes of a legend's keys by the dash of a line."""
SYMBOLS = {
    "circle-open": "ring",
    "diamond": "diamond",
    "diamond-open": "diamond",
    "square": "square",
    "star": "star",
    "triangle-down": "nabla",
    "triangle-up": "triangle",
    "x": "cross",
}
"""And of points."""
Look = tuple[str, str]
"""Colour, named as in the palette, and class of the key."""


def with_one_legend(blocks: Sequence[Block]) -> list[Block]:
    """The same blocks, below one legend of all that share it; others keep their own.

    Args:
        blocks: Of a section. A chart has its own legend if a name or a look of it means another thing before.

    Example:
        >>> line = {"type": "scatter", "mode": "lines", "name": "g", "line": {"color": "--null"}}
        >>> spec = {"data": [line], "layout": {"showlegend": True}}
        >>> found = with_one_legend([Block(id=i, kind="plot", title="T", spec=spec) for i in "ab"])
        >>> found[0].rows, found[1].spec["layout"]["showlegend"]
        ([('null', '', 'g')], False)
    """
    names: dict[str, Look] = {}
    shared: list[Block] = []
    charts = 0
    for block in blocks:
        looks = _looks(block)
        meant = {look: name for name, look in names.items()}
        alike = all(names.get(n, look) == look and meant.get(look, n) == n for n, look in looks.items())
        if looks and alike and len(set(looks.values())) == len(looks):
            names |= looks
            charts += 1
            block = _without_legend(block)
        shared.append(block)
    if charts < 2:
        return list(blocks)
    rows = [(colour.removeprefix("--"), key, name) for name, (colour, key) in names.items()]
    return [Block(id="legend", kind="legend", title="Legend", rows=rows), *shared]


def _looks(block: Block) -> dict[str, Look]:
    """What a chart's own legend would say, by name."""
    if block.kind != "plot" or not block.spec or not block.spec["layout"].get("showlegend"):
        return {}
    traces: Sequence[Mapping[str, Any]] = block.spec["data"]
    return {
        trace["name"]: _look(trace) for trace in traces if trace.get("name") and trace.get("showlegend", True)
    }


def _look(trace: Mapping[str, Any]) -> Look:
    line, marker = trace.get("line") or {}, trace.get("marker") or {}
    if trace["type"] == "bar":
        return str(marker["color"]), "square"
    if "lines" not in trace["mode"]:
        symbol = str(marker.get("symbol", "circle"))
        return str(marker["color"]), SYMBOLS.get(symbol, "point")
    return str(line["color"]), KEYS[line.get("dash", "solid")]


def _without_legend(block: Block) -> Block:
    assert block.spec is not None, "it has looks"
    layout = {**block.spec["layout"], "showlegend": False}
    return replace(block, spec={**block.spec, "layout": layout})
