"""The tutorials: each is a plain script in ``examples/``, made a notebook, run and shown.

Figures in them share one plotly.js of the site. A script that needs a package of its own says so in a line
``# needs: NAME``; where that is missing the notebook is shown without being run.
"""

import importlib.util
import os
import re
from pathlib import Path

import jupytext
from plotly.offline import get_plotlyjs
from sphinx.application import Sphinx

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDER = "tutorials"
NEEDS = re.compile(r"^# needs: (\w+)$", re.MULTILINE)
LINK = re.compile(r"\]\((?:\.\./)?examples/(\w+)\.py\)")
STARTUP = '''"""Figures load the site's own plotly.js, and nothing from elsewhere."""

import plotly.io as pio


class _Site(pio.base_renderers.MimetypeRenderer):
    def to_mimebundle(self, fig_dict):
        source = "../_static/plotly.min.js"
        html = pio.to_html(fig_dict, include_plotlyjs=source, include_mathjax=False, full_html=False)
        return {"text/html": html}


pio.renderers["site"] = _Site()
pio.renderers.default = "site"
'''


def scripts() -> list[Path]:
    """Those written in cells (``# %%``), in the order of their names."""
    return [path for path in sorted(EXAMPLES.glob("*.py")) if "# %%" in path.read_text(encoding="utf-8")]


def write(app: Sphinx) -> None:
    """Write the notebooks, and leave those alone that would not change; ready the kernel that runs them."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(exist_ok=True)
    wanted = {f"{path.stem}.ipynb": _notebook(path) for path in scripts()}
    for path in folder.glob("*.ipynb"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    profile = Path(app.doctreedir).resolve() / "ipython"
    startup = profile / "profile_default" / "startup" / "figures.py"
    startup.parent.mkdir(parents=True, exist_ok=True)
    startup.write_text(STARTUP, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(profile)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # small tensors: more threads only wait for one another


def _notebook(path: Path) -> str:
    found = jupytext.read(path, fmt="py:percent")
    found.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    missing = [name for name in NEEDS.findall(path.read_text(encoding="utf-8")) if not _installed(name)]
    if missing:
        found.metadata["mystnb"] = {"execution_mode": "off"}
    head = next(cell for cell in found.cells if cell.cell_type == "markdown")
    title, _, rest = head.source.partition("\n")
    unrun = f"; not run here, where {', '.join(missing)} is missing" if missing else ""
    notebook = f"{{nb-download}}`notebook <{path.stem}.ipynb>`"
    links = f"*The script is `examples/{path.name}`, and this page a {notebook}{unrun}.*"
    head.source = f"{title}\n\n{links}\n{rest}"
    for place, cell in enumerate(found.cells):
        cell.id = f"{path.stem}-{place}"[:64]
    return jupytext.writes(found, fmt="ipynb")


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def link(_: Sphinx, docname: str, source: list[str]) -> None:
    """Lead from a page to the tutorial where, in the repository, it leads to the script."""
    depth = docname.count("/")
    source[0] = LINK.sub(rf"]({'../' * depth}{FOLDER}/\1.ipynb)", source[0])


def write_plotly(app: Sphinx, error: Exception | None) -> None:
    """Put plotly.js beside the pages."""
    if error is None and app.builder.format == "html":
        static = Path(app.outdir) / "_static" / "plotly.min.js"
        static.write_text(get_plotlyjs(), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write before anything is read."""
    app.connect("builder-inited", write)
    app.connect("source-read", link)
    app.connect("build-finished", write_plotly)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
