"""How fast a run still moves at its end: a slope on logarithmic scales, whatever moved it."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.laboratory.trajectory import SAMPLE_LOSS, History, step_sizes
from linrep.runs.config import Config
from linrep.runs.trace import Series


def last_rate(
    excess: Float64[Tensor, "steps runs"], time: Float64[Tensor, "steps runs"]
) -> Float64[Tensor, " runs"]:
    r"""How fast each run still moves, :math:`d \ln E / d \ln t` over the last e-fold of time.

    Naively: ``log(E[-1] / E[t == t[-1] / e])``, E linear in ln t between the steps that were measured.

    Args:
        excess: E at the steps that were measured, in nats.
        time: Of each, rising.

    Returns:
        NaN where time does not go back so far, or a loss is not a positive number.

    Example:
        >>> time = torch.arange(1, 9, dtype=torch.float64).exp()[:, None]
        >>> last_rate(3 * time**-0.5, time)
        tensor([-0.5000], dtype=torch.float64)
    """
    found: list[float] = []
    for e, t in zip(excess.T.numpy(), time.T.numpy(), strict=True):
        sound = (t > 0) & np.isfinite(e) & (e > 0)
        if not sound.any() or not sound[-1] or t[sound][0] > t[-1] / math.e:
            found.append(math.nan)
            continue
        ln_e, ln_t = np.log(e[sound]), np.log(t[sound])
        found.append(float(ln_e[-1] - np.interp(ln_t[-1] - 1, ln_t, ln_e)))
    return torch.tensor(found, dtype=torch.float64)


def rate_of(config: Config, history: History) -> Float64[Tensor, " runs"]:
    """The rate at which each run of a training ended, since its world last changed.

    Args:
        config: Resolved.
        history: What was measured, on rank 0.
    """
    steps = torch.tensor(history.steps)
    series = SAMPLE_LOSS if SAMPLE_LOSS in history.rows[0] else Series("excess_loss_nats")
    excess = torch.stack([row[series] for row in history.rows])
    if Series("time") in history.rows[0]:
        time = torch.stack([row[Series("time")] for row in history.rows])
    else:
        time = _scheduled(config, history.steps)[:, None].expand_as(excess)
    if config.shift is not None:
        before = int((steps <= config.shift.step).sum())
        excess, time = excess[before:], time[before:] - time[before - 1]
    return last_rate(excess, time)


def _scheduled(config: Config, steps: Sequence[int]) -> Float64[Tensor, " steps"]:
    """The sum of the step sizes up to each step; the steps themselves where none is planned."""
    if config.training.optimizer == "newton":
        return torch.tensor(steps, dtype=torch.float64)
    size = step_sizes(config)
    total = np.cumsum([0.0, *(size(step) for step in range(steps[-1]))])
    return torch.tensor(total[list(steps)], dtype=torch.float64)
