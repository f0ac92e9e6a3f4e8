"""Figures of a page by themselves: a plotly figure for a notebook, in the colours of paper."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from linrep.errors import InputError, shown
from linrep.page import palette
from linrep.page.shell import Block

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOUR = re.compile(r"color(scale|s)?$")
"""Keys below which texts are colours, as the page's own script knows them."""


def kinds(blocks: Iterable[Block]) -> dict[str, Block]:
    """Plots by the name to ask for them: their identity on the page, as a word of Python.

    Example:
        >>> named = [("trace-margin", "plot"), ("config", "code")]
        >>> list(kinds([Block(id=name, kind=kind, title="") for name, kind in named]))
        ['margin']
    """
    return {
        block.id.removeprefix("trace-").replace("-", "_"): block for block in blocks if block.kind == "plot"
    }


def chosen(blocks: Iterable[Block], kind: str | None) -> "go.Figure":
    """One plot of several.

    Args:
        blocks: Of a page.
        kind: Which; None for the first.

    Raises:
        InputError: No such plot; names those there are.
    """
    found = kinds(blocks)
    if not found:
        raise InputError("plot: expected numbers to draw, got none")
    if kind is not None and kind not in found:
        raise InputError(f"plot: no kind {shown(kind)}; this has {', '.join(found)}")
    return figure(found[next(iter(found)) if kind is None else kind])


def figure(block: Block) -> "go.Figure":
    """A plot of a page as a plotly figure.

    Args:
        block: Of kind "plot".

    Example:
        >>> line = {"type": "scatter", "y": [1, 2], "line": {"color": "--null/0.5"}}
        >>> drawn = figure(Block(id="x", kind="plot", title="T", spec={"data": [line], "layout": {}}))
        >>> drawn.data[0].line.color
        'rgba(89,97,108,0.5)'
    """
    import plotly.graph_objects as go

    assert block.spec is not None, "a plot has a spec"
    layout: dict[str, Any] = {
        "template": "plotly_white",
        "showlegend": False,
        "font": {"size": 12, "color": "--ink"},
        **block.spec["layout"],
        "title": {"text": block.title, "font": {"size": 14}},
    }
    margin = dict(layout.get("margin") or {})
    layout["margin"] = {**margin, "t": max(64, margin.get("t", 0))}
    return go.Figure(data=[_resolved(each) for each in block.spec["data"]], layout=_resolved(layout))


def _resolved(value: Any, *, colour: bool = False) -> Any:
    """Plain data with the names of colours replaced; arrays as they are."""
    if isinstance(value, str):
        return _colour(value) if colour and value.startswith("--") else value
    if isinstance(value, Mapping):
        return {
            str(key): _resolved(each, colour=colour or COLOUR.search(str(key)) is not None)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_resolved(each, colour=colour) for each in value]
    return value


def _colour(name: str) -> str:
    base, _, opacity = name.partition("/")
    solid = palette.paper(base)
    if not opacity:
        return solid
    parts = ",".join(str(int(solid[i : i + 2], 16)) for i in (1, 3, 5))
    return f"rgba({parts},{opacity})"
