"""The forest plot on paper: the same rows as :mod:`linrep.page.forest`, drawn by matplotlib."""

import textwrap
from collections.abc import Sequence
from typing import Any

from linrep.page import palette
from linrep.page.forest import LEAST, MOST, TICKS, Group, Mark, Row
from linrep.page.print_plot import WIDTH
from linrep.page.print_style import STYLE, plain

LINE = 0.165
"""Inches from row to row."""
LETTERS = 58
"""Of a row's name, beyond which it is cut."""
SHARES = (0.42, 0.36, 0.22)
"""Of the width: names, strip, numbers."""
LOOKS: dict[Mark, tuple[str, str, bool]] = {
    "test": ("o", "--unembedding", True),
    "control": ("D", "--embedding", False),
    "conjecture": ("o", "--muted", False),
}
"""Marker, colour and whether it is filled."""
WORDS = ("test: left of its rule", "control: right of it", "conjecture: does not count")


def forest_figure(groups: Sequence[Group]) -> Any:
    """A matplotlib figure of all rows against one line, their rule.

    Args:
        groups: As for :func:`linrep.page.forest.html`.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        lines = sum(1 + len(group.rows) for group in groups)
        height = LINE * (lines + 4)
        drawn = Figure(figsize=(WIDTH, height))
        name, strip, _ = SHARES
        foot = 2.6 * LINE / height
        axes = drawn.add_axes((name, foot, strip, 1 - foot - 1.2 * LINE / height))
        _frame(axes, lines)
        at = 0
        for group in groups:
            _heading(axes, group, at)
            for place, row in enumerate(group.rows, start=at + 1):
                _row(axes, row, place)
            at += 1 + len(group.rows)
        _legend(drawn)
    return drawn


def _frame(axes: Any, lines: int) -> None:
    axes.set_xscale("log")
    axes.set_xlim(LEAST, MOST)
    axes.set_ylim(lines - 0.5, -0.6)
    axes.set_xticks([value for value, _ in TICKS], [text for _, text in TICKS])
    axes.minorticks_off()
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    for value, _ in TICKS:
        rule = value == 1.0
        axes.axvline(
            value,
            color=palette.paper("--ink" if rule else "--grid"),
            linewidth=0.8 if rule else 0.6,
            linestyle=(0, (4, 3)) if rule else "-",
            zorder=0,
        )


def _heading(axes: Any, group: Group, at: int) -> None:
    said = plain(f"{group.id} {group.verdict}: {group.title}")
    ground: Any = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    where = _beside(axes, -SHARES[0])
    axes.text(0, at, said, transform=where, va="center", fontweight="bold", fontsize=7, bbox=ground)


def _row(axes: Any, row: Row, at: int) -> None:
    name = textwrap.shorten(f"{row.id} {row.name}", LETTERS, placeholder=" …")
    axes.text(0, at, plain(name), transform=_beside(axes, -SHARES[0]), va="center", fontsize=6.4)
    axes.text(1.02, at, plain(row.measured), transform=axes.get_yaxis_transform(), va="center", fontsize=6.4)
    if row.distance is None:
        return
    marker, colour, filled = LOOKS[row.mark]
    ink = palette.paper(colour)
    low, high = ((min(max(end, LEAST), MOST)) for end in row.interval or (row.distance, row.distance))
    axes.plot([low, high], [at, at], color=ink, linewidth=1.2, solid_capstyle="butt", zorder=2)
    beyond = "<" if row.distance < LEAST else ">" if row.distance > MOST else marker
    axes.plot(
        [min(max(row.distance, LEAST), MOST)],
        [at],
        marker=beyond,
        color=ink,
        markerfacecolor=ink if filled else "white",
        markersize=4,
        markeredgewidth=0.9,
        clip_on=False,
        zorder=3,
    )


def _beside(axes: Any, shift: float) -> Any:
    """Places across in the figure, ``shift`` of its width from where the strip begins; rows as they are."""
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    moved = ScaledTranslation(shift * WIDTH + 0.05, 0, axes.figure.dpi_scale_trans)
    return blended_transform_factory(axes.transAxes, axes.transData) + moved


def _legend(drawn: Any) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            marker=marker,
            color=palette.paper(colour),
            markerfacecolor=palette.paper(colour) if filled else "white",
            markersize=4,
            linewidth=1.2,
            label=words,
        )
        for words, (marker, colour, filled) in zip(WORDS, LOOKS.values(), strict=True)
    ]
    drawn.legend(handles=handles, loc="lower left", ncols=3, frameon=False)
