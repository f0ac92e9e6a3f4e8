"""The experiments of the paper and beyond it.

Each is two files of one name: a sweep (TOML) and the code that makes answer, figures and table of its cells.
One is added by laying both here and naming it in :data:`NAMES`.
"""

from linrep.errors import InputError
from linrep.paper.record import Experiment

NAMES = (
    "emergence",
    "incomplete-contexts",
    "incomplete-tokens",
    "dimension",
    "graphs",
    "log-odds",
    "implicit-bias",
    "orthogonality",
    "optimizers",
    "knowledge",
    "hierarchy",
    "overfitting",
    "entanglement",
    "generalisation",
    "shift",
    "complexity",
)
"""In the order in which they are run and shown: the paper's own first."""


def experiment(name: str) -> Experiment:
    """An experiment by name.

    Raises:
        InputError: Unknown; names those there are.

    Example:
        >>> experiment("dimension").split
        True
    """
    from importlib import import_module

    if name not in NAMES:
        raise InputError(f"experiment {name!r}: unknown; expected {', '.join(NAMES)}, or --all")
    found: Experiment = import_module(f"linrep.paper.{name.replace('-', '_')}").EXPERIMENT
    return found
