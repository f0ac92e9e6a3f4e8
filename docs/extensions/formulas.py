"""Formulas written in plain text, as in ``theory.md``: σ_k and A^{-T} get their indices and exponents.

The page stays readable outside this site, where it is shown as it is written.
"""

import re

from sphinx.application import Sphinx

PAGES = {"theory"}
CODE = re.compile(r"(`+[^`]*`+)")
BRACES = r"\{[^{}]*\}"
INDEX = re.compile(rf"(?<=[^\s`|_])_({BRACES}|[0-9]+|[A-Za-z]+|⊥|\*)")
EXPONENT = re.compile(rf"(?<=[^\s`|^])\^({BRACES}|\([^()]*\)|−?[0-9]+|[A-Za-z])")


def drawn(text: str) -> str:
    """Indices and exponents as HTML, outside of code.

    Example:
        >>> drawn("σ_k = e^{lse_off} and `until_excess`")
        'σ<sub>k</sub> = e<sup>lse<sub>off</sub></sup> and `until_excess`'
    """
    parts = CODE.split(text)
    return "".join(part if CODE.fullmatch(part) else _sentence(part) for part in parts)


def _sentence(text: str) -> str:
    text = EXPONENT.sub(lambda found: f"<sup>{_inner(found[1])}</sup>", text)
    return INDEX.sub(lambda found: f"<sub>{_inner(found[1])}</sub>", text)


def _inner(text: str) -> str:
    return _sentence(text[1:-1] if text[0] == "{" else text.removeprefix("(").removesuffix(")"))


def draw(_: Sphinx, docname: str, source: list[str]) -> None:
    """Before the page is parsed."""
    if docname in PAGES:
        source[0] = "\n".join(drawn(line) for line in source[0].split("\n"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Before citations, whose keys are no formulas."""
    app.connect("source-read", draw, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
