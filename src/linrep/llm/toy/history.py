"""The steps after which a toy model is kept: step 0, then evenly spaced in the logarithm to the last."""

from linrep.errors import InputError

FIRST = 32
"""The first step after 0 that is kept, where there are so many: before it hardly anything moves."""
FEWEST = 3
"""Checkpoints that make a history: the start, the end and one between them."""


def folder_name(step: int) -> str:
    """What a checkpoint is called, as on the Hub: ``step512``."""
    return f"step{step}"


def checkpoint_steps(number: int, steps: int, *, first: int = FIRST) -> tuple[int, ...]:
    """So many steps from 0 to the last, those between evenly spaced in the logarithm; 0 asks for none.

    Args:
        number: How many checkpoints, step 0 and the last among them.
        steps: The last.
        first: The first after 0, where there are so many.

    Raises:
        InputError: If there are fewer than three, or more than there are steps.

    Example:
        >>> checkpoint_steps(5, 256), checkpoint_steps(0, 256)
        ((0, 32, 64, 128, 256), ())
    """
    if number == 0:
        return ()
    if not FEWEST <= number <= steps + 1:
        raise InputError(
            f"checkpoints: expected {FEWEST} to {steps + 1} of {steps} training steps, got {number}; "
            "ask for another number, or for more steps"
        )
    first = min(first, steps - number + 2)
    ratio = (steps / first) ** (1 / (number - 2))
    kept = [0]
    for index in range(number - 1):
        # Where rounding would give a step twice, the next free one.
        left = number - 2 - index
        kept.append(min(max(round(first * ratio**index), kept[-1] + 1), steps - left))
    return tuple(kept)
