"""Docstrings of this house: Google's sections, but returns and attributes are told in prose.

Napoleon would take the words before a colon for a type; types stand in the signature.
"""

from sphinx.application import Sphinx
from sphinx.ext import napoleon


class Docstring(napoleon.GoogleDocstring):
    """Prose stays prose."""

    def _consume_returns_section(
        self,
        preprocess_types: bool = False,  # noqa: ARG002 - as napoleon calls it
    ) -> list[tuple[str, str, list[str]]]:
        lines = self._dedent(self._consume_to_next_section())
        return [("", "", lines)] if lines else []

    def _parse_attribute_docstring(self) -> list[str]:
        return self._consume_to_end()


def process(app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """Rewrite a docstring in place as reStructuredText."""
    lines[:] = Docstring(lines, app.config, app, what, name, found, options).lines()


def setup(app: Sphinx) -> dict[str, bool]:
    """In the place of napoleon, under its settings."""
    for name, default, rebuild, types in napoleon.Config._config_values:
        app.add_config_value(name, default, rebuild, types=types)
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
