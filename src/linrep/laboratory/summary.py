"""The summary of a run, measured on its final state."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from linrep import geometry
from linrep.errors import InputError
from linrep.geometry.record import MEAN_DIRECTIONS, RMS, TABLES, Spread, TableName
from linrep.geometry.recording import null_record, numbers, similarity_record, spread_record
from linrep.intervals import mean_interval
from linrep.laboratory.ended import Judged, ended_record, judge
from linrep.laboratory.gauge import gauge_record
from linrep.laboratory.ruler import FINAL_CONTEXTS, BatchRuler
from linrep.linalg import median
from linrep.progress import counted
from linrep.runs.config import Config
from linrep.runs.summary import (
    AdditiveShare,
    Counts,
    Degree,
    Diverged,
    Ending,
    Figures,
    Final,
    HeldOut,
    LogOdds,
    Margin,
    Matrices,
    Points,
    Reduced,
    Rises,
    Similarity,
    Summary,
    not_judged,
)
from linrep.seeds import generator
from linrep.theory.price import price_of_linearity
from linrep.training.schedule import Schedule
from linrep.training.state import State
from linrep.worlds.concepts import ConceptModel
from linrep.worlds.truth import World, distinct

SCATTER_POINTS = 2000
SHUFFLED = "shuffled rows"


def summarise(
    ruler: BatchRuler,
    state: State,
    loss: Float64[Tensor, " runs"],
    key: str,
    rate: Schedule,
    *,
    config: Config,
    slope: Float64[Tensor, " runs"],
    ending: Ending,
    sample_loss: Float64[Tensor, " runs"] | None = None,
    rises: Rises | None = None,
    held_out: HeldOut | None = None,
) -> Summary:
    """Measure the final state in full.

    Args:
        ruler: Prepared for the worlds.
        state: Trained, with all its contexts.
        loss: Its excess loss, by :func:`linrep.laboratory.ruler.excess_loss`.
        key: Of the run.
        rate: Its step sizes, to name that of a diverged run.
        config: Resolved.
        slope: How fast each run still moves, by :func:`linrep.laboratory.rate.rate_of`.
        ending: How training came to its end.
        sample_loss: Excess loss of the sampled pairs, where full-batch steps know them alone: by it, not by
            the true distribution's, runs are judged.
        rises: Whether the loss rose under fixed steps.
        held_out: What was measured apart, where contexts are held out.
    """
    prices = _prices(ruler.worlds)
    price = [None] * len(ruler.worlds) if prices is None else prices.per_run
    own = loss if sample_loss is None else sample_loss
    judged = judge(ruler.worlds, own, ending, slope, config, price)
    found = measured(
        ruler,
        *ruler.tables(state),
        loss,
        state.alive.cpu(),
        key=key,
        step=state.step,
        diverged=_diverged(state, rate),
        held_out=held_out,
        judged=judged,
    )
    imbalance = ruler.gauge(*ruler.as_trained(state)).where(state.alive.cpu(), torch.nan)
    more = {
        "gauge_imbalance": spread_record(imbalance),
        "gauge": gauge_record(ruler, state),
        "ending": ending,
        "rises": rises,
        "price_of_linearity_nats": prices,
    }
    return found.model_copy(update=more)


def measured(
    ruler: BatchRuler,
    embedding: Float64[Tensor, "runs contexts dim"],
    unembedding: Float64[Tensor, "runs tokens dim"],
    loss: Float64[Tensor, " runs"],
    alive: Bool[Tensor, " runs"],
    *,
    key: str = "",
    step: int = 0,
    diverged: tuple[Diverged, ...] = (),
    held_out: HeldOut | None = None,
    judged: Judged | None = None,
) -> Summary:
    """Measure tables in full, wherever they come from.

    Args:
        ruler: Prepared for the worlds.
        embedding: Of every context, diverged runs zero.
        unembedding: Of every token, diverged runs zero.
        loss: Excess loss in nats.
        alive: Which runs did not diverge.
        key: Of the run, where they were trained by one.
        step: How far.
        diverged: Which runs are not alive.
        held_out: What was measured apart, where contexts are held out.
        judged: How training ended, where there was one.
    """
    found = ruler.measure(embedding, unembedding, generator(ruler.seed, "bootstrap"))
    odds = ruler.log_odds(embedding, unembedding, contexts=FINAL_CONTEXTS, points=SCATTER_POINTS)
    tables: dict[TableName, Tensor] = {"embedding": embedding, "unembedding": unembedding}
    additive = {name: ruler.additive(name, table) for name, table in tables.items()}
    per_run_odds = odds.rmse.where(alive, torch.nan)
    assert found.alignment is not None, "both tables were measured"
    return Summary(
        run=key,
        concepts=ruler.names,
        counts=_counts(ruler),
        diverged=diverged,
        final=Final(
            step=step,
            excess_loss_nats=spread_record(loss),
            linearity=found.linearity,
            alignment=found.alignment,
            orthogonality=found.orthogonality,
            log_odds_gap_nats=log_odds_record(odds, per_run_odds, alive),
            additive_share={
                name: _additive(ruler, name, tables[name], additive[name], alive) for name in TABLES
            },
            **_shapes(ruler, embedding, unembedding, alive),
        ),
        margin=_margin(ruler, embedding, unembedding, alive),
        gauge_imbalance=spread_record(ruler.gauge(embedding, unembedding).where(alive, torch.nan)),
        spectrum={name: spectrum_record(additive[name].energy, alive) for name in TABLES},
        ended=not_judged(len(loss), "tables as they were given")
        if judged is None
        else ended_record(judged, found, loss, per_run_odds),
        figures=figures_record(found, odds.points),
        held_out=held_out,
        reduction=_reduced(ruler.worlds[0].model),
    )


def _reduced(model: ConceptModel) -> Reduced | None:
    found = model.reduction
    if found is None:
        return None
    added = tuple((model.names[parent], model.names[child]) for parent, child in found.added)
    return Reduced(variables=found.variables, added=added, merged=found.merged)


def _prices(worlds: Sequence[World]) -> Spread | None:
    """The price of linearity of each run's world; None where its convex problem is too large."""
    try:
        price = {id(world): price_of_linearity(world).nats for world in distinct(worlds)}
    except InputError:
        return None
    return spread_record(torch.tensor([price[id(world)] for world in worlds], dtype=torch.float64))


