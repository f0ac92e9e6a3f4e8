"""Gradient descent, SGD by batch and step size, Adam, by start scale: who gets stuck, who aligns."""

import math

from linrep.page.chart import Series, chart, colour
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.paper.axis_words import point
from linrep.paper.record import Answer, Experiment, nothing, percent
from linrep.paper.yardsticks import controls, ended_chart
from linrep.sweeps.numbers import Numbers

METHOD, START = "method", "model.init_scale"
GD, SGD = "GD", "SGD"
CLEARLY = 0.2
RULE = (
    "Stuck shares are over all start scales. “Yes” if SGD (batch 100) leaves a share of runs stuck that is "
    f"smaller than full-batch GD's by at least {percent(CLEARLY)} of all runs, “undecided” if it is smaller, "
    "else “no”."
)


def answer(numbers: Numbers) -> Answer:
    """GD's stuck share against SGD's, and everyone else's."""
    stuck = {method: part.stuck_share() for method, part in numbers.each(METHOD) if part.runs()}
    if GD not in stuck or SGD not in stuck:
        return nothing(RULE)
    gain = stuck[GD] - stuck[SGD]
    standing = "yes" if gain >= CLEARLY else "undecided" if gain > 0 else "no"
    others = ", ".join(
        f"{method} {percent(share)}" for method, share in stuck.items() if method not in (GD, SGD)
    )
    aligned = {method: numbers.of(**{METHOD: method}).mean("alignment", free=True) for method in stuck}
    aligned = {method: value for method, value in aligned.items() if not math.isnan(value)}
    finding = f"full-batch GD leaves {percent(stuck[GD])} of runs stuck, SGD {percent(stuck[SGD])}"
    finding += f" ({others})" if others else ""
    if aligned:
        best = max(aligned, key=aligned.__getitem__)
        finding += f"; free runs align best with {best} ({cosine(aligned[best])})"
    return Answer(standing=standing, finding=f"{finding}.", rule=RULE)


def figures(numbers: Numbers) -> list[Block]:
    """Stuck share and alignment for each method, one line per start scale."""
    methods = [method for method, _ in numbers.each(METHOD)]
    groups = [(point(START, start), part) for start, part in numbers.each(START)]
    align: list[Series] = []
    for index, (name, part) in enumerate(groups):
        cells = part.each(METHOD)
        x, points = [method for method, _ in cells], [cell.spread("alignment") for _, cell in cells]
        align.append(Series(name=name, colour=colour(index), x=x, points=points))
    parts = [numbers.of(**{METHOD: method}) for method in methods]
    align += controls(methods, parts, "alignment")
    return [
        ended_chart("ended", groups, METHOD),
        chart("alignment", "Alignment", align, x="method", y="mean cosine"),
    ]


EXPERIMENT = Experiment(name="optimizers", answer=answer, figures=figures)
