"""How the runs of an experiment ended: a question beside its own, answered in the same words everywhere."""

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.intervals import ANYWHERE, Effect, Range, average
from linrep.page.numbers import count
from linrep.sweeps.numbers import Numbers

CONVERGED = "converged"


def converged(numbers: Numbers, measure: str, table: str = "") -> Float64[Tensor, " runs"]:
    """One number per run that converged, at the end of training: what intervals are taken over."""
    return torch.from_numpy(numbers.per_run(measure, table, ended=CONVERGED))


def mean_over(numbers: Numbers, measure: str, table: str = "", within: Range = ANYWHERE) -> Effect:
    """The mean of a measure at the end of training over runs that converged, with its interval.

    Args:
        numbers: Of one cell, or of cells whose runs are different ones.
        measure: As in the trace.
        table: "embedding", "unembedding" or "".
        within: Where the measure can be; :data:`linrep.paper.effects.UNIT` for cosines.
    """
    return average(converged(numbers, measure, table), within)


def how_runs_ended(numbers: Numbers) -> str:
    """The sentence of every report, as in "18 of 20 runs converged; 2 ended on a plateau."."""
    found = numbers.counts()
    runs = sum(found.values())
    rest = [f"{count(many)} {_ended(word)}" for word, many in found.items() if many and word != CONVERGED]
    if not runs:
        return ""
    if not rest:
        return f"All {count(runs)} runs converged." if runs > 1 else "The one run converged."
    said = f"{count(found[CONVERGED])} of {count(runs)} runs converged"
    return f"{said}; {', '.join(rest)}."


def _ended(word: str) -> str:
    return word if word == "diverged" else f"ended {word}"
