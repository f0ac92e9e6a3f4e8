"""A fixed step under which the loss rises for long is named, with the step that would not."""

from linrep.errors import many
from linrep.page.numbers import short
from linrep.runs.summary import RISES_LONG, Rises


def rising_words(rises: Rises | None, step_size: float | str | None) -> tuple[str, str] | None:
    """What is wrong and what to do; None where no run's loss rose for long.

    Example:
        >>> from linrep.geometry.record import Spread
        >>> share = Spread(median=0.45, mean=0.45, per_run=(0.45, 0.45))
        >>> rising_words(Rises(share=share, steps_looked_at=64), 5.0)[0]
        'Step size 5 is too large: the loss rose on 45 % of steps in 2 of 2 runs.'
    """
    shares = () if rises is None else [each for each in rises.share.per_run if each is not None]
    long = [share for share in shares if share >= RISES_LONG]
    if rises is None or not long:
        return None
    size = f"{step_size:g}" if isinstance(step_size, float) else str(step_size)
    mean = 100 * sum(long) / len(long)
    claim = f"Step size {size} is too large: the loss rose on {mean:.0f} % of steps in {len(long)} of " + (
        f"{many(len(shares), 'run')}"
    )
    detail = f'At training.step_size = "auto" it never rises. ({rises.steps_looked_at} steps were looked at.)'
    if rises.stable_step_size is None:
        return f"{claim}.", detail
    less = " or less" if rises.stable_step_size_is_bound else ""
    why = (
        "That is the least 2/λ along a descent from the same start that never rises, λ the largest "
        "eigenvalue of the loss's Hessian."
    )
    return f"{claim}; up to {short(rises.stable_step_size)}{less} it would not have.", f"{why} {detail}"
