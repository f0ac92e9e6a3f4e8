"""What may be averaged: runs that ended alike. A mean over several kinds would describe none of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from linrep.geometry.record import Similarity
from linrep.intervals import Range, mean_interval
from linrep.runs.summary import END_WORDS, Ended, EndWord, LogOdds, Measured

SHARES = ("orthogonality", "share", "overlap")
"""In names of measures that no run can have below 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """The runs that a headline speaks of.

    Example:
        >>> from linrep.runs.summary import not_judged
        >>> alike(not_judged(3, "before")).runs
        (0, 1, 2)
    """

    runs: tuple[int, ...]
    """Those that converged; where none did, those of the most common end; all, where ends are not known."""
    of: int
    """Runs in all."""
    word: EndWord | None
    """How they ended; None where that is not known."""
    words: str
    """Such as "the 18 runs that converged"."""

    @property
    def mixed(self) -> bool:
        """Whether others ended otherwise."""
        return len(self.runs) < self.of


def alike(ended: Ended) -> Alike:
    """The runs of a headline.

    Args:
        ended: Of a summary.
    """
    judged: Counter[EndWord] = Counter(word for word in ended.per_run if word is not None)
    finite: dict[EndWord, int] = {word: judged[word] for word in END_WORDS if judged[word]}
    if len(finite) > 1:
        finite.pop("diverged", None)
    runs = range(len(ended.per_run))
    if not finite:
        return Alike(runs=tuple(runs), of=len(runs), word=None, words=_number(len(runs), ""))
    word = max(finite, key=lambda each: (each == "converged", finite[each]))
    chosen = tuple(run for run in runs if ended.per_run[run] == word)
    return Alike(runs=chosen, of=len(runs), word=word, words=_number(len(chosen), word))


def _number(runs: int, word: str) -> str:
    how = {"": "", "converged": " that converged", "on a plateau": " on a plateau"}.get(
        word, f" that ended {word}"
    )
    return f"the run{how}" if runs == 1 else f"the {runs:,} runs{how}"


def over(
    found: Measured, runs: Sequence[int], measure: str, per_concept: dict[str, float | None]
) -> Measured:
    """A record with its mean, median and interval over some runs alone; what each run had stays.

    Naively: ``mean(found.per_run[run] for run in runs)``.

    Args:
        found: Over all runs.
        runs: Which.
        measure: Its name in the trace.
        per_concept: Means over these runs.

    Example:
        >>> all_runs = Similarity(
        ...     mean=0.5, median=0.5, interval95=None, null=None, per_concept={}, per_run=(1.0, 0.0)
        ... )
        >>> over(all_runs, [0], "linearity", {}).mean
        1.0
    """
    chosen = [value for run in runs if (value := found.per_run[run]) is not None]
    mean = float(np.mean(chosen)) if chosen else None
    median = float(np.median(chosen)) if chosen else None
    if isinstance(found, LogOdds):
        return (
            found
            if mean is None or median is None
            else found.model_copy(update={"rmse": mean, "median": median})
        )
    if not isinstance(found, Similarity):
        fields = {"mean": mean, "median": median}
        return found.model_copy(update={name: fields[name] for name in fields if hasattr(found, name)})
    within: Range = (0.0 if any(word in measure for word in SHARES) else -1.0, 1.0)
    if "degrees" in measure:
        within = (0.0, 180.0)
    interval = mean_interval(torch.tensor(chosen, dtype=torch.float64), within)
    update = {"mean": mean, "median": median, "interval95": interval}
    return found.model_copy(update=update | {"per_concept": per_concept or found.per_concept})
