"""The paper's first experiment: complete contexts and tokens, k = m, over training."""

from collections.abc import Iterator

import torch

from linrep import geometry
from linrep.page.chart import Series, chart, colour, control, heatmap, means
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.paper.former import FAIR, HIGH, MIDDLING, SMALL, graded, worst
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
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row, spread

SGD, GD = "SGD", "full-batch GD"
MATRIX = "overlap of concepts"
"""Rows whose table is "i,j at the start" or "i,j at the end": |cos| of two mean directions of g."""
RULE = (
    "Of SGD's runs: “yes” if at every number of concepts the mean linearity of g and the mean alignment are "
    f"at least {HIGH} and the mean overlap of different concepts at most {SMALL}; “undecided” from "
    f"{FAIR} and "
    f"up to {MIDDLING}; else “no”."
)


def answer(numbers: Numbers) -> Answer:
    """Linear, aligned and orthogonal at every number of concepts?"""
    cells = numbers.of(optimizer=SGD).each("concepts")
    linear = {m: cell.mean("linearity", "unembedding") for m, cell in cells}
    aligned = [cell.mean("alignment") for _, cell in cells]
    overlap = [cell.mean("orthogonality.mean_directions", "unembedding") for _, cell in cells]
    if not cells:
        return nothing(RULE)
    standings = (
        graded(min(linear.values()), HIGH, FAIR),
        graded(min(aligned), HIGH, FAIR),
        graded(max(overlap), SMALL, MIDDLING, falling=True),
    )
    low, high = min(linear, key=linear.__getitem__), max(linear, key=linear.__getitem__)
    start = max(cell.mean("linearity", "unembedding", at="start") for _, cell in cells)
    exact = [cell.mean("linearity", "unembedding") for _, cell in numbers.of(optimizer=GD).each("concepts")]
    beside = (
        f"; full-batch gradient descent ends between {cosine(min(exact))} and {cosine(max(exact))}"
        if exact
        else ""
    )
    finding = (
        f"with SGD the mean linearity of g ends between {cosine(linear[low])} ({low} concepts) and "
        f"{cosine(linear[high])} ({high} concepts), from at most {cosine(start)} before training, with "
        f"alignment from {cosine(min(aligned))} and overlap up to {cosine(max(overlap))}{beside}."
    )
    return Answer(standing=worst(standings), finding=finding, rule=RULE)


def figures(numbers: Numbers) -> list[Block]:
    """Each measure over training, one line per number of concepts, and the overlap of the largest world."""
    blocks: list[Block] = []
    panels = (
        ("Linearity of g", "linearity", "unembedding"),
        ("Linearity of f", "linearity", "embedding"),
        ("Alignment of f with g", "alignment", ""),
    )
    for optimizer, part in numbers.each("optimizer"):
        for title, measure, table in panels:
            series: list[Series] = []
            for index, (m, cell) in enumerate(part.each("concepts")):
                steps, values = cell.over_steps(measure, table)
                points = [spread(row) for row in values]
                series.append(
                    Series(name=f"{m} concepts", colour=colour(index), x=steps.tolist(), points=points)
                )
            if series:
                steps, values = part.each("concepts")[-1][1].over_steps(measure, table, kind="null")
                null = means([spread(row).mean or 0.0 for row in values])
                series.append(control("random pairs", "--null", steps.tolist(), null))
            name = f"{optimizer}-{measure}-{table}".lower().replace(" ", "-").strip("-")
            blocks.append(
                chart(
                    name,
                    f"{title}, {optimizer}",
                    series,
                    x="training step",
                    y="mean cosine",
                    log_x=True,
                    size="small",
                )
            )
    return blocks + _heatmaps(numbers)


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


def _heatmaps(numbers: Numbers) -> list[Block]:
    sgd = numbers.of(optimizer=SGD).each("concepts")
    if not sgd:
        return []
    m, cell = sgd[-1]
    blocks: list[Block] = []
    for when, words in (("start", "before training"), ("end", "after SGD")):
        size = int(m)
        matrix: list[list[float | None]] = [
            [1.0 if i == j else None for j in range(size)] for i in range(size)
        ]
        others: list[float] = []
        for i in range(size):
            for j in range(i + 1, size):
                found = cell.spread(MATRIX, f"{i},{j} at the {when}").mean
                matrix[i][j] = matrix[j][i] = found
                others += [] if found is None else [found]
        if others:
            title = f"Overlap of {m} concepts {words}: at most {cosine(max(others))}"
            alt = f"Heatmap of |cosine| between mean directions of g, mean over runs, {words}."
            names = [f"C{i + 1}" for i in range(size)]
            blocks.append(heatmap(f"overlap-{when}", title, matrix, names, names, alt=alt))
    return blocks


EXPERIMENT = Experiment(
    name="emergence",
    answer=answer,
    figures=figures,
    columns=(LINEARITY_G, LINEARITY_F, ALIGNMENT, OVERLAP_G, EXCESS),
    extra=extra,
)
