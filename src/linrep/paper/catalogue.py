"""The experiments of the paper and beyond it.

Each is a sweep (TOML) and the code that makes answer, figures and table of its cells. One is added by laying
both here and naming it below.
"""

from linrep.errors import InputError
from linrep.paper import (
    all_or_none,
    complexity,
    deletion,
    dimension,
    emergence,
    entanglement,
    equal_loss,
    frequency,
    generalisation,
    graphs,
    hierarchy,
    implicit_bias,
    incomplete,
    knowledge,
    log_odds,
    optimizers,
    order,
    orthogonality,
    overfitting,
    real_worlds,
    setting,
    shift,
    superposition,
    synonyms,
)
from linrep.paper.record import Experiment

_STUDIES = (
    setting.EXPERIMENT,
    emergence.EXPERIMENT,
    incomplete.CONTEXTS,
    incomplete.TOKENS,
    dimension.EXPERIMENT,
    graphs.EXPERIMENT,
    real_worlds.EXPERIMENT,
    log_odds.EXPERIMENT,
    order.EXPERIMENT,
    frequency.EXPERIMENT,
    deletion.EXPERIMENT,
    synonyms.EXPERIMENT,
    superposition.EXPERIMENT,
    all_or_none.EXPERIMENT,
    equal_loss.EXPERIMENT,
    implicit_bias.EXPERIMENT,
    orthogonality.EXPERIMENT,
    optimizers.EXPERIMENT,
    knowledge.EXPERIMENT,
    hierarchy.EXPERIMENT,
    overfitting.EXPERIMENT,
    entanglement.EXPERIMENT,
    generalisation.EXPERIMENT,
    shift.EXPERIMENT,
    complexity.EXPERIMENT,
)
_BY_NAME = {study.name: study for study in _STUDIES}

NAMES = tuple(_BY_NAME)
"""In the order in which they are run and shown: the paper's own first."""


def experiment(name: str) -> Experiment:
    """An experiment by name.

    Raises:
        InputError: Unknown; names those there are.

    Example:
        >>> experiment("dimension").columns[0].title
        'linearity g'
    """
    if name not in _BY_NAME:
        raise InputError(f"experiment {name!r}: unknown; expected {', '.join(NAMES)}, or --all")
    return _BY_NAME[name]
