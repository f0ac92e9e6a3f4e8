"""A user's own sweep: no question of ours, so its page says what is largest and smallest, and draws it."""

from linrep.experiments.chart import Series, chart, numeric
from linrep.experiments.controls import controls
from linrep.experiments.record import Answer, Experiment, nothing
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.sweep_numbers import Numbers

RULE = "The mean linearity of g over runs, compared over all cells."
MANY = 10
"""Most lines in one figure."""


def user_experiment(name: str) -> Experiment:
    """What the machinery of experiments needs to make pages of any sweep."""
    return Experiment(name=name, answer=_answer, figures=_figures, split=True)


def _answer(numbers: Numbers) -> Answer:
    found = {
        label: value
        for label, cell in _cells(numbers)
        if (value := cell.mean("linearity", "unembedding")) == value
    }
    if not found:
        return nothing(RULE)
    low, high = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
    finding = f"mean linearity of g runs from {cosine(found[low])} ({low}) to {cosine(found[high])} ({high})."
    return Answer(standing="note", finding=finding, rule=RULE)


def _cells(numbers: Numbers) -> list[tuple[str, Numbers]]:
    parts = [("", numbers)]
    for axis in numbers.axes:
        parts = [
            (f"{words}, {axis} {label}" if words else f"{axis} {label}", inner)
            for words, part in parts
            for label, inner in part.each(axis)
        ]
    return parts


def _figures(numbers: Numbers) -> list[Block]:
    """Against the longest axis of numbers (else the first), one line per point of the next axis."""
    names = list(numbers.axes)
    numbered = [name for name in names if not isinstance(numeric(numbers.axes[name])[0], str)]
    along = max(numbered or names[:1], key=lambda name: len(numbers.axes[name]))
    rest = [name for name in names if name != along]
    groups = numbers.each(rest[0])[:MANY] if rest else [("all", numbers)]
    blocks: list[Block] = []
    for title, measure, table in (
        ("Linearity of g", "linearity", "unembedding"),
        ("Linearity of f", "linearity", "embedding"),
        ("Alignment", "alignment", ""),
    ):
        lines: list[Series] = []
        for index, (label, part) in enumerate(groups):
            x = numeric([at for at, _ in part.each(along)])
            name = f"{rest[0]} {label}" if rest else title
            points = [cell.spread(measure, table) for _, cell in part.each(along)]
            lines.append(Series(name=name, colour=f"--concept-{index}", x=x, points=points))
        whole = numbers.each(along)
        lines += controls(numeric([at for at, _ in whole]), [cell for _, cell in whole], measure, table)
        name = f"{measure}-{table}".strip("-")
        blocks.append(chart(name, title, lines, x=along, y="mean cosine", size="half"))
    return blocks
