"""Contexts that know at most u concepts, at a width that leaves linearity free, against the ridge path.

The limit itself is reached only like 1/ln t. Under a ridge theory predicts every point of the way there:
tables of this width are then a convex problem in their logits. Descent is held against the point of its norm.
"""

from collections.abc import Iterator

from jaxtyping import Float64
from torch import Tensor

from linrep.page.chart import Series, chart, colour, means
from linrep.page.numbers import cosine, short
from linrep.page.shell import Block
from linrep.paper.effects import Held, judged, within
from linrep.paper.ended import CONVERGED
from linrep.paper.paired import by_run, mean_difference
from linrep.paper.record import (
    ALIGNMENT,
    EXCESS,
    LINEARITY_F,
    LINEARITY_G,
    Answer,
    Column,
    Experiment,
    nothing,
)
from linrep.paper.ridge_path import NORM, PATH, WAY, G, along, norm_rows, path_points
from linrep.paper.yardsticks import controls, predicted_line, predicted_rows
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row
from linrep.theory.limits import predict

CONTEXTS = "contexts"
NEAR = 0.05
RULE = (
    "Descent from a start of each scale is held against the ridge path of its own world at equal norm: the "
    "tables that minimise loss and ridge, whose linearity is interpolated between points before and after. "
    f"“Yes” if the mean difference in linearity of g is within {NEAR:g} of 0 for every start and whatever "
    "contexts know, “no” if it is beyond for one, by 95 % intervals."
)


def answer(numbers: Numbers) -> Answer:
    """Descent less ridge path, for each start and each kind of context."""
    found: dict[str, list[tuple[str, Held]]] = {}
    for known, part in numbers.each(CONTEXTS):
        for way, cell in _descents(part):
            difference = mean_difference(by_run(cell, "linearity", G), _on_path(part, cell))
            if difference.runs[0]:
                held = within(f"less ridge path, {known} known, {way}", difference, (-NEAR, NEAR), cosine)
                found.setdefault(way, []).append((known, held))
    effects = [held for each in found.values() for _, held in each]
    if not effects:
        return nothing(RULE)
    return Answer(
        standing=judged(effects),
        finding=f"at equal norm linearity of g differs from the ridge path's {_extremes(found)}.",
        rule=RULE,
        effects=tuple(effects),
        would_change="Descent that comes to the ridge path when it goes on, or a start from which it does.",
    )


def _extremes(found: dict[str, list[tuple[str, Held]]]) -> str:
    """For each start the least and the greatest difference, and where."""
    words: list[str] = []
    for way, each in found.items():
        ordered = sorted(each, key=lambda pair: pair[1].effect.value)
        ends = dict.fromkeys((ordered[0], ordered[-1]))
        words.append(
            f"from {way} by " + " to ".join(f"{held.measured} ({known} known)" for known, held in ends)
        )
    return " and ".join(words)


def figures(numbers: Numbers) -> list[Block]:
    """For each start, linearity of g beside the ridge path at equal norm, the predicted limit, controls."""
    cells = dict(numbers.each(CONTEXTS))
    starts = list(dict.fromkeys(way for part in cells.values() for way, _ in _descents(part)))
    lines: list[Series] = []
    for index, start in enumerate(starts):
        own = {known: part.of(**{WAY: start}) for known, part in cells.items()}
        x, points = list(own), [cell.spread("linearity", G, ended=CONVERGED) for cell in own.values()]
        lines.append(Series(name=f"descent, {start}", colour=colour(index), x=x, points=points))
        path = means([float(_on_path(cells[known], own[known]).nanmean()) for known in own])
        name = f"ridge path at its norm, {start}"
        lines.append(Series(name=name, colour=colour(index), x=x, points=path, plain=True, marker="diamond"))
    descents = [(known, part.of(**{WAY: starts[0]})) for known, part in cells.items()] if starts else []
    lines.append(predicted_line("limit", "--predicted", descents, G))
    x = [known for known, _ in descents]
    lines += controls(x, [cell for _, cell in descents], "linearity", G)
    return [
        chart(
            "knowledge",
            "Linearity against knowledge",
            [line for line in lines if line.x],
            x="most concepts that a context knows",
            y="mean cosine",
            size="wide",
        )
    ]


def _descents(part: Numbers) -> list[tuple[str, Numbers]]:
    return [(way, cell) for way, cell in part.each(WAY) if not way.startswith(PATH)]


def _on_path(part: Numbers, cell: Numbers) -> Float64[Tensor, " runs"]:
    """Linearity of g along each run's ridge path, at the norm that it has in a cell."""
    return along(*path_points(part), by_run(cell, NORM))


def extra(result: Result) -> Iterator[Row]:
    """Norms, and the predicted limit for these contexts at this width."""
    world, config = result.worlds[0], result.config
    counts = (world.codes < 2).sum(1)
    known = (int(counts.min()), int(counts.max()))
    yield from norm_rows(result)
    yield from predicted_rows(result, predict(world.model.concepts, config.model.dim, known))


EXPERIMENT = Experiment(
    name="knowledge",
    answer=answer,
    figures=figures,
    columns=(
        LINEARITY_G,
        Column(title="norm, balanced", measure=NORM, write=short),
        ALIGNMENT,
        LINEARITY_F,
        EXCESS,
    ),
    extra=extra,
)
