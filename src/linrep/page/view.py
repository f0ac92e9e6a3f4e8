"""What the page reads of a result, in one place: the only file that knows how a result is laid out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linrep.geometry.record import Similarity
from linrep.laboratory.comparison import Beside
from linrep.runs.alike import Alike, alike, over
from linrep.runs.spectrum import NAMES
from linrep.runs.summary import EndWord, Key, Measured, Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A result as the page sees it: its summary, numpy arrays and one tidy table."""

    names: tuple[str, ...]
    states: tuple[tuple[str, ...], ...]
    worlds: tuple[Any, ...]
    """One per run; read: model, codes, tokens, token_codes, joint, token_labels()."""
    summary: Summary
    trace: Any
    """Tidy pandas frame: step, run, measure, table, concept, kind, value."""
    steps: NDArray[np.int64]
    """Of the snapshots; those of a wide start come first and are negative, counted back from its cut."""
    wide_steps: int
    """How many steps a wide start took, 0 where there was none or it was not looked at."""
    snapshots: NDArray[np.float64]
    """Unembeddings of the first runs, [steps, kept, tokens, dim]; rows past a run's tokens are padding."""
    spectrum: Mapping[str, NDArray[np.float64]] | None
    """Singular values by "logits", "embedding" and "unembedding", [steps, kept, dim], without a wide start;
    None where they were not recorded."""
    ended: tuple[EndWord | None, ...]
    """How each run did; None where it was not measured."""
    config: Mapping[str, Any]
    beside: Beside | None
    """What theory says of it, if it was asked."""
    measures: Mapping[Key, Measured]
    """Of the summary, by measure and table, means over the runs that ended alike."""
    headline: Alike
    """Those runs."""

    @property
    def binary(self) -> bool:
        """Whether every concept has two states, so that it is one direction and tokens are a hypercube's."""
        return all(len(states) == 2 for states in self.states)

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self.ended)

    @property
    def converged(self) -> tuple[bool, ...]:
        """Of each run."""
        return self.summary.converged

    @property
    def others(self) -> tuple[bool, ...]:
        """The runs that did not converge, diverged ones left out."""
        return tuple(not there and run not in self.diverged for run, there in enumerate(self.converged))

    def unlike_converged(self, run: int) -> str:
        """How a run ended that did not converge, to follow its name."""
        word = self.ended[run]
        return "" if word in (None, "converged") else f", {word}"

    @property
    def diverged(self) -> frozenset[int]:
        """Runs that left the finite numbers."""
        return frozenset(each.run for each in self.summary.diverged)

    @property
    def world(self) -> Any:
        """The world of the run that stands for all."""
        return self.worlds[self.typical]

    @property
    def typical(self) -> int:
        """The converged run with snapshots (any such, if none is) nearest to the median linearity of g."""
        values = per_run(self.measure("linearity", "unembedding"), self.runs)
        kept = [r for r in range(self.snapshots.shape[1]) if r not in self.diverged] or [0]
        among = [r for r in kept if self.converged[r]] or kept
        known = [values[r] for r in among if values[r] is not None]
        if not known:
            return among[0]
        median = float(np.median(np.array(known)))
        return min(among, key=lambda r: abs(v - median) if (v := values[r]) is not None else np.inf)

    def measure(self, measure: str, table: str = "") -> Measured | None:
        """A measure at the last step, by its name in the trace; None when absent."""
        return self.measures.get((measure, table))

    def similarity(self, measure: str, table: str = "") -> Similarity | None:
        """The same, of what has an interval and a null."""
        found = self.measure(measure, table)
        return found if isinstance(found, Similarity) else None

    @property
    def has_lines(self) -> bool:
        """Whether theory draws anything into the traces."""
        return self.beside is not None and self.beside.has_lines

    def level(self, measure: str, table: str = "") -> float | None:
        """What theory says a measure of a table tends to; None where it says nothing."""
        return None if self.beside is None else self.beside.levels.get((measure, table))


def view(result: Any, beside: Beside | None = None) -> View:
    """Read a result.

    Args:
        result: What :func:`linrep.run` returns, or anything with its attributes.
        beside: What theory says of it.
    """
    world, headline = result.worlds[0], alike(result.summary.ended)
    steps = np.asarray(result.snapshot_steps, dtype=np.int64)
    snapshots = np.asarray(result.snapshots, dtype=np.float64)
    if result.wide is not None:
        before = np.asarray(result.wide.steps, dtype=np.int64) - result.wide.until
        steps = np.concatenate([before, steps])
        snapshots = np.concatenate([np.asarray(result.wide.snapshots, dtype=np.float64), snapshots])
    return View(
        names=tuple(world.model.names),
        states=tuple(tuple(states) for states in world.model.states),
        worlds=tuple(result.worlds),
        summary=result.summary,
        trace=result.trace,
        steps=steps,
        wide_steps=0 if result.wide is None else result.wide.until,
        snapshots=snapshots,
        spectrum=_spectrum(result),
        ended=result.summary.ended.per_run,
        config=_plain(result.config),
        beside=beside,
        measures=_alike(result.summary, result.trace, headline),
        headline=headline,
    )


def _spectrum(result: Any) -> Mapping[str, NDArray[np.float64]] | None:
    found = result.spectrum
    return None if found is None else {name: getattr(found, name).numpy() for name in NAMES}


def _alike(summary: Summary, trace: Any, headline: Alike) -> Mapping[Key, Measured]:
    """The measures over the runs that ended alike; untouched where all did."""
    if not headline.mixed:
        return summary.measures
    rows = trace[
        (trace["step"] == summary.final.step)
        & (trace["kind"] == "value")
        & (trace["concept"] != "")
        & trace["run"].isin(headline.runs)
    ]
    means: dict[Any, dict[str, float]] = {}
    for (measure, table, concept), value in (
        rows.groupby(["measure", "table", "concept"])["value"].mean().items()
    ):
        means.setdefault((measure, table), {})[concept] = float(value)
    return {
        key: over(found, headline.runs, key[0], _by_concept(summary, means.get(key, {})))
        for key, found in summary.measures.items()
    }


def _by_concept(summary: Summary, means: Mapping[str, float]) -> dict[str, float | None]:
    return {name: means.get(name) for name in summary.concepts} if means else {}


def per_run(measure: Measured | None, runs: int) -> list[float | None]:
    """A measure's value in each run; None where it has none."""
    return [None] * runs if measure is None else list(measure.per_run)


def _plain(config: Any) -> Mapping[str, Any]:
    return config if isinstance(config, Mapping) else config.model_dump(mode="json", exclude_none=True)
