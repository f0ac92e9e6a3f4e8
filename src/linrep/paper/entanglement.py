"""Cross-talk: push along one concept until its own log-odds move by a nat, and watch the other concepts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from linrep import geometry
from linrep.intervals import average
from linrep.page.axis_words import point, title
from linrep.page.chart import Dash, Series, chart, numeric
from linrep.page.numbers import cosine, short
from linrep.page.shell import Block
from linrep.paper.effects import UNIT, Held, below, judged, span
from linrep.paper.ended import CONVERGED
from linrep.paper.paired import by_run, geometric_mean
from linrep.paper.record import EXCESS, LINEARITY_G, Answer, Column, Experiment, nothing
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.sweeps.numbers import NOT_CONVERGED, At, Numbers, Row, Words

M, K = "world.concepts", "model.dim"
MOVED, DRIFT = "cross_talk_rms", "cross_talk_mean"
G, F = "unembedding", "embedding"
QUIET = 0.1
RULE = (
    "A push along concept i's mean steering direction of g is as long as moves its own log-odds by 1 nat on "
    "average over token pairs; cross-talk is the root mean square change of the other concepts' log-odds "
    "over their token pairs, here the geometric mean over runs. “Yes” if it is below "
    f"{QUIET:g} nats at every width from k = m on and below that of random token pairs there, whatever the "
    "number of concepts m, “no” if it is above at one, by 95 % intervals."
)


def answer(numbers: Numbers) -> Answer:
    """At every width from k = m on."""
    quiet: list[Held] = []
    control: list[Held] = []
    linear: list[float] = []
    for m, part in numbers.each(M):
        cells = {int(k): cell for k, cell in part.each(K) if int(k) >= int(m)}
        talk = {k: geometric_mean(by_run(cell, MOVED, G)) for k, cell in cells.items()}
        held = [
            below(f"cross-talk, m = {m}, k = {k}", found, QUIET) for k, found in talk.items() if found.runs[0]
        ]
        if not held:
            continue
        quiet += held
        over = [
            geometric_mean(by_run(cells[k], MOVED, G) / by_run(cells[k], MOVED, G, kind="null")) for k in talk
        ]
        worst = max((each for each in over if each.runs[0]), key=lambda each: each.value)
        control.append(below(f"most over random pairs, m = {m}", worst, 1.0))
        widest = max(k for k, found in talk.items() if found.runs[0])
        linear.append(average(by_run(cells[widest], "linearity", G), UNIT).value)
    if not quiet:
        return nothing(RULE)
    return Answer(
        standing=judged([*quiet, *control]),
        finding=f"a push of 1 nat moves each other concept, in nats, by {span(quiet)}; at the largest widths "
        f"linearity of g is {' to '.join(dict.fromkeys(map(cosine, (min(linear), max(linear)))))}.",
        rule=RULE,
        effects=(*quiet, *control),
        would_change="Worlds whose concepts depend on each other more: there a mean direction carries more "
        "of the others.",
    )


def figures(numbers: Numbers) -> list[Block]:
    """Cross-talk against k for each m, runs that converged and the others, with its controls."""
    blocks: list[Block] = []
    for m, part in numbers.each(M):
        cells = part.each(K)
        lines = [
            _line("along g", "--unembedding", cells, G, ended=CONVERGED),
            _line("along g, not converged", "--unembedding", cells, G, ended=NOT_CONVERGED, dash="dash"),
            _line("along f", "--embedding", cells, F, ended=CONVERGED),
            _line("random pairs", "--null", cells, G, kind="null", dash="dot"),
            _line("untrained", "--predicted", cells, G, at="start", dash="dot"),
        ]
        blocks.append(
            chart(
                f"entanglement-{m}",
                f"What a push of 1 nat does to another concept, {point(M, m)}",
                [line for line in lines if line.x],
                x=title(K),
                y="nats",
                log_x=True,
                unit=False,
                log_y=True,
                caption="Median and 10 to 90 % over runs of the root mean square change of the other "
                "concepts' log-odds over their token pairs.",
            )
        )
    return blocks


def extra(result: Result) -> Iterator[Row]:
    """Cross-talk of every run at the end, on random pairs, and before training; along g and along f."""
    steps = result.snapshot_steps
    for run, world in enumerate(result.worlds):
        g, f = result.unembedding[run].double(), result.embedding[run].double()
        if not bool(g.isfinite().all() and f.isfinite().all()):
            continue
        draw = generator(result.config.seed, "null", run, 4)
        pairs = geometry.counterfactual_pairs(world.token_codes)
        rows = torch.tensor([len(world.tokens)])
        drawn = geometry.random_pairs(pairs, rows=rows, stride=len(g), generator=draw)
        along_f = mean_directions(f, geometry.counterfactual_pairs(world.codes))
        found = [
            (steps[-1], G, "value", _talk(g, pairs, mean_directions(g, pairs))),
            (steps[-1], G, "null", _talk(g, drawn, mean_directions(g, drawn))),
            (steps[-1], F, "value", _talk(g, pairs, along_f)),
        ]
        if run < result.snapshots.shape[1]:
            start = result.snapshots[0, run].double()
            found.append((steps[0], G, "value", _talk(start, pairs, mean_directions(start, pairs))))
        for step, table, kind, (moved, drift) in found:
            yield step, run, MOVED, table, kind, moved
            yield step, run, DRIFT, table, kind, drift


def mean_directions(table: Tensor, pairs: geometry.Pairs) -> Tensor:
    """Each concept's mean of unit steering vectors."""
    return geometry.steering_moments(table, pairs, second=False).direction


def _talk(g: Tensor, pairs: geometry.Pairs, directions: Tensor) -> tuple[float, float]:
    """Mean over ordered pairs of different concepts: of the root mean square, and of the mean's size."""
    found = geometry.cross_talk(g, pairs, directions)
    moved, drift = (geometry.off_diagonal(matrix).nanmean() for matrix in (found.rms, found.mean.abs()))
    return float(moved), float(drift)


def _line(
    name: str,
    colour: str,
    cells: Sequence[tuple[str, Numbers]],
    table: str,
    *,
    at: At = "end",
    kind: str = "value",
    ended: Words | None = None,
    dash: Dash = "solid",
) -> Series:
    """Cross-talk over k, where there is any."""
    found = [(k, cell.spread(MOVED, table, at=at, kind=kind, ended=ended)) for k, cell in cells]
    # A direction that hardly moves its own concept makes ratios without bound: medians, not means.
    found = [(k, replace(each, mean=each.median)) for k, each in found if each.runs]
    return Series(
        name=name,
        colour=colour,
        x=numeric([k for k, _ in found]),
        points=[each for _, each in found],
        dash=dash,
        marker="x" if dash == "dash" else "circle",
        plain=dash == "dot",
    )


EXPERIMENT = Experiment(
    name="entanglement",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="cross-talk along g (nats a nat)", measure=MOVED, table=G, write=short),
        Column(title="along f", measure=MOVED, table=F, write=short),
        Column(title="mean shift along g", measure=DRIFT, table=G, write=short),
        LINEARITY_G,
        EXCESS,
    ),
    extra=extra,
)
