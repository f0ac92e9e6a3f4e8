"""Where claims are tested: named experiments of plain configs, and computations, each done once."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from linrep.errors import InputError
from linrep.files import one_line_errors, write_file
from linrep.geometry import Null
from linrep.laboratory import run as experiment
from linrep.paper.claims.verdict import Rule, Trial, estimate
from linrep.progress import counted, stage, with_excess
from linrep.runs.result import Result
from linrep.runs.store import read_json
from linrep.runs.summary import Measured

Values = list[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large the experiments are."""

    name: str
    concepts: int
    """m of the trained worlds."""
    wide: int
    """A width far above m, and above the rank of the limit."""
    narrow_runs: int
    """Runs at k = m: enough that 20 converge."""
    seeds: int
    narrow_steps: int
    descent_steps: int
    """From wide starts at k = m, where each run finds its own step size."""
    wide_steps: int
    few_steps: int
    late: float
    """ln t at which isolated problems with fixed embeddings are looked at."""


QUICK = Scale(
    name="quick",
    concepts=4,
    wide=32,
    narrow_runs=64,
    seeds=20,
    narrow_steps=4000,
    descent_steps=3000,
    wide_steps=2000,
    few_steps=3000,
    late=100.0,
)
FULL = Scale(
    name="full",
    concepts=5,
    wide=64,
    narrow_runs=96,
    seeds=40,
    narrow_steps=8000,
    descent_steps=6000,
    wide_steps=8000,
    few_steps=20_000,
    late=200.0,
)


def configs(scale: Scale) -> dict[str, dict[str, Any]]:
    """Every experiment of the ledger as a plain config, by name; one thread, so that all machines agree.

    Args:
        scale: Quick or full.

    Example:
        >>> configs(QUICK)["wide"]["model"]["dim"]
        32
    """
    m, wide = scale.concepts, {"dim": scale.wide}
    independent = {"kind": "independent", "concepts": m}
    skewed = {"kind": "random", "concepts": m, "edge_probability": 0.8, "probability_range": [0.1, 0.9]}
    three, five = ({"kind": "independent", "concepts": n} for n in (3, 5))
    few = {"kind": "known", "at_least": 1, "at_most": 2}

    def one(world: Mapping[str, Any], dim: Mapping[str, Any], training: Any, **more: Any) -> dict[str, Any]:
        common = {"seed": 0, "runs": scale.seeds, "world": world, "model": dim, "training": training}
        return {**common, "compute": {"threads": 1}, **more}

    def exact(training: Any) -> dict[str, Any]:
        return one(three, {"dim": 3}, training, compute={"threads": 1, "dtype": "float64"})

    long = _trained("gd", scale.wide_steps, 5.0)
    return {
        "narrow": one(
            independent, {"dim": m}, _trained("gd", scale.narrow_steps, 5.0), runs=scale.narrow_runs
        ),
        "wide-start": one(
            independent, {"dim": m, "start": "wide"}, _trained("gd", scale.descent_steps, "auto")
        ),
        "wide": one(independent, wide, long),
        "graph": one(skewed, wide, long),
        "few-known": one(five, {"dim": 16}, _trained("gd", scale.few_steps, 5.0), contexts=few),
        "margins": one(three, {"dim": 8}, _trained("gd", scale.wide_steps, 3.0)),
        "start": exact(_trained("gd", 0, 1.0)),
        "gd": exact(_trained("gd", 100, 2.0)),
        "gd-half": exact(_trained("gd", 200, 1.0)),
        "adam": exact(_trained("adam", 200, 0.01)),
        "adam-half": exact(_trained("adam", 400, 0.005)),
    }


def _trained(optimizer: str, steps: int, step_size: float | str) -> dict[str, Any]:
    snapshots = 2 if steps < 1000 else 20
    return {"optimizer": optimizer, "steps": steps, "step_size": step_size, "snapshots": snapshots}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Runs and computations of one ledger; what is in the folder is found again."""

    out: Path
    scale: Scale
    configs: Mapping[str, Mapping[str, Any]]
    say: Callable[[str], None]
    stop: Callable[[], bool] = lambda: False
    done: dict[str, Result] = field(default_factory=dict)

    def run(self, name: str) -> Result:
        """The finished experiment of that name, trained only if it is not there."""
        if name not in self.done:
            self.say(f"experiment {name}")
            with stage(f"experiment {name}") as advance:
                self.done[name] = experiment.run(
                    self.configs[name], out=self.out / "runs", progress=with_excess(advance), stop=self.stop
                )
        return self.done[name]

    def compute(self, name: str, count: int, function: Callable[[int], float], *given: Any) -> Values:
        """One number per seed, kept as JSON under the name and what it was computed from.

        Args:
            name: Of the computation.
            count: Seeds.
            function: From the seed to the number; not a number means none.
            given: What the numbers depend on beside the seed: keys of runs, settings.
        """
        digest = hashlib.sha256(json.dumps([name, count, *given]).encode()).hexdigest()
        path = self.out / "computed" / f"{name}-{digest[:12]}.json"
        if path.is_file():
            found = read_json(path).get("values")
            if isinstance(found, list) and len(found) == count:
                return found
        self.say(f"computing {name}")
        values: Values = []
        for seed in counted(range(count), f"computing {name}"):
            if self.stop():
                raise KeyboardInterrupt
            try:
                value = function(seed)
            except InputError:
                value = math.nan
            values.append(value if math.isfinite(value) else None)
        with one_line_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, json.dumps({"name": name, "given": list(given), "values": values}).encode())
        return values


def per_run(result: Result, record: Measured | None) -> Values:
    """A measure of every run; None where there is none."""
    return [None] * len(result.worlds) if record is None else list(record.per_run)


def trial(
    result: Result,
    experiment: str,
    name: str,
    quantity: str,
    values: Sequence[float | None],
    rule: Rule,
    *,
    null: Null | None = None,
) -> Trial:
    """Hold what the converged runs of an experiment show against a rule.

    Args:
        result: Trained.
        experiment: Its name.
        name: What was measured, in words.
        quantity: The number's short name.
        values: One a run, of all runs.
        rule: With the predicted value.
        null: The same measure on random pairs.
    """
    kept = [value for value, there in zip(values, result.summary.converged, strict=True) if there]
    return Trial(
        name=name,
        quantity=quantity,
        experiments=(experiment,),
        measured=estimate(kept),
        rule=rule,
        trained=len(values),
        null=null and null.mean,
    )


def traced(result: Result, measure: str, table: str, ages: Sequence[float]) -> list[Values]:
    """A measure's values, run by run, at the snapshots nearest to some shares of training.

    Args:
        result: A run.
        measure: As in the trace.
        table: As in the trace.
        ages: Shares of the last step.
    """
    rows = result.trace
    rows = rows[
        (rows["measure"] == measure)
        & (rows["table"] == table)
        & (rows["kind"] == "value")
        & (rows["concept"] == "")
    ]
    wide = rows.pivot_table(index="step", columns="run", values="value", dropna=False)
    last = float(wide.index[-1])
    found: list[Values] = []
    for age in ages:
        step = min(wide.index, key=lambda s: abs(math.log(max(float(s), 0.5) / (age * last))))
        found.append([float(wide.loc[step].get(run, math.nan)) for run in range(len(result.worlds))])
    return found


def tables(result: Result, run: int) -> tuple[torch.Tensor, torch.Tensor]:
    """F and g of one run, without padding, in float64."""
    world = result.worlds[run]
    embedding, unembedding = result.embedding[run], result.unembedding[run]
    return embedding[: len(world.codes)].double(), unembedding[: len(world.tokens)].double()
