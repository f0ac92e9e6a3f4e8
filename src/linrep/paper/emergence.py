"""The paper's first experiment: complete contexts and tokens, k = m, SGD, at equal excess loss."""

from collections.abc import Iterator

import torch

from linrep import geometry
from linrep.page.chart import Series, chart, colour, control, heatmap, means
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.paper.directions import BOTH, BOUNDS, G, Groups, M, answer_of, direction_charts
from linrep.paper.record import (
    ALIGNMENT,
    EXCESS,
    LINEARITY_F,
    LINEARITY_G,
    OVERLAP_G,
    Answer,
    Experiment,
)
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row, spread

START = "model.start"
MATRIX = "overlap of concepts"
"""Rows whose table is "i,j at the start" or "i,j at the end": |cos| of two mean directions of g."""
RULE = (
    "Over runs that came to 1 % of the excess loss of tables that know nothing: “yes” if at every number of "
    f"concepts, from normal starts and from wide ones, {BOUNDS}, “no” if one of them lies on the other side."
)


def answer(numbers: Numbers) -> Answer:
    """Linear, aligned and orthogonal at every number of concepts, from both starts?"""
    return answer_of(
        _starts(numbers),
        rule=RULE,
        would_change="A number of concepts at which runs come to this loss without such directions.",
    )


def _starts(numbers: Numbers) -> Groups:
    return [(f"{start} start", part) for start, part in numbers.each(START)]


def figures(numbers: Numbers) -> list[Block]:
    """Each measure against m from both starts, over training, and the overlap of the largest world."""
    starts = _starts(numbers)
    if not starts:
        return []
    return [*direction_charts("emergence", starts), *_over_training(starts[0]), *_heatmaps(starts[0][1])]


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
                f"{title} over training, {words}",
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
