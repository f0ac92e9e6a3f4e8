"""What a record asks of rooms above its own, by name and when asked: its page, its figures, its prediction.

Records lie low in the house, so that everyone may read them; what draws them lies high. As pandas looks up
what plots its frames, a record looks up here what draws it.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

DRAWINGS = {
    "run page": "linrep.page.rendering:run_page",
    "run plot": "linrep.page.rendering:run_plot",
    "run figures": "linrep.page.rendering:run_figures",
    "run prediction": "linrep.laboratory.comparison:prediction_of",
    "reading page": "linrep.page.reading:reading_page",
    "reading plot": "linrep.page.reading:reading_plot",
    "trace plot": "linrep.page.reading:trace_plot",
    "runs page": "linrep.page.runs_page:render",
    "matrix plot": "linrep.page.matrix:figure",
    "lm paper page": "linrep.page.lm.paper:render",
    "lm paper figures": "linrep.page.lm.paper:save_figures",
    "push plot": "linrep.page.lm.steer:figure",
    "sweep page": "linrep.paper.user_sweep:sweep_page",
    "sweep plot": "linrep.paper.user_sweep:sweep_plot",
}
"""What can be asked for, and where it is."""


def drawing(name: str) -> Callable[..., Any]:
    """What draws, or works out, the thing of that name.

    Example:
        >>> drawing("runs page").__module__
        'linrep.page.runs_page'
    """
    module, _, function = DRAWINGS[name].partition(":")
    return getattr(import_module(module), function)
