"""When each mode of a run was to appear, by its first gradient, where what that rests on holds."""

import math

import torch

from linrep.linalg import median
from linrep.runs.config import Config
from linrep.runs.result import Result
from linrep.theory.order import first_modes, steps_to_length
from linrep.worlds.truth import distinct

SMALL = 0.1
"""Length along a mode, at most, of tables that start small: a hundredth of a logit."""
MOST = 8
"""Modes at most, the strongest first."""
LARGEST = 2**19
"""Entries (contexts × tokens), of all worlds together, whose modes are computed for a page."""


def appearances(result: Result) -> tuple[tuple[float, ...], str]:
    """Steps at which singular values of the logits were to reach 1, medians over runs, in order.

    A mode reaches length 1 in both tables at once, so that its logits are 1.

    Args:
        result: A finished run.

    Returns:
        And an empty text; or none, and why there are none.

    Example:
        >>> import linrep
        >>> fair = {"kind": "independent", "concepts": 2, "probabilities": [0.5, 0.5]}
        >>> training = {"optimizer": "gd", "step_size": 1.0, "schedule": "constant", "steps": 2}
        >>> result = linrep.run(runs=1, world=fair, model={"dim": 4, "init_scale": 1e-3}, training=training)
        >>> [round(step) for step in appearances(result)[0]]  # two concepts, then what they are together
        [51, 51, 62]
    """
    reason = _unlike(result.config)
    if reason:
        return (), reason
    different = distinct(result.worlds)
    entries = sum(len(world.codes) * len(world.tokens) for world in different)
    if entries > LARGEST:
        return (), f"{entries:,} entries of contexts × tokens are too many to look for modes here"
    model, step = result.config.model, result.config.training.step_size
    dim = model.dim or 0
    assert isinstance(step, float), "a step of its own was ruled out"
    found = torch.full((len(different), min(dim, MOST)), math.inf, dtype=torch.float64)
    for row, world in enumerate(different):
        rates = first_modes(world).rates[: found.shape[1]]
        found[row, : len(rates)] = steps_to_length(rates, dim=dim, scale=model.init_scale, step_size=step)
    middle = median(found.mT)
    return tuple(middle[middle.isfinite()].tolist()), ""


def _unlike(config: Config) -> str:
    """What of a training the first gradient does not tell the times of; empty where it does."""
    training, model = config.training, config.model
    reach = model.init_scale * math.sqrt((model.dim or 0) / 2)
    named = {
        "a network is the encoder": model.encoder != "table",
        "the start is a wide one": model.start != "normal",
        "training is not full-batch gradient descent": training.optimizer != "gd",
        "it knows sampled pairs alone": training.samples is not None,
        "the step size is not one and the same": training.step_size == "auto"
        or training.schedule != "constant",
        "the world changes on the way": config.shift is not None,
        "contexts are held out": bool(config.contexts.held_out),
        f"tables start as long as {reach:.2g} along each mode, not {SMALL:g} or less": reach > SMALL,
    }
    return next((words for words, holds in named.items() if holds), "")
