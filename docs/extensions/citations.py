"""Citations: pages in Markdown cite as on paper, [J24], and docstrings by key, ``:cite:`jiang:24```.

The label follows from the key, the first letter of the author and the year, so that both look alike and a
page stays readable outside this site. A label that no entry of ``refs.bib`` has ends the build.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from pybtex.database import Entry, parse_file
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as Plain
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx

LABEL = re.compile(r"(?<!`)\[([A-Z]\d\d[a-z]?)\](?!\()")
STYLE = "initial-and-year"


def label(key: str) -> str:
    """``jiang:24`` is J24."""
    author, year = key.split(":")
    return f"{author[0].upper()}{year}"


def by_label(keys: Iterable[str]) -> dict[str, str]:
    """Keys by their labels; two keys of one label end the build, as one would be cited for the other."""
    found: dict[str, str] = {}
    for key in keys:
        if (other := found.setdefault(label(key), key)) != key:
            raise ValueError(f"refs.bib: {other} and {key} are both {label(key)}; add a letter to one year")
    return found


class Labels(BaseLabelStyle):
    """The labels of a bibliography."""

    def format_labels(self, sorted_entries: Iterable[Entry]) -> Iterable[str]:
        """One for each entry, from its key."""
        return [label(entry.key) for entry in sorted_entries]


class Style(Plain):
    """The plain style under those labels."""

    default_label_style = Labels


def cite(app: Sphinx, docname: str, source: list[str]) -> None:
    """Make [J24] a citation, in pages written in Markdown."""
    if app.env.doc2path(docname).suffix != ".md":
        return
    keys = by_label(list(parse_file(Path(app.srcdir) / "refs.bib").entries))
    source[0] = LABEL.sub(lambda found: f"{{cite}}`{keys.get(found[1], found[1])}`", source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Before anything is read."""
    register_plugin("pybtex.style.formatting", STYLE, Style)
    app.connect("source-read", cite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
