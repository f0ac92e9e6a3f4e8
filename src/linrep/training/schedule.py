"""Step sizes over training, and the steps at which a run is measured."""

from collections.abc import Callable

import numpy as np

Schedule = Callable[[int], float]


def schedule(kind: str, step_size: float, steps: int, final_step_size: float | None = None) -> Schedule:
    r"""The step size of step 0..steps-1: constant, geometric or cosine, the last two ending at the final one.

    With progress :math:`u = s/(\text{steps}-1)`: geometric :math:`\eta_0 (\eta_1/\eta_0)^u`, cosine
    :math:`\eta_1 + (\eta_0-\eta_1)(1+\cos \pi u)/2`.

    Args:
        kind: "constant", "geometric" or "cosine".
        step_size: The first step size.
        steps: Number of steps.
        final_step_size: The last step size; cosine ends at 0 without one.

    Returns:
        A function from the step's index to its step size.

    Raises:
        ValueError: Unknown kind, or geometric without a final step size.

    Example:
        >>> rate = schedule("geometric", 1.0, 3, 0.25)
        >>> [rate(step) for step in range(3)]
        [1.0, 0.5, 0.25]
    """
    last = max(steps - 1, 1)
    if kind == "constant":
        return lambda _: step_size
    if kind == "geometric" and final_step_size is not None:
        ratio = final_step_size / step_size
        return lambda step: step_size * ratio ** (step / last)
    if kind == "cosine":
        final = final_step_size or 0.0
        return lambda step: final + (step_size - final) * (1 + float(np.cos(np.pi * step / last))) / 2
    raise ValueError(
        f"schedule: expected constant, cosine, or geometric with a final step size, got {kind!r}"
    )


def snapshot_steps(steps: int, count: int, shift: int | None = None) -> list[int]:
    """About ``count`` log-spaced steps, 0 and ``steps`` among them.

    Args:
        steps: Number of steps.
        count: How many at most.
        shift: A step from which the spacing starts again, itself among them; half of all lie after it.

    Example:
        >>> snapshot_steps(1000, 7)
        [0, 1, 4, 16, 63, 251, 1000]
        >>> snapshot_steps(1000, 7, shift=500)
        [0, 1, 22, 500, 501, 522, 1000]
    """
    if shift is not None:
        after = snapshot_steps(steps - shift, count // 2 + 1)
        return [*snapshot_steps(shift, count - count // 2), *(shift + step for step in after[1:])]
    if steps == 0:
        return [0]
    spaced = np.geomspace(1, steps, max(count - 1, 1))
    return [0, *sorted({round(step) for step in spaced} | {steps})]
