"""The shell every page shares: sections of blocks in, one self-contained HTML file out."""

import gzip
import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, Literal

from linrep.page import palette
from linrep.page.cards import Card
from linrep.page.scale import Scale, Standing, svg

WORDY = 24
"""A column of a table with a longer cell is one of words; an interval behind a number is not counted."""
MANY = 12
"""A table of more columns is set closer, its cells in two lines where the page has no room for one."""
FIRST, SLACK = 5, 3
"""Rows of a table that are seen before the rest is asked for; one of a few more is seen whole."""


def first_of(rows: int) -> int:
    """How many of a table's rows are seen before the others are asked for.

    Example:
        >>> first_of(8), first_of(9)
        (8, 5)
    """
    return FIRST if rows > FIRST + SLACK else rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A figure, a table or a text, with what a reader who cannot see it needs to know."""

    id: str
    kind: Literal["plot", "cube", "drawing", "forest", "table", "cards", "code", "legend"]
    title: str
    caption: str = ""
    meaning: str = ""
    """What is measured, one tap away."""
    alt: str = ""
    """The figure in words, for screen readers."""
    spec: Mapping[str, Any] | None = None
    """plot: plotly data and layout, colours named as in the palette; cube: see :mod:`linrep.page.cube`."""
    drawing: str = ""
    """drawing: an SVG element, forest: a table, safe as they stand."""
    drawn_rows: int = 0
    """forest: how many rows it has, if those after the first few are marked to be folded."""
    cards: Sequence[Card] = ()
    """cards: in order."""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    swatches: Sequence[str] = ()
    """table: the colour of each row, if rows are concepts; legend: see the template."""
    text: str = ""
    """code: what it says."""
    download: tuple[str, str] | None = None
    """File name and content behind a download button."""
    size: Literal["small", "third", "half", "wide"] = "half"

    @property
    def first(self) -> int:
        """table, forest: how many rows are seen before the others are asked for."""
        return first_of(self.many)

    @property
    def many(self) -> int:
        """table, forest: how many rows it has."""
        return self.drawn_rows or len(self.rows)

    @property
    def wordy(self) -> frozenset[int]:
        """table: columns of words, which are read from the left and may wrap; the others are of numbers."""
        return frozenset(
            i
            for i in range(len(self.columns))
            if any(len(str(row[i]).partition(" [")[0]) > WORDY for row in self.rows)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, some words and blocks."""

    id: str
    title: str
    intro: Sequence[str] = ()
    blocks: Sequence[Block] = ()
    short: str = ""
    """The title in the bar of sections, where all of them stand in one line; empty: as it is."""
    folded: bool = False
    """Whether only the title is seen until it is asked for."""
    more: Sequence[Block] = ()
    """Blocks at its end that are not seen until they are asked for."""
    more_title: str = "More"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One sentence of a verdict, with both answers: is it there, and how much?"""

    there: Standing
    claim: str
    scales: Sequence[Scale] = ()
    """How much: each number on its own scale; the answer goes by the first."""
    detail: str = ""
    meaning: str = ""
    """What the measure means, one tap away."""
    href: str = ""
    """Where the claim leads, relative to the page."""
    word: str = ""
    """Before the sentence, in the place of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that a page says."""

    title: str
    kicker: str
    hero: Block | None = None
    """Drawn beside the verdict; the facts are then folded."""
    facts: Sequence[tuple[str, str]] = ()
    brief: str = ""
    """The facts in a line, where they are folded."""
    lines: Sequence[Line] = ()
    thresholds: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=tuple)
    footer: str = ""

    @property
    def blocks(self) -> list[Block]:
        """All of them, in order, folded or not."""
        inside = [block for section in self.sections for block in (*section.blocks, *section.more)]
        return inside if self.hero is None else [self.hero, *inside]


def assemble(page: Page) -> str:
    """One HTML file that needs nothing else: styles, data and, compressed, plotly are inside, once.

    Args:
        page: Its words, figures and tables. Every text is escaped here; only ``Block.drawing`` is trusted.

    Returns:
        The file's text. Its content security policy forbids every network request.
    """
    from jinja2 import Environment, StrictUndefined

    blocks = page.blocks
    plots = [block for block in blocks if block.kind == "plot"]
    data = {
        "figures": {b.id: {"kind": b.kind, **(b.spec or {})} for b in blocks if b.kind in ("plot", "cube")},
        "downloads": {b.id: b.download for b in blocks if b.download},
    }
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_asset("page.html")).render(
        page=page,
        many=MANY,
        drawn=svg,
        data=safe_json(data),
        colours=palette.custom_properties(),
        css=_asset("page.css"),
        js=_asset("cube.js") + _asset("page.js"),
        plotly=_plotly(any(map(_in_space, plots))) if plots else "",
    )


def safe_json(data: Any) -> str:
    r"""JSON that may stand inside a script element: no ``<``, ``>``, ``&`` and no NaN; five digits are kept.

    Example:
        >>> safe_json({"name": "</script>", "value": float("nan")})
        '{"name":"\\u003c/script\\u003e","value":null}'
    """
    text = json.dumps(_plain(data), separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def label(text: str) -> str:
    """A name as plotly must be given it: plotly reads a little HTML, names are not HTML."""
    return escape(text, quote=False)


def _plain(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, (str, bool, int)) or data is None:
        return data
    if isinstance(data, float):
        return float(f"{data:.5g}") if math.isfinite(data) else None
    if hasattr(data, "tolist"):
        return _plain(data.tolist())
    return [_plain(value) for value in data]


def _in_space(block: Block) -> bool:
    """Whether a plot has three dimensions, which takes all of plotly."""
    return any(str(trace["type"]).endswith("3d") for trace in (block.spec or {}).get("data", ()))


@cache
def _plotly(whole: bool) -> str:
    """Plotly compressed, as text: its charts in the plane, or the whole, which is three times as large.

    The former is npm's plotly.js-cartesian-dist-min through ``gzip -9n``.
    """
    if not whole:
        return b64encode(files("linrep.page").joinpath("plotly-cartesian.min.js.gz").read_bytes()).decode()
    from plotly.offline import get_plotlyjs

    return b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


@cache
def _asset(name: str) -> str:
    return files("linrep.page").joinpath(name).read_text(encoding="utf-8")
