"""Claim C2: the binary classification hidden in next-token loss, descended to late times at little cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from linrep.errors import InputError

Update = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """Parameters at the first step at or after each asked time; time is the sum of the step sizes."""

    times: Float64[Tensor, " records"]
    """Effective times reached; fewer than asked when the steps ran out."""
    steps: Int64[Tensor, " records"]
    parameters: Float64[Tensor, "records vectors dim"]
    """Embeddings fixed: v alone. All trained: w_1, w_0, v."""
    log_loss: Float64[Tensor, " records"]
    """ln L, finite however small L is."""
    complete: bool
    """Whether every asked time was reached within the allowed steps."""


def descend_fixed(
    points: Float64[Tensor, "points dim"],
    start: Float64[Tensor, " dim"],
    *,
    step: float,
    times: Sequence[float],
    normalised: bool,
    most_steps: int = 1_000_000,
) -> Descent:
    r"""Gradient descent on :math:`L(v) = \sum_n e^{-x_n \cdot v}`, embeddings fixed.

    Plain steps have one size. Loss-normalised steps have size ``step``/L, so ln t grows steadily: late
    times cost few steps, and both follow the same path up to the step size.

    Naively: ``v -= step * grad; t += step``.

    Args:
        points: One row per labelled point.
        start: v at time zero.
        step: Step size, or what is divided by the loss.
        times: Effective times to record, ascending.
        normalised: Whether steps are divided by the loss.
        most_steps: Where to give up; ``complete`` then says so.

    Returns:
        v over time, as ``parameters[:, 0]``.

    Raises:
        InputError: If the step is not positive or the times do not ascend from above zero.

    Example:
        >>> x = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
        >>> late = descend_fixed(x, torch.zeros(2).double(), step=0.01, times=[1e6], normalised=True)
        >>> round(float(late.parameters[0, 0, 0]), 1)  # ln t
        13.8

    References:
        Theory claim C2; Soudry et al. 2018, section 5 for normalised steps.
    """
    data = points.numpy()

    def update(state: np.ndarray) -> tuple[float, np.ndarray]:
        exponent = -(data @ state[0])
        top = float(exponent.max())
        weights = np.exp(exponent - top)
        total = float(weights.sum())
        return top + float(np.log(total)), ((weights / total) @ data)[None]

    return _descend(update, start[None], step, times, normalised, most_steps)


def descend_joint(
    one: Float64[Tensor, " dim"],
    zero: Float64[Tensor, " dim"],
    steering: Float64[Tensor, " dim"],
    *,
    step: float,
    times: Sequence[float],
    normalised: bool,
    most_steps: int = 1_000_000,
) -> Descent:
    r"""Gradient descent on :math:`L(w_1, w_0, v) = e^{-w_1 \cdot v} + e^{w_0 \cdot v}`, all three trained.

    Loss-normalised steps are stable while ``step``·‖v‖² stays below about 2, so up to ln t ≈ 1/``step``.

    Naively: autograd on the two exponentials.

    Args:
        one: w_1 = f(d_{i→1}) at time zero.
        zero: w_0 = f(d_{i→0}).
        steering: v = Δg_i(c).
        step: Step size, or what is divided by the loss.
        times: Effective times to record, ascending.
        normalised: Whether steps are divided by the loss.
        most_steps: Where to give up; ``complete`` then says so.

    Returns:
        (w_1, w_0, v) over time.

    Raises:
        InputError: As :func:`descend_fixed`.

    Example:
        >>> w = torch.tensor([1.0, 0.0]).double()
        >>> run = descend_joint(w, -w, w.flip(0), step=0.05, times=[100.0], normalised=False)
        >>> int(run.steps[0])
        2000

    References:
        Theory claim C2.
    """

    def update(state: np.ndarray) -> tuple[float, np.ndarray]:
        w1, w0, v = state
        exponent = np.array([-(w1 @ v), w0 @ v])
        top = float(exponent.max())
        weights = np.exp(exponent - top)
        total = float(weights.sum())
        a, b = weights / total
        return top + float(np.log(total)), np.stack([a * v, -b * v, a * w1 - b * w0])

    return _descend(update, torch.stack([one, zero, steering]), step, times, normalised, most_steps)


def conserved_matrix(parameters: Float64[Tensor, "*records 3 dim"]) -> Float64[Tensor, "*records dim dim"]:
    r""":math:`Q = w_1 w_1^\top + w_0 w_0^\top - v v^\top`, kept exactly by gradient flow on all three.

    Naively: ``outer(w1, w1) + outer(w0, w0) - outer(v, v)``.

    Args:
        parameters: w_1, w_0, v stacked.

    Returns:
        One symmetric matrix per record; gradient descent moves it by O(step size).

    Example:
        >>> conserved_matrix(torch.tensor([[1.0], [2.0], [2.0]]).double())
        tensor([[1.]], dtype=torch.float64)

    References:
        Theory claim C2.
    """
    signs = torch.tensor([1.0, 1.0, -1.0], dtype=parameters.dtype)
    return (parameters.mT * signs) @ parameters


def joint_rate(parameters: Float64[Tensor, "*records 3 dim"]) -> Float64[Tensor, "*records"]:
    r"""C in :math:`1 - \cos(w_1 - w_0, v) \to C/\ln^2 t`: :math:`\|(I - \hat v\hat v^\top) Q \hat v\|^2 / 4`.

    From the angle, :math:`2\sqrt C / \|v\|^2` late, with :math:`\|v\|^2 \approx \sqrt2 \ln t` and
    1 − cos ≈ angle²/2.

    Naively: form Q, apply it to v̂, remove the part along v̂; a quarter of the square of what is left.

    Args:
        parameters: w_1, w_0, v stacked.

    Returns:
        No unit (nats²).

    Example:
        >>> float(joint_rate(torch.tensor([[1.0, 1.0], [0.0, 0.0], [2.0, 0.0]]).double()))
        0.25

    References:
        Theory claim C2.
    """
    direction = torch.nn.functional.normalize(parameters[..., 2, :], dim=-1)
    pushed = (conserved_matrix(parameters) @ direction[..., None])[..., 0]
    across = pushed - (pushed * direction).sum(-1, keepdim=True) * direction
    return across.norm(dim=-1).square() / 4


def _descend(
    update: Update,
    start: Tensor,
    step: float,
    times: Sequence[float],
    normalised: bool,
    most_steps: int,
) -> Descent:
    """``update`` gives ln L and the descent direction −∇L/L."""
    ordered = list(times)
    if not step > 0:
        raise InputError(f"step: expected a positive size, got {step}")
    if not ordered or ordered[0] <= 0 or ordered != sorted(set(ordered)):
        raise InputError(f"times: expected ascending times above 0, got {ordered}")
    state, time = start.numpy().copy(), 0.0
    records: list[tuple[float, int, np.ndarray, float]] = []
    log_loss, direction = update(state)
    for count in range(1, most_steps + 1):
        loss = float(np.exp(log_loss))
        state = state + step * (direction if normalised else loss * direction)
        time = time + step / loss if normalised else count * step
        log_loss, direction = update(state)
        while len(records) < len(ordered) and time >= ordered[len(records)] * (1 - 1e-12):
            records.append((time, count, state.copy(), log_loss))
        if len(records) == len(ordered) or not np.isfinite(log_loss):
            break
    return Descent(
        times=torch.tensor([r[0] for r in records], dtype=torch.float64),
        steps=torch.tensor([r[1] for r in records], dtype=torch.int64),
        parameters=torch.tensor(np.array([r[2] for r in records])).reshape(-1, *start.shape),
        log_loss=torch.tensor([r[3] for r in records], dtype=torch.float64),
        complete=len(records) == len(ordered),
    )