def _counts(ruler: BatchRuler) -> Counts:
    contexts, tokens = ruler.context_rows, ruler.token_rows

    def extent(rows: Tensor) -> tuple[int, int] | None:
        low, high = int(rows.min()), int(rows.max())
        return None if low == high else (low, high)

    return Counts(
        contexts=int(contexts.max()),
        tokens=int(tokens.max()),
        dropped_contexts=max(group.world.dropped_contexts for group in ruler.groups),
        runs=len(contexts),
        contexts_range=extent(contexts),
        tokens_range=extent(tokens),
    )


def _diverged(state: State, rate: Schedule) -> tuple[Diverged, ...]:
    return tuple(
        Diverged(run=run, step=step, step_size=rate(step - 1))
        for run, step in enumerate(state.diverged_at.tolist())
        if step >= 0
    )


def log_odds_record(
    odds: geometry.LogOddsGap, per_run: Float64[Tensor, " runs"], alive: Bool[Tensor, " runs"]
) -> LogOdds | None:
    """None where every context knows every concept, so that there are no odds to match."""
    present = alive & ~per_run.isnan()
    if odds.triples == 0 or not bool(present.any()):
        return None
    return LogOdds(
        rmse=float(per_run[present].mean()),
        max=float(odds.max[present].max()),
        rmse_of_zero=float(odds.rmse_of_zero[present].mean()),
        median=float(median(per_run[present])),
        triples=odds.triples,
        contexts=odds.contexts,
        contexts_available=odds.contexts_available,
        per_run=numbers(per_run),
    )


def _margin(ruler: BatchRuler, embedding: Tensor, unembedding: Tensor, alive: Tensor) -> Margin | None:
    mean, least, triples = ruler.margin(embedding, unembedding, contexts=FINAL_CONTEXTS)
    present = alive & ~mean.isnan()
    if not bool(present.any()):
        return None
    return Margin(
        mean=float(mean[present].mean()),
        min=float(least[present].min()),
        triples=triples,
        per_run=numbers(mean.where(alive, torch.nan)),
    )


