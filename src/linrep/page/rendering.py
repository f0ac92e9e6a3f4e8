"""A result as one HTML file that opens offline, and its figures for a paper."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.figure import Figure

    from linrep.laboratory.comparison import Beside


def render(result: Any, beside: "Beside | None" = None) -> str:
    """The page of a result.

    Args:
        result: What :func:`linrep.run` returns.
        beside: What theory says, drawn beside what was measured;
            see :func:`linrep.laboratory.comparison.beside`.

    Returns:
        One HTML file with everything inside; it makes no network request.

    Example:
        >>> import linrep
        >>> result = linrep.run(world="cancer", runs=2, training={"steps": 5})
        >>> render(result).startswith("<!doctype html>")
        True
    """
    from linrep.page.run_page import page
    from linrep.page.shell import assemble
    from linrep.page.view import view

    return assemble(page(view(result, beside)))


def figures(result: Any, beside: "Beside | None" = None) -> "dict[str, Figure]":
    """The figures of a result for a paper, by name; one that does not exist for it is left out.

    Args:
        result: What :func:`linrep.run` returns.
        beside: As for :func:`render`.

    Example:
        >>> import linrep
        >>> result = linrep.run(world="cancer", runs=2, training={"steps": 5})
        >>> "overlap" in figures(result)
        True
    """
    from matplotlib import rc_context

    from linrep.page import cube, graph, growth, heatmaps, odds, spectrum, traces
    from linrep.page.print_style import STYLE
    from linrep.page.view import view

    seen = view(result, beside)
    makers = {
        "hypercube": cube.paper,
        "traces": traces.paper,
        "overlap": heatmaps.paper,
        "alignment": heatmaps.paper_alignment,
        "spectrum": spectrum.paper,
        "singular-values": growth.paper,
        "log-odds": odds.paper,
        "concept-graph": graph.paper,
    }
    with rc_context(STYLE):
        drawn = {name: make(seen) for name, make in makers.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def save_figures(result: Any, folder: Path | str, beside: "Beside | None" = None) -> list[Path]:
    """Save every figure as PDF, SVG and PNG.

    Args:
        result: What :func:`linrep.run` returns.
        folder: Made if it is not there.
        beside: As for :func:`render`.

    Returns:
        The files written, three for each figure. Equal results give equal bytes.

    Example:
        >>> import linrep, tempfile
        >>> result = linrep.run(world="cancer", runs=2, training={"steps": 5})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     {path.suffix for path in save_figures(result, folder)} == {".pdf", ".svg", ".png"}
        True
    """
    from linrep.page.print_style import save

    return save(figures(result, beside), folder)


def run_page(result: Any) -> str:
    """The page of a run, with what theory predicts for it.

    Args:
        result: What :func:`linrep.run` returns.
    """
    from linrep.laboratory.comparison import beside

    return render(result, beside(result))


def run_plot(result: Any, kind: str | None = None) -> "go.Figure":
    """One plot of a run's page as a plotly figure.

    Args:
        result: What :func:`linrep.run` returns.
        kind: Which; None for the first, linearity over training.

    Raises:
        InputError: No such plot; names those there are.
    """
    from linrep.laboratory.comparison import beside
    from linrep.page.interactive import chosen
    from linrep.page.run_page import page
    from linrep.page.view import view

    return chosen(page(view(result, beside(result))).blocks, kind)


def run_figures(result: Any, folder: Path | str) -> list[Path]:
    """Save every figure of a run for a paper, with what theory predicts for it.

    Args:
        result: What :func:`linrep.run` returns.
        folder: Made if it is not there.
    """
    from linrep.laboratory.comparison import beside

    return save_figures(result, folder, beside(result))
