"""Leave out contexts, or tokens, at random: how few are enough?"""

from linrep.page.chart import Series, chart, numeric
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.paper.record import Answer, Experiment, nothing, percent
from linrep.paper.yardsticks import gap_lines
from linrep.sweeps.numbers import Numbers

KEPT = 0.9
"""Share of the linearity on the complete set that counts as kept."""
ENOUGH = 0.5
"""Fraction of contexts, or tokens, down to which directions must survive for a yes."""
AXIS = "kept"


def how_few(numbers: Numbers, what: str) -> Answer:
    """The smallest fraction down to which linearity of g is kept.

    Args:
        numbers: Of a sweep over fractions kept, 1 among them.
        what: What is kept, in the plural.
    """
    rule = (
        f"The mean linearity of g counts as kept while it is at least {percent(KEPT)} of that on all {what}. "
        f"“Yes” if it is kept down to {percent(ENOUGH)} of {what}, “undecided” if to fewer than all, “no” "
        "otherwise."
    )
    linear = {float(label): part.mean("linearity", "unembedding") for label, part in numbers.each(AXIS)}
    if 1.0 not in linear or len(linear) < 2:
        return nothing(rule)
    whole = linear[1.0]
    least = 1.0
    for fraction in sorted(linear, reverse=True):
        if not linear[fraction] >= KEPT * whole:
            break
        least = fraction
    below = [fraction for fraction in linear if fraction < least]
    start = max(part.mean("linearity", "unembedding", at="start") for _, part in numbers.each(AXIS))
    if least == 1.0:
        first = max(below)
        finding = (
            f"with {percent(first)} of {what} the mean linearity of g is already down to "
            f"{cosine(linear[first])}, from {cosine(whole)} on all of them"
        )
    else:
        finding = (
            f"the mean linearity of g is {cosine(whole)} on all {what} and still {cosine(linear[least])} on "
            f"{percent(least)} of them"
        )
        if below:
            finding += f", then {cosine(linear[max(below)])} on {percent(max(below))}"
    standing = "yes" if least <= ENOUGH else "undecided" if least < 1 else "no"
    return Answer(standing=standing, finding=f"{finding} (untrained: at most {cosine(start)}).", rule=rule)


def figures(numbers: Numbers, what: str) -> list[Block]:
    """Linearity and alignment against the fraction kept, with both controls."""
    parts = numbers.each(AXIS)
    x = numeric([label for label, _ in parts])
    g, f = ("linearity", "unembedding"), ("linearity", "embedding")

    def series(name: str, colour: str, measure: tuple[str, str], **how: str) -> Series:
        points = [part.spread(*measure, **how) for _, part in parts]  # pyright: ignore[reportArgumentType]
        return Series(
            name=name, colour=colour, x=x, points=points, plain=bool(how), dash="dot" if how else "solid"
        )

    lines = [
        series("linearity of g", "--unembedding", g),
        series("linearity of f", "--embedding", f),
        series("alignment", "--both", ("alignment", "")),
        series("random pairs", "--null", g, kind="null"),
        series("untrained tables", "--predicted", g, at="start"),
    ]
    gap = gap_lines(x, [part for _, part in parts])
    return [
        chart(
            f"{AXIS}-linearity",
            f"Directions against {what} kept",
            lines,
            x=f"fraction of {what} kept",
            y="mean cosine",
        ),
        chart(
            f"{AXIS}-gap",
            f"Log-odds gap against {what} kept",
            gap,
            x=f"fraction of {what} kept",
            y="RMSE (nats)",
            unit=False,
        ),
    ]


def _experiment(what: str) -> Experiment:
    return Experiment(
        name=f"incomplete-{what}",
        answer=lambda numbers: how_few(numbers, what),
        figures=lambda numbers: figures(numbers, what),
    )


CONTEXTS, TOKENS = _experiment("contexts"), _experiment("tokens")
