"""Gradient descent, SGD by batch size, and Adam at equal excess loss, each at a step that others chose."""

from collections.abc import Mapping

from linrep.intervals import difference
from linrep.page.chart import Series, chart, colour
from linrep.page.numbers import cosine, listed
from linrep.page.shell import Block
from linrep.paper.effects import Held, judged, within
from linrep.paper.ended import converged, mean_over
from linrep.paper.record import ALIGNMENT, EXCESS, LINEARITY_F, LINEARITY_G, Answer, Experiment, nothing
from linrep.paper.yardsticks import controls, ended_chart
from linrep.sweeps.numbers import Numbers

SEEDS, METHOD = "seeds", "method"
CHOOSE, JUDGE = "to choose the step", "to judge"
GD, STEP = "GD", ", step "
MEASURES = {"linearity of g": ("linearity", "unembedding"), "alignment": ("alignment", "")}
EQUAL = 0.05
"""Half-width of what counts as equal."""
RULE = (
    "Every run stops once its excess loss is that of the sweep (training.until_excess), all under one "
    "schedule. Of each method's grid the step is taken at which most runs got there, of equals that with the "
    "least mean excess loss, on seeds of their own; the others judge it. “Yes” if linearity of g and "
    f"alignment of each other method, less those of full-batch gradient descent, lie within {EQUAL:g} of 0 "
    "(runs that got there, Welch's interval), “no” if one lies beyond."
)


def answer(numbers: Numbers) -> Answer:
    """Every method's difference to gradient descent, at the step chosen on other seeds."""
    best = chosen(numbers)
    cells = {method: numbers.of(**{SEEDS: JUDGE, METHOD: label}) for method, label in best.items()}
    if GD not in cells or len(cells) < 2:
        return nothing(RULE)
    effects: list[Held] = []
    words: list[str] = []
    for method, cell in cells.items():
        if method == GD:
            continue
        effects += [
            within(
                f"{name}, {method} less {GD}",
                difference(converged(cell, *key), converged(cells[GD], *key)),
                (-EQUAL, EQUAL),
            )
            for name, key in MEASURES.items()
        ]
        found = [each.measured for each in effects[-len(MEASURES) :]]
        words.append(f"{method} {listed(found)}")
    level = [cosine(mean_over(cells[GD], *key).value) for key in MEASURES.values()]
    return Answer(
        standing=judged(effects),
        finding=(
            f"{listed(list(MEASURES))} differ from those of full-batch gradient descent ({listed(level)}) by "
            f"{'; '.join(words)} (steps chosen: {_steps(best)})."
        ),
        rule=RULE,
        effects=tuple(effects),
        would_change="Another excess loss to stop at: linearity goes on changing as the loss falls; or steps "
        "outside the grid.",
    )


def chosen(numbers: Numbers) -> Mapping[str, str]:
    """The label of each method's best step, by the seeds that only choose.

    Args:
        numbers: Of the whole sweep; labels of methods end in ", step" and its size.
    """
    ranked: dict[str, tuple[tuple[int, float], str]] = {}
    for label, cell in numbers.of(**{SEEDS: CHOOSE}).each(METHOD):
        method = label.partition(STEP)[0]
        score = (len(converged(cell, EXCESS.measure)), -cell.mean(EXCESS.measure))
        if method not in ranked or score > ranked[method][0]:
            ranked[method] = score, label
    return {method: label for method, (_, label) in ranked.items()}


def _steps(best: Mapping[str, str]) -> str:
    return listed([f"{method} {label.partition(STEP)[2]}" for method, label in best.items()])


def figures(numbers: Numbers) -> list[Block]:
    """Linearity and alignment of the seeds that judge, at every step of the grid, and how runs ended."""
    judging = numbers.of(**{SEEDS: JUDGE})
    cells = judging.each(METHOD)
    x = [label for label, _ in cells]
    blocks: list[Block] = []
    for at, (name, key) in enumerate(MEASURES.items()):
        points = [cell.spread(*key) for _, cell in cells]
        line = Series(name=name, colour=colour(at), x=x, points=points)
        lines = [line, *controls(x, [cell for _, cell in cells], *key)]
        blocks.append(chart(f"optimizers-{at}", name.capitalize(), lines, x="method", y="mean cosine"))
    blocks.append(ended_chart("ended", [(JUDGE, judging)], METHOD, size="wide"))
    return blocks


EXPERIMENT = Experiment(
    name="optimizers",
    answer=answer,
    figures=figures,
    columns=(LINEARITY_G, ALIGNMENT, EXCESS, LINEARITY_F),
)
