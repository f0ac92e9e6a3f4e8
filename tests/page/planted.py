"""Results with a known geometry, made without training, in the shape that ``linrep.run`` returns."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from linrep.laboratory.build import resolve, worlds
from linrep.runs.config import Config
from linrep.runs.result import Result
from linrep.runs.summary import Medians, Summary
from linrep.runs.toml import parse

DAGS = {
    "runs": 8,
    "world": {"kind": "random", "concepts": 5},
    "training": {"optimizer": "sgd", "schedule": "geometric", "final_step_size": 0.05},
}
ASIA = {**DAGS, "runs": 4, "world": {"kind": "network", "network": "asia"}}
HOSTILE_NAMES = ("</script><img src=x onerror=alert(1)>", "say \"hi\" & 'bye'", "=1+1,$x$ %{y}")
HOSTILE = {
    "runs": 1,
    "world": {
        "kind": "tables",
        "variables": [
            {"name": name, "states": ["<b>no</b>", "-->yes"], "table": [[0.5, 0.5]]} for name in HOSTILE_NAMES
        ],
    },
    "training": {"optimizer": "gd", "steps": 1000},
}
HELD = (3, 6)


def planted(fields: Mapping[str, Any] = DAGS, held: Sequence[int] = HELD, seed: int = 0) -> Result:
    """A result whose runs on a plateau do not become linear, while those that converged do."""
    draw = np.random.default_rng(seed)
    config = parse(fields)
    built = worlds(config)
    config = resolve(config, built)
    steps = tuple(int(s) for s in np.unique(np.geomspace(1, config.training.steps, 39).round().astype(int)))
    steps = (0, *steps)
    grown = 1 / (1 + np.exp(-4 * (np.log10(np.array(steps) + 1.0) - 2.4)))
    snapshots = _snapshots(built, config, grown, held, draw)
    names = built[0].model.names
    frame = _trace(steps, grown, names, config.runs, held, draw)
    return Result(
        key="planted-0123456789ab",
        config=config,
        worlds=built,
        embedding=torch.zeros(config.runs, 1, snapshots.shape[-1]),
        unembedding=torch.tensor(snapshots[-1]),
        trace=frame,
        snapshot_steps=steps,
        snapshots=torch.tensor(snapshots, dtype=torch.float32),
        summary=Summary.model_validate_json(json.dumps(_summary(frame, built, config, held, draw))),
        provenance={},
    )


def edited(result: Result, changes: Mapping[str, Any]) -> Result:
    """The result with other numbers in its summary.

    Args:
        result: Any.
        changes: As the summary's JSON has them; tables within tables are joined.
    """

    def joined(given: Any, change: Any) -> Any:
        if not (isinstance(given, dict) and isinstance(change, Mapping)):
            return change
        return given | {name: joined(given.get(name), each) for name, each in change.items()}

    content = json.dumps(joined(result.summary.as_dict(), changes))
    return replace(result, summary=Summary.model_validate_json(content))


def _snapshots(built: Any, config: Config, grown: Any, held: Sequence[int], draw: Any) -> Any:
    dim, tokens = config.model.dim or 1, max(len(w.tokens) for w in built)
    table = np.zeros((len(grown), config.runs, tokens, dim))
    for run, world in enumerate(built):
        codes = world.token_codes.numpy().astype(float)
        basis = np.linalg.qr(draw.normal(size=(max(dim, codes.shape[1]), dim)))[0][: codes.shape[1]]
        start = 0.1 * draw.normal(size=(len(codes), dim))
        astray = draw.normal(size=(len(codes), dim)) * (0.9 if run in held else 0.05)
        end = (codes - codes.mean(0)) @ (basis * draw.uniform(3.5, 4.5, size=(codes.shape[1], 1))) + astray
        table[:, run, : len(codes)] = start + grown[:, None, None] * end
    return table


ENDS = {  # measure: tables, start, end when converged, end on a plateau, null
    "linearity": (("unembedding", "embedding"), 0.0, 0.985, 0.79, 0.0),
    "alignment": (("",), 0.0, 0.98, 0.83, 0.0),
    "orthogonality.mean_directions": (("unembedding", "embedding"), 0.33, 0.02, 0.14, 0.34),
    "orthogonality.rms": (("unembedding", "embedding"), 0.42, 0.06, 0.27, 0.41),
    "additive_share": (("unembedding", "embedding"), 0.16, 0.99, 0.84, 0.16),
    "log_odds_gap_nats": (("",), 0.56, 0.18, 0.6, 0.56),
    "margin": (("",), 0.0, 7.5, 5.0, None),
    "gauge_imbalance": (("",), 0.4, 0.02, 0.03, None),
    "excess_loss_nats": (("",), 2.1, 0.004, 0.05, None),
    "step_size": (("",), 5.0, 0.05, 0.05, None),
}


def _trace(steps: Any, grown: Any, names: Any, runs: int, held: Sequence[int], draw: Any) -> pd.DataFrame:
    labels: list[tuple[Any, ...]] = []
    curves: list[Any] = []

    def add(run: int, measure: str, table: str, concept: str, kind: str, value: Any) -> None:
        labels.append((run, measure, table, concept, kind))
        curves.append(value)

    for measure, (tables, start, there, apart, null) in ENDS.items():
        for table in tables:
            for run in range(runs):
                end = (apart if run in held else there) * (1 + 0.02 * draw.normal())
                for name in ("", *names):
                    if name and ("odds" in measure or run > 1):
                        continue
                    own = end * (1 + (0.01 * draw.normal() if name else 0))
                    noise = 0.05 * draw.normal(size=len(steps)) * (1 - grown) * (start != end)
                    curve = start + grown * (own - start) + noise * abs(start - end)
                    if measure in ("excess_loss_nats", "step_size"):
                        curve = start * (own / start) ** grown
                    if measure in ("linearity", "alignment", "additive_share"):
                        curve = np.minimum(curve, 0.9995)
                    add(run, measure, table, name, "value", curve)
                if null is not None and run < 2:
                    add(run, measure, table, "", "null", null + 0.01 * draw.normal(size=len(steps)))
    columns = zip(["run", "measure", "table", "concept", "kind"], zip(*labels, strict=True), strict=True)
    frame = pd.DataFrame({name: np.repeat(np.array(values), len(steps)) for name, values in columns})
    return frame.assign(step=np.tile(steps, len(labels)), value=np.concatenate(curves))


def _similarity(frame: pd.DataFrame, measure: str, table: str, absent: Sequence[str]) -> dict[str, Any]:
    mine = frame[
        (frame["measure"] == measure) & (frame["table"] == table) & (frame["step"] == frame["step"].max())
    ]
    values = mine[mine["kind"] == "value"]
    over = values[values["concept"] == ""].sort_values("run")["value"].to_numpy()
    null = mine[mine["kind"] == "null"]["value"].to_numpy()
    each = values[values["concept"] != ""].groupby("concept")["value"].mean().to_dict()
    half = 1.96 * over.std() / max(np.sqrt(len(over)), 1) + 0.002
    return {
        "mean": float(over.mean()),
        "median": float(np.median(over)),
        "interval95": [float(over.mean() - half), float(over.mean() + half)],
        "null": {"mean": float(null.mean()), "q95": float(null.mean()) + 0.03, "kind": "random pairs"}
        if len(null)
        else None,
        "pairs": 16 * len(each),
        "per_concept": {name: None if name in absent else float(v) for name, v in each.items()},
        "per_run": over.tolist(),
    }


def _summary(
    frame: pd.DataFrame, built: Any, config: Config, held: Sequence[int], draw: Any
) -> dict[str, Any]:
    names = built[0].model.names
    absent = ["either"] if "either" in names else []

    def pick(measure: str, table: str = "") -> dict[str, Any]:
        return _similarity(frame, measure, table, absent)

    def both(measure: str) -> dict[str, Any]:
        return {table: pick(measure, table) for table in ("embedding", "unembedding")}

    loss = pick("excess_loss_nats")
    sizes: dict[str, Any] = dict.fromkeys(("triples", "contexts", "contexts_available"), 100)
    sizes["per_run"] = pick("log_odds_gap_nats")["per_run"]
    astray = [run for run in held if run < config.runs]
    medians = dict.fromkeys((*Medians.model_fields,), 0.5)
    degrees = len(names)
    shares = np.array([0.985, *(0.015 * 0.5 ** np.arange(1, degrees))])
    spectrum = [{"degree": i + 1, "share": float(s / shares.sum())} for i, s in enumerate(shares)]
    complete = len(built[0].tokens) == 2**degrees
    orthogonality = {
        table: {
            "mean_directions": pick("orthogonality.mean_directions", table),
            "rms": pick("orthogonality.rms", table),
        }
        for table in ("embedding", "unembedding")
    }
    return {
        "run": "planted-0123456789ab",
        "concepts": list(names),
        "counts": {
            "contexts": len(built[0].codes),
            "tokens": len(built[0].tokens),
            "dropped_contexts": built[0].dropped_contexts,
            "runs": config.runs,
        },
        "final": {
            "step": int(frame["step"].max()),
            "excess_loss_nats": {name: loss[name] for name in ("median", "mean", "per_run")},
            "linearity": both("linearity"),
            "alignment": pick("alignment"),
            "orthogonality": orthogonality,
            "log_odds_gap_nats": {"rmse": 0.18, "max": 0.61, "rmse_of_zero": 0.56, "median": 0.17} | sizes,
            "additive_share": {t: each | {"method": "walsh"} for t, each in both("additive_share").items()},
        },
        "margin": {"mean": 7.1, "min": -0.4, "triples": 9000, "per_run": pick("margin")["per_run"]},
        "gauge_imbalance": {"mean": 0.02, "median": 0.02, "per_run": pick("gauge_imbalance")["per_run"]},
        "diverged": [],
        "spectrum": dict.fromkeys(("embedding", "unembedding"), spectrum if complete else None),
        "ended": {
            "criterion": "converged: excess loss up to 0.01 nats; on a plateau: above",
            "per_run": ["on a plateau" if run in held else "converged" for run in range(config.runs)],
            "shares": {
                "converged": 1 - len(astray) / config.runs,
                "on a plateau": len(astray) / config.runs,
                "unfinished": 0.0,
                "too narrow": 0.0,
                "diverged": 0.0,
            },
            "medians": {
                "converged": medians | {"runs": config.runs - len(astray)},
                **({"on a plateau": medians | {"runs": len(astray)}} if astray else {}),
            },
            "target_nats": [0.01] * config.runs,
            "rate": [-0.1 if run in held else -0.8 for run in range(config.runs)],
            "floor_nats": [None] * config.runs,
            "best_nats": [None] * config.runs,
        },
        "figures": _figures(names, absent, draw),
    }


def _figures(names: Sequence[str], absent: Sequence[str], draw: Any) -> dict[str, Any]:
    def matrix(level: float, diagonal: float) -> list[list[float | None]]:
        entries = abs(draw.normal(size=(len(names), len(names)))) * level
        entries = np.triu(entries, 1) + np.triu(entries, 1).T + diagonal * np.eye(len(names))
        gone = [name in absent for name in names]
        return [
            [None if gone[i] or gone[j] else float(v) for j, v in enumerate(row)]
            for i, row in enumerate(entries)
        ]

    concept = draw.choice([i for i, name in enumerate(names) if name not in absent], size=600)
    centres = draw.normal(size=(len(names), 4)) * 0.7
    true = centres[concept, draw.integers(4, size=600)]
    return {
        "orthogonality": {
            table: {"mean_directions": matrix(0.03, 1.0), "rms": matrix(0.07, 0.98)}
            for table in ("embedding", "unembedding")
        },
        "alignment": matrix(0.02, 0.98),
        "log_odds": {
            "true": true.tolist(),
            "measured": (true * 0.96 + 0.15 * draw.normal(size=600)).tolist(),
            "concept": concept.tolist(),
            "run": [0] * 600,
        },
    }
