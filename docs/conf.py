"""The documentation site: built offline, every warning an error (``make docs``)."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

import linrep

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "linrep"
author = "the linrep founders"
version = release = linrep.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinxcontrib.bibtex",
    "citations",
    "docstrings",
    "formulas",
    "links",
    "mathml",
    "public_api",
    "tutorials",
]
exclude_patterns = ["extensions", "images", "_build", "**.ipynb_checkpoints"]
nitpicky = True
default_role = "code"

html_theme = "furo"
html_title = "linrep"
html_static_path = []
html_theme_options = {"sidebar_hide_name": False}
html_show_sphinx = False
html_copy_source = False

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 4
bibtex_bibfiles = ["refs.bib"]
bibtex_default_style = "initial-and-year"

nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88


def setup(app: Sphinx) -> None:
    """The index of results is written by a command; here every page below it is put into the contents."""
    pages = "\n\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"

    def append(_: Sphinx, docname: str, source: list[str]) -> None:
        if docname == "results/README":
            source[0] += pages

    app.connect("source-read", append)
