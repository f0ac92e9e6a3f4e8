"""How figures look on paper: small sans text, embedded fonts, no colours but the palette's."""

import re
from collections.abc import Mapping, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from linrep.files import make_folder, write_file

STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 6.8,
    "ytick.labelsize": 6.8,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "linrep",
    "text.usetex": False,
}

UNDATED: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}
"""Formats that figures are saved in, and what is left out of each so that equal figures have equal bytes."""
DOTS_PER_INCH = 300
TAG = re.compile(r"<[^>]*>")
"""What is not text of an SVG."""
FINE = re.compile(r"(\d\.\d\d)\d+")
"""Digits of an SVG beyond a hundredth of a point: a third of the file, and nothing that can be seen."""


def plain(text: str) -> str:
    """A name as matplotlib must be given it: a dollar sign is not mathematics."""
    return text.replace("$", r"\$")


def coarse(svg: str) -> str:
    """An SVG without the digits of places that cannot be seen; what is written in it stays as it is.

    Example:
        >>> coarse('<text x="1.23456">0.00061</text>')
        '<text x="1.23">0.00061</text>'
    """
    return TAG.sub(lambda tag: FINE.sub(r"\1", tag.group()), svg)


def as_svg(figure: Any) -> str:
    """A figure as the text of an SVG; equal figures give equal texts.

    Args:
        figure: Of matplotlib.
    """
    from matplotlib import rc_context

    text = StringIO()
    with rc_context(STYLE):
        figure.savefig(text, format="svg", metadata=UNDATED["svg"])
    return coarse(text.getvalue())


def save(figures: Mapping[str, Any], folder: Path | str, formats: Sequence[str] = ()) -> list[Path]:
    """Save figures.

    Args:
        figures: matplotlib figures by name.
        folder: Made if it is not there.
        formats: Of ``pdf``, ``svg``, ``png``; none means all.

    Returns:
        The files written, one for each figure and format. Equal figures give equal bytes.
    """
    from matplotlib import rc_context

    folder = Path(folder)
    make_folder(folder)
    written: list[Path] = []
    with rc_context(STYLE):
        for name, figure in figures.items():
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # laid out once for all
            for ending in formats or UNDATED:
                content = BytesIO()
                figure.savefig(content, format=ending, metadata=UNDATED[ending], dpi=DOTS_PER_INCH)
                drawn = content.getvalue()
                path = folder / f"{name}.{ending}"
                write_file(path, coarse(drawn.decode()).encode() if ending == "svg" else drawn)
                written.append(path)
    return written
