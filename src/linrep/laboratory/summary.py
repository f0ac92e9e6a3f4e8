"""The summary of a run: the JSON object that ``linrep run --json`` prints, plus the numbers figures need."""

import math
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep import geometry
from linrep.intervals import mean_interval
from linrep.laboratory.ruler import FINAL_CONTEXTS, Ruler
from linrep.seeds import generator
from linrep.training.schedule import Schedule
from linrep.training.state import State

SCATTER_POINTS = 2000
SHUFFLED = "shuffled rows"


def summarise(
    ruler: Ruler, state: State, loss: Float64[Tensor, " runs"], key: str, rate: Schedule
) -> dict[str, Any]:
    """Measure the final state in full.

    Args:
        ruler: Prepared for the worlds.
        state: Trained, with all its contexts.
        loss: Its excess loss, by :func:`linrep.laboratory.ruler.excess_loss`.
        key: Of the run.
        rate: Its step sizes, to name that of a diverged run.

    Returns:
        Plain data, no NaN: what does not exist is None.
    """
    config = ruler.config
    embedding, unembedding = ruler.tables(state)
    found = geometry.measure(
        embedding,
        unembedding,
        ruler.embedding_pairs,
        ruler.unembedding_pairs,
        generator=generator(config.seed, "bootstrap"),
        context_rows=ruler.context_rows,
        token_rows=ruler.token_rows,
        concept_of=ruler.concept_of,
        draws=config.measure.null_draws,
    )
    odds = ruler.log_odds(embedding, unembedding, contexts=FINAL_CONTEXTS, points=SCATTER_POINTS)
    additive = ruler.additive(embedding, unembedding)
    alive = state.alive.cpu()
    per_run_odds = odds.rmse.where(alive, torch.nan)
    stuck = ~(loss < config.measure.free_threshold_nats) & alive
    named = _named(found, ruler.names)
    return {
        "run": key,
        "concepts": list(ruler.names),
        "counts": _counts(ruler),
        "diverged": _diverged(state, rate),
        "final": {
            "step": state.step,
            "excess_loss_nats": spread_record(loss),
            **named,
            "log_odds_gap_nats": log_odds_record(odds, per_run_odds, alive),
            "additive_share": {
                table: _additive(ruler, table, share, embedding, unembedding, alive)
                for table, share in additive.items()
            },
            **_shapes(ruler, embedding, unembedding, alive),
        },
        "margin": _margin(ruler, embedding, unembedding, alive),
        "gauge_imbalance": spread_record(ruler.gauge(embedding, unembedding).where(alive, torch.nan)),
        "spectrum": {table: _spectrum(share.energy, alive) for table, share in additive.items()},
        "stuck": _stuck(found, loss, per_run_odds, stuck, alive, config.measure.free_threshold_nats),
        "figures": {
            "orthogonality": {
                table: {
                    "mean_directions": _matrix(found.matrix("orthogonality_mean", table)),
                    "rms": _matrix(found.matrix("orthogonality_rms", table)),
                }
                for table in ("embedding", "unembedding")
            },
            "alignment": _matrix(found.matrix("alignment")),
            "log_odds": {
                "measured": odds.points.measured.tolist(),
                "true": odds.points.true.tolist(),
                "concept": odds.points.concept.tolist(),
                "run": odds.points.run.tolist(),
            },
        },
    }


def _named(found: geometry.Measurement, names: tuple[str, ...]) -> dict[str, Any]:
    tables = ("embedding", "unembedding")
    assert found.alignment is not None, "both tables were measured"
    return {
        "linearity": {table: found.linearity[table].as_dict(names) for table in tables},
        "alignment": found.alignment.as_dict(names),
        "orthogonality": {
            table: {
                "mean_directions": found.orthogonality_mean[table].as_dict(names),
                "rms": found.orthogonality_rms[table].as_dict(names),
            }
            for table in tables
        },
    }


def _counts(ruler: Ruler) -> dict[str, Any]:
    """Sizes; where runs differ, the widest run's, with the range beside it."""
    dropped = [group.world.dropped_contexts for group in ruler.groups]
    counts: dict[str, Any] = {
        "contexts": int(ruler.context_rows.max()),
        "tokens": int(ruler.token_rows.max()),
        "dropped_contexts": max(dropped),
        "runs": len(ruler.context_rows),
    }
    for name, rows in (("contexts", ruler.context_rows), ("tokens", ruler.token_rows)):
        if int(rows.min()) != int(rows.max()):
            counts[f"{name}_range"] = [int(rows.min()), int(rows.max())]
    return counts


def _diverged(state: State, rate: Schedule) -> list[dict[str, Any]]:
    steps = state.diverged_at.tolist()
    return [
        {"run": run, "step": step, "step_size": rate(step - 1)} for run, step in enumerate(steps) if step >= 0
    ]


def spread_record(per_run: Float64[Tensor, " runs"]) -> dict[str, Any]:
    present = per_run[~per_run.isnan()]
    return {
        "median": float(present.quantile(0.5)) if len(present) else None,
        "mean": float(present.mean()) if len(present) else None,
        "per_run": _list(per_run),
    }


def log_odds_record(odds: geometry.LogOddsGap, per_run: Tensor, alive: Tensor) -> dict[str, Any] | None:
    """None where every context knows every concept, so that there are no odds to match."""
    if odds.triples == 0:
        return None
    present = alive & ~per_run.isnan()
    if not bool(present.any()):
        return None
    return {
        "rmse": float(per_run[present].mean()),
        "max": float(odds.max[present].max()),
        "rmse_of_zero": float(odds.rmse_of_zero[present].mean()),
        "median": float(per_run[present].quantile(0.5)),
        "triples": odds.triples,
        "contexts": odds.contexts,
        "contexts_available": odds.contexts_available,
        "per_run": _list(per_run),
    }


