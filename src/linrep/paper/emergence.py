"""The paper's first experiment: complete contexts and tokens, k = m, SGD, at equal excess loss."""

from collections.abc import Iterator, Sequence

import torch

from linrep import geometry
from linrep.page.chart import Series, chart, colour, control, heatmap, means
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.paper.effects import UNIT, Held, above, below, judged
from linrep.paper.ended import mean_over
from linrep.paper.measured import Cells, measured_line
from linrep.paper.paired import Key
from linrep.paper.record import (
    ALIGNMENT,
    EXCESS,
    LINEARITY_F,
    LINEARITY_G,
    OVERLAP_G,
    Answer,
    Experiment,
    nothing,
)
from linrep.paper.yardsticks import ended_chart
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row, spread

M, START = "concepts", "model.start"
G: Key = ("linearity", "unembedding")
BOTH: Key = ("alignment", "")
APART: Key = ("orthogonality.mean_directions", "unembedding")
HIGH, SMALL = 0.9, 0.05
MATRIX = "overlap of concepts"
"""Rows whose table is "i,j at the start" or "i,j at the end": |cos| of two mean directions of g."""
RULE = (
    "Over runs that came to 1 % of the excess loss of tables that know nothing: “yes” if at every number of "
    "concepts, from normal starts and from wide ones, the mean linearity of g and the mean alignment lie "
    f"above {HIGH} and the mean overlap of different concepts below {SMALL}, “no” if one of them lies on the "
    "other side."
)


def directions(cell: Numbers, where: str) -> list[Held]:
    """Linearity and alignment above HIGH, overlap below SMALL, in one cell.

    Args:
        cell: Whose runs.
        where: In words.
    """
    return [
        above(f"linearity of g, {where}", mean_over(cell, *G, UNIT), HIGH, cosine),
        above(f"alignment, {where}", mean_over(cell, *BOTH, UNIT), HIGH, cosine),
        below(f"overlap, {where}", mean_over(cell, *APART, UNIT), SMALL, cosine),
    ]


def extremes(cells: Cells) -> str:
    """Linearity, alignment and overlap of the cells where each is worst, in words."""
    low, aligned = (min(_means(cells, measure)) for measure in (G, BOTH))
    return (
        f"linearity of g at least {cosine(low)}, alignment at least {cosine(aligned)} and overlap at most "
        f"{cosine(max(_means(cells, APART)))}"
    )


def _means(cells: Cells, measure: Key) -> Sequence[float]:
    return [cell.mean(*measure, ended="converged") for _, cell in cells]


def answer(numbers: Numbers) -> Answer:
    """Linear, aligned and orthogonal at every number of concepts, from both starts?"""
    effects: list[Held] = []
    words: list[str] = []
    for start, part in numbers.each(START):
        cells = [(m, cell) for m, cell in part.each(M) if cell.runs(ended="converged")]
        if not cells:
            continue
        effects += [held for m, cell in part.each(M) for held in directions(cell, f"m = {m}, {start} start")]
        words.append(f"from {start} starts {extremes(cells)}")
    if not effects:
        return nothing(RULE)
    (first, _), *_, (last, _) = numbers.each(M)
    return Answer(
        standing=judged(effects),
        finding=f"at equal excess loss, for {first} to {last} concepts, runs have {'; '.join(words)}.",
        rule=RULE,
        effects=tuple(effects),
        would_change="A number of concepts at which runs come to this loss without such directions.",
    )


def figures(numbers: Numbers) -> list[Block]:
    """Each measure against m from both starts, over training, and the overlap of the largest world."""
    starts = numbers.each(START)
    if not starts:
        return []
    blocks: list[Block] = []
    for measure, words in ((G, "Linearity of g"), (BOTH, "Alignment")):
        lines = [
            measured_line(f"{start} start", colour(index), part.each(M), measure, dash=dash)
            for index, ((start, part), dash) in enumerate(zip(starts, ("solid", "dash"), strict=False))
        ]
        cells = starts[0][1].each(M)
        null = [cell.spread(*measure, kind="null") for _, cell in cells]
        lines.append(control("random pairs", "--null", [float(m) for m, _ in cells], null))
        name = f"emergence-{measure[0]}"
        blocks.append(chart(name, f"{words} at equal excess", lines, x="concepts m", y="mean cosine"))
    blocks.append(ended_chart("emergence-ended", starts, M))
    return [*blocks, *_over_training(starts[0]), *_heatmaps(starts[0][1])]


def _over_training(start: tuple[str, Numbers]) -> list[Block]:
    """From one start: each measure over the steps, one line per number of concepts."""
    words, part = start
    panels = (("Linearity of g", G), ("Alignment", BOTH))
    blocks: list[Block] = []
    for title, measure in panels:
        series: list[Series] = []
        for index, (m, cell) in enumerate(part.each(M)):
            steps, values = cell.over_steps(*measure)
            points = [spread(row) for row in values]
            series.append(Series(name=f"{m} concepts", colour=colour(index), x=steps.tolist(), points=points))
        steps, values = part.each(M)[-1][1].over_steps(*measure, kind="null")
        null = means([spread(row).mean or 0.0 for row in values])
        series.append(control("random pairs", "--null", steps.tolist(), null))
        blocks.append(
            chart(
                f"training-{'-'.join(measure).strip('-')}",
                f"{title} over training, {words} start",
                series,
                x="training step",
                y="mean cosine",
                log_x=True,
                size="small",
                caption="All runs.",
            )
        )
    return blocks


def extra(result: Result) -> Iterator[Row]:
    """Overlap of every two concepts of g, before training and after, for each run."""
    world, last = result.worlds[0], result.snapshot_steps[-1]
    pairs = geometry.counterfactual_pairs(world.token_codes)
    for when, tables in (("start", result.snapshots[0]), ("end", result.unembedding)):
        for run, table in enumerate(tables.to(torch.float64)):
            if not bool(table.isfinite().all()):
                continue
            matrix = geometry.orthogonality_mean(geometry.steering_moments(table, pairs))[0]
            for i, j in torch.triu_indices(*matrix.shape, offset=1).T.tolist():
                yield last, run, MATRIX, f"{i},{j} at the {when}", "value", float(matrix[i, j])


def _heatmaps(part: Numbers) -> list[Block]:
    m, cell = part.each(M)[-1]
    blocks: list[Block] = []
    for when, words in (("start", "before training"), ("end", "after SGD")):
        size = int(m)
        matrix: list[list[float | None]] = [
            [1.0 if i == j else None for j in range(size)] for i in range(size)
        ]
        others: list[float] = []
        for i in range(size):
            for j in range(i + 1, size):
                found = cell.spread(MATRIX, f"{i},{j} at the {when}", ended="converged").mean
                matrix[i][j] = matrix[j][i] = found
                others += [] if found is None else [found]
        if others:
            title = f"Overlap of {m} concepts {words}: at most {cosine(max(others))}"
            alt = f"Heatmap of |cosine| between mean directions of g, mean over runs that converged, {words}."
            names = [f"C{i + 1}" for i in range(size)]
            blocks.append(heatmap(f"overlap-{when}", title, matrix, names, names, alt=alt))
    return blocks


EXPERIMENT = Experiment(
    name="emergence",
    answer=answer,
    figures=figures,
    columns=(LINEARITY_G, ALIGNMENT, OVERLAP_G, EXCESS, LINEARITY_F),
    extra=extra,
)