def additive_null(
    share_of: Callable[[Tensor], geometry.AdditiveShare],
    table: Float64[Tensor, "runs rows dim"],
    alive: Bool[Tensor, " runs"],
    *,
    name: TableName,
    rows: int,
    seed: int,
    draws: int,
) -> list[float]:
    """The additive share of the same table with its rows in random order, mean over runs, by draw.

    Args:
        share_of: What measures a table.
        table: Of each run.
        alive: Which runs did not diverge.
        name: Of the table.
        rows: The first rows, those that every run has.
        seed: Of the draws.
        draws: How many.
    """
    draw = generator(seed, "null", TABLES.index(name), 1)
    rest = torch.arange(rows, table.shape[1], device=table.device)
    drawn: list[float] = []
    for _ in counted(range(draws), "additive share: draws"):
        order = torch.cat([torch.randperm(rows, generator=draw).to(table.device), rest])
        shuffled = table.index_select(1, order)
        drawn.append(float(share_of(shuffled).share[alive].nanmean()))
    return drawn


def additive_record(
    share: geometry.AdditiveShare,
    drawn: Sequence[float],
    alive: Bool[Tensor, " runs"],
    *,
    names: Sequence[str],
) -> AdditiveShare:
    """The additive share as a similarity.

    Args:
        share: Of each run.
        drawn: Its null, by :func:`additive_null`.
        alive: Which runs did not diverge.
        names: Of the concepts.
    """
    per_run = share.share.where(alive, torch.nan)
    found = similarity_record(
        per_run,
        torch.full((len(names),), torch.nan, dtype=torch.float64),
        names=names,
        interval=mean_interval(per_run, within=(0, 1)),
        null=null_record(drawn, SHUFFLED),
        pairs=share.rows,
    )
    return AdditiveShare(**dict(found), method=share.method)


def _additive(
    ruler: BatchRuler, name: TableName, table: Tensor, share: geometry.AdditiveShare, alive: Tensor
) -> AdditiveShare:
    settings = ruler.settings
    drawn = additive_null(
        partial(ruler.additive, name),
        table,
        alive,
        name=name,
        rows=int((ruler.context_rows if name == "embedding" else ruler.token_rows).min()),
        seed=ruler.seed,
        draws=settings.null_draws,
    )
    return additive_record(share, drawn, alive, names=ruler.names)


def _shapes(
    ruler: BatchRuler, embedding: Tensor, unembedding: Tensor, alive: Tensor
) -> dict[str, dict[TableName, Similarity]]:
    """Simplices and hierarchies, by measure and table; nothing where there are none."""
    draw = generator(ruler.seed, "null", 0, 3)
    drawn = [
        ruler.shapes(embedding, unembedding, draw)
        for _ in counted(range(ruler.settings.null_draws), "shapes: draws")
    ]
    found: dict[str, dict[TableName, Similarity]] = {}
    for (measure, table), values in ruler.shapes(embedding, unembedding).items():
        own = values.masked_fill(~alive[:, None], torch.nan)
        per_run = own.nanmean(1)
        found.setdefault(measure, {})[table] = similarity_record(
            per_run,
            own.nanmean(0),
            names=ruler.names,
            interval=mean_interval(per_run, within=(0, math.inf)),
            null=null_record(
                torch.stack([each[measure, table][alive].nanmean() for each in drawn]), SHUFFLED
            ),
        )
    return found


def spectrum_record(energy: Tensor | None, alive: Tensor) -> tuple[Degree, ...] | None:
    """Share of the non-constant energy by degree, mean over runs; None on incomplete grids."""
    if energy is None:
        return None
    varying = energy[alive, 1:]
    shares = (varying / varying.sum(1, keepdim=True)).unbind(1)
    means = numbers(torch.stack([each.nanmean() for each in shares]))
    return tuple(Degree(degree=degree, share=share) for degree, share in enumerate(means, start=1))


def figures_record(found: geometry.Measurement, points: geometry.Points) -> Figures:
    def matrix(measure: str, table: str = "") -> tuple[tuple[float | None, ...], ...]:
        return tuple(numbers(row) for row in found.matrix(measure, table))

    return Figures(
        orthogonality={
            table: Matrices(mean_directions=matrix(MEAN_DIRECTIONS, table), rms=matrix(RMS, table))
            for table in TABLES
        },
        alignment=matrix("alignment"),
        log_odds=Points(
            measured=numbers(points.measured),
            true=numbers(points.true),
            concept=tuple(points.concept.tolist()),
            run=tuple(points.run.tolist()),
        ),
    )