def _margin(ruler: Ruler, embedding: Tensor, unembedding: Tensor, alive: Tensor) -> dict[str, Any] | None:
    mean, least, triples = ruler.margin(embedding, unembedding, contexts=FINAL_CONTEXTS)
    present = alive & ~mean.isnan()
    if not bool(present.any()):
        return None
    return {
        "mean": float(mean[present].mean()),
        "min": float(least[present].min()),
        "triples": triples,
        "per_run": _list(mean.where(alive, torch.nan)),
    }


def _additive(
    ruler: Ruler,
    table: str,
    share: geometry.AdditiveShare,
    embedding: Tensor,
    unembedding: Tensor,
    alive: Tensor,
) -> dict[str, Any]:
    """As a similarity; its null is the same table with its rows in random order."""
    config = ruler.config
    draw = generator(config.seed, "null", 0 if table == "embedding" else 1, 1)
    rows = int((ruler.context_rows if table == "embedding" else ruler.token_rows).min())
    null: list[float] = []
    for _ in range(config.measure.null_draws):
        order = torch.randperm(rows, generator=draw)
        f, g = embedding.clone(), unembedding.clone()
        shuffled = f if table == "embedding" else g
        shuffled[:, :rows] = shuffled[:, order]
        null.append(float(ruler.additive(f, g)[table].share[alive].nanmean()))
    per_run = share.share.where(alive, torch.nan)
    present = per_run[~per_run.isnan()]
    interval = mean_interval(per_run, within=(0, 1))
    drawn = torch.tensor(null, dtype=torch.float64)
    return {
        "mean": float(present.mean()) if len(present) else None,
        "median": float(present.quantile(0.5)) if len(present) else None,
        "interval95": None if interval is None else list(interval),
        "null": None
        if not len(present)
        else {"mean": float(drawn.mean()), "q95": float(drawn.quantile(0.95)), "kind": SHUFFLED},
        "pairs": share.rows,
        "per_concept": dict.fromkeys(ruler.names),
        "per_run": _list(per_run),
        "method": share.method,
    }


def _shapes(ruler: Ruler, embedding: Tensor, unembedding: Tensor, alive: Tensor) -> dict[str, Any]:
    """Simplices and hierarchies, by measure and table, each as a similarity; nothing where there are none."""
    config = ruler.config
    draw = generator(config.seed, "null", 0, 3)
    drawn = [ruler.shapes(embedding, unembedding, draw) for _ in range(config.measure.null_draws)]
    found: dict[str, Any] = {}
    for (measure, table), numbers in ruler.shapes(embedding, unembedding).items():
        null = torch.stack([each[measure, table][alive].nanmean() for each in drawn])
        found.setdefault(measure, {})[table] = _judged(
            ruler, numbers.masked_fill(~alive[:, None], torch.nan), null, SHUFFLED
        )
    return found


def _judged(ruler: Ruler, numbers: Tensor, null: Tensor, kind: str) -> dict[str, Any]:
    """Numbers of runs × concepts as a record."""
    per_run = numbers.nanmean(1)
    present = per_run[~per_run.isnan()]
    interval = mean_interval(per_run, within=(0, math.inf))
    return {
        "mean": float(present.mean()) if len(present) else None,
        "median": float(present.quantile(0.5)) if len(present) else None,
        "interval95": None if interval is None else list(interval),
        "null": {"mean": float(null.mean()), "q95": float(null.quantile(0.95)), "kind": kind}
        if len(present) and not bool(null.isnan().any())
        else None,
        "per_concept": dict(zip(ruler.names, _list(numbers.nanmean(0)), strict=True)),
        "per_run": _list(per_run),
    }


def _spectrum(energy: Tensor | None, alive: Tensor) -> list[dict[str, Any]] | None:
    """Share of the non-constant energy by degree, mean over runs; None on incomplete grids."""
    if energy is None:
        return None
    varying = energy[alive, 1:]
    shares = varying / varying.sum(1, keepdim=True)
    return [
        {"degree": degree, "share": _number(shares[:, degree - 1].nanmean())}
        for degree in range(1, energy.shape[1])
    ]


def _stuck(
    found: geometry.Measurement, loss: Tensor, odds: Tensor, stuck: Tensor, alive: Tensor, threshold: float
) -> dict[str, Any]:
    """Free and stuck runs apart: a median over both kinds would describe neither."""
    keys = {
        "linearity_embedding": ("linearity", "embedding"),
        "linearity_unembedding": ("linearity", "unembedding"),
        "alignment": ("alignment", ""),
        "orthogonality_unembedding": ("orthogonality_mean", "unembedding"),
    }

    def medians(chosen: Tensor) -> dict[str, Any]:
        columns = {name: found.values.per_run(key) for name, key in keys.items()}
        columns |= {"excess_loss_nats": loss, "log_odds_rmse_nats": odds}
        return {"runs": int(chosen.sum())} | {
            name: _number(column[chosen].nanmedian()) if bool(chosen.any()) else None
            for name, column in columns.items()
        }

    return {
        "share": int(stuck.sum()) / int(alive.sum()),
        "criterion": f"excess loss >= {threshold:g} nats",
        "per_run": [bool(each) if lives else None for each, lives in zip(stuck, alive, strict=True)],
        "free_runs": medians(alive & ~stuck),
        "stuck_runs": medians(stuck),
    }


def _number(value: Tensor | float) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _list(numbers: Tensor) -> list[float | None]:
    return [_number(number) for number in numbers.tolist()]


def _matrix(numbers: Tensor) -> list[list[float | None]]:
    return [_list(row) for row in numbers]
