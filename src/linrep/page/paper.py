"""How figures look on paper: small sans text, embedded fonts, no colours but the palette's."""

from typing import Any

STYLE: Any = {
    "font.family": "sans-serif",
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


def plain(text: str) -> str:
    """A name as matplotlib must be given it: a dollar sign is not mathematics."""
    return text.replace("$", r"\$")
