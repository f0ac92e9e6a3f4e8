"""The ledger: every claim with its tests, its controls and a verdict computed from the numbers."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linrep.files import one_line_errors, write_file
from linrep.laboratory.machine import threads
from linrep.paper.claims import c1, c2, c3, c4, c5, c6
from linrep.paper.claims.bench import FULL, QUICK, Bench, Scale, configs
from linrep.paper.claims.verdict import RULE, Claim, Trial
from linrep.progress import counted
from linrep.runs.toml import as_toml

CLAIMS = (c1.claim, c2.claim, c3.claim, c4.claim, c5.claim, c6.claim)
JSON_FILE = "ledger.json"


def _silent(words: str) -> None:
    del words


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All claims, and the experiments anyone can run again."""

    scale: str
    claims: tuple[Claim, ...]
    configs: dict[str, dict[str, Any]]
    rule: str = RULE

    def as_json(self) -> dict[str, Any]:
        """The object that ``linrep claims --json`` prints."""
        return {
            "scale": self.scale,
            "rule": self.rule,
            "claims": [
                {
                    "id": claim.id,
                    "title": claim.title,
                    "statement": claim.statement,
                    "verdict": claim.verdict,
                    "conditions": list(claim.conditions),
                    "reason": claim.reason,
                    "rows": [
                        _row(claim, number, trial) for number, trial in enumerate(claim.trials, start=1)
                    ],
                }
                for claim in self.claims
            ],
            "experiments": self.configs,
        }


def make_ledger(
    out: Path,
    *,
    quick: bool = False,
    scale: Scale | None = None,
    say: Callable[[str], None] = _silent,
    stop: Callable[[], bool] = lambda: False,
) -> Ledger:
    """Run what is missing, judge everything, and write ledger.json and the configs.

    Args:
        out: Folder; runs and numbers that are there are not computed again.
        quick: Small experiments instead of full ones.
        scale: Sizes of its own instead of either.
        say: Told what is under way.
        stop: Asked between steps; when true KeyboardInterrupt is raised and the next call goes on.

    Returns:
        The ledger.

    Raises:
        InputError: If the folder cannot be written.
        KeyboardInterrupt: When stopped.
    """
    scale = scale or (QUICK if quick else FULL)
    wanted = configs(scale)
    folder = out / "configs" / scale.name
    with one_line_errors(out):
        folder.mkdir(parents=True, exist_ok=True)
        for name, config in wanted.items():
            write_file(folder / f"{name}.toml", as_toml(config).encode())
    bench = Bench(out=out, scale=scale, configs=wanted, say=say, stop=stop)
    with threads(1):
        ledger = Ledger(
            scale=scale.name,
            claims=tuple(claim(bench) for claim in counted(CLAIMS, "claims")),
            configs=wanted,
        )
    with one_line_errors(out):
        text = json.dumps(ledger.as_json(), indent=1, allow_nan=False, ensure_ascii=False)
        write_file(out / JSON_FILE, f"{text}\n".encode())
    return ledger


def _row(claim: Claim, number: int, trial: Trial) -> dict[str, Any]:
    interval = trial.measured.interval95
    return {
        "id": f"{claim.id}.{number}",
        "role": trial.role,
        "name": trial.name,
        "condition": trial.condition,
        "experiments": list(trial.experiments),
        "quantity": trial.quantity,
        "mean": trial.measured.mean,
        "interval95": None if interval is None else list(interval),
        "seeds": trial.measured.seeds,
        "runs_trained": trial.trained,
        "null": trial.null,
        "prediction": trial.prediction,
        "rule": trial.rule.text,
        "rule_range": [bound if math.isfinite(bound) else None for bound in trial.rule.range],
        "outcome": trial.outcome,
    }


def verdict_rows(ledger: Ledger) -> list[tuple[str, str, str, str, str]]:
    """A row for each claim: id, title, verdict, what stands in its way, conditions it was seen to need.

    Args:
        ledger: Judged.
    """
    return [
        (claim.id, claim.title, claim.verdict, claim.reason, "; ".join(claim.conditions))
        for claim in ledger.claims
    ]


def trial_rows(ledger: Ledger) -> list[tuple[str, str, str, str, str]]:
    """A row for each trial: id, measured, rule, outcome, role and name.

    Args:
        ledger: Judged.
    """
    return [
        (
            f"{claim.id}.{number}",
            f"{trial.measured.numbers}, {trial.count}",
            trial.rule.text,
            trial.outcome,
            f"{trial.role}: {trial.name}",
        )
        for claim in ledger.claims
        for number, trial in enumerate(claim.trials, start=1)
    ]
