"""What the experiments on incomplete contexts and tokens share: how little may be kept."""

from linrep.page.chart import Series, chart, numeric
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.paper.controls import gap_lines
from linrep.paper.record import Answer, nothing, percent
from linrep.sweeps.numbers import Numbers

KEPT = 0.9
"""Share of the linearity on the complete set that counts as kept."""


def how_little(numbers: Numbers, axis: str, what: str, enough: float) -> Answer:
    """The smallest fraction down to which linearity of g is kept.

    Args:
        numbers: Of a sweep over fractions in one axis, 1 among them.
        axis: Its name.
        what: What is kept, in the plural.
        enough: "Yes" if linearity is kept down to this fraction.
    """
    rule = (
        f"The mean linearity of g counts as kept while it is at least {percent(KEPT)} of that on all {what}. "
        f"“Yes” if it is kept down to {percent(enough)} of {what}, “in part” if to fewer than all, “no” "
        "otherwise."
    )
    linear = {float(label): part.mean("linearity", "unembedding") for label, part in numbers.each(axis)}
    if 1.0 not in linear or len(linear) < 2:
        return nothing(rule)
    whole = linear[1.0]
    least = 1.0
    for fraction in sorted(linear, reverse=True):
        if not linear[fraction] >= KEPT * whole:
            break
        least = fraction
    below = [fraction for fraction in linear if fraction < least]
    start = max(part.mean("linearity", "unembedding", at="start") for _, part in numbers.each(axis))
    if least == 1.0:
        first = max(below)
        found = (
            f"with {percent(first)} of {what} the mean linearity of g is already down to "
            f"{cosine(linear[first])}, from {cosine(whole)} on all of them"
        )
    else:
        found = (
            f"the mean linearity of g is {cosine(whole)} on all {what} and still {cosine(linear[least])} on "
            f"{percent(least)} of them"
        )
        if below:
            found += f", then {cosine(linear[max(below)])} on {percent(max(below))}"
    standing = "yes" if least <= enough else "partly" if least < 1 else "no"
    return Answer(standing=standing, finding=f"{found} (untrained: at most {cosine(start)}).", rule=rule)


def kept_figures(numbers: Numbers, axis: str, what: str) -> list[Block]:
    """Linearity and alignment against the fraction kept, with both controls."""
    parts = numbers.each(axis)
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
            f"{axis}-linearity",
            f"Directions against {what} kept",
            lines,
            x=f"fraction of {what} kept",
            y="mean cosine",
        ),
        chart(
            f"{axis}-gap",
            f"Log-odds gap against {what} kept",
            gap,
            x=f"fraction of {what} kept",
            y="RMSE (nats)",
            unit=False,
        ),
    ]
