"""Leave out contexts, or tokens, at random: what becomes of linearity and alignment, and what it costs."""

from collections.abc import Iterator, Mapping
from typing import Any

from linrep.geometry.record import Spread as SpreadRecord
from linrep.page.chart import Series, chart, control, numeric
from linrep.page.numbers import cosine, listed, short
from linrep.page.shell import Block
from linrep.paper.effects import Held, above, judged
from linrep.paper.ended import converged, mean_over
from linrep.paper.paired import paired_difference
from linrep.paper.record import (
    ALIGNMENT,
    EXCESS,
    LINEARITY_F,
    LINEARITY_G,
    Answer,
    Column,
    Experiment,
    nothing,
    percent,
)
from linrep.paper.yardsticks import gap_lines
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row

LOST = 0.05
"""Of linearity or alignment: up to so much may be lost."""
ENOUGH = 0.5
"""Fraction of contexts, or tokens, at which directions must survive for a yes."""
AXIS, PRICE = "kept", "price_of_linearity_nats"
MEASURES: Mapping[str, tuple[str, str]] = {
    "linearity of g": ("linearity", "unembedding"),
    "linearity of f": ("linearity", "embedding"),
    "alignment": ("alignment", ""),
}


def how_few(numbers: Numbers, what: str) -> Answer:
    """Whether half are enough, by what is lost against all in the same worlds; and the least that are.

    Args:
        numbers: Of a sweep over fractions kept, 1 among them.
        what: What is kept, in the plural.
    """
    rule = (
        f"What is lost is the mean difference to all {what}, over worlds in which both runs converged. “Yes” "
        f"if with {percent(ENOUGH)} of {what} linearity of g, linearity of f and alignment each lose less "
        f"than {LOST:g}, “no” if one of them loses more."
    )
    cells = {float(label): part for label, part in numbers.each(AXIS)}
    if not {ENOUGH, 1.0} <= set(cells) or not len(converged(cells[ENOUGH], *MEASURES["alignment"])):
        return nothing(rule)
    effects = lost(cells, ENOUGH)
    losses = [f"{name} {effect.measured}" for name, effect in zip(MEASURES, effects, strict=True)]
    finding = (
        f"with {percent(ENOUGH)} of {what}, against all of them, the differences are {listed(losses)}, "
        f"from {_levels(cells[1.0])} on all; {_least(cells, what)}{_cost(cells)}"
    )
    return Answer(
        standing=judged(effects),
        finding=f"{finding}.",
        rule=rule,
        effects=tuple(effects),
        would_change=f"Another way of leaving {what} out than at random, or a width other than the number of "
        "concepts.",
    )


def lost(cells: Mapping[float, Numbers], fraction: float) -> list[Held]:
    """Each measure at a fraction less that on all, claimed to lie above what may be lost."""
    return [
        above(
            f"{name} at {percent(fraction)} less that at 100 %",
            paired_difference(cells[fraction], cells[1.0], *key),
            -LOST,
        )
        for name, key in MEASURES.items()
    ]


def _levels(cell: Numbers) -> str:
    return listed([cosine(mean_over(cell, *key).value) for key in MEASURES.values()])


def _least(cells: Mapping[float, Numbers], what: str) -> str:
    """Down to which fraction each measure is kept, none between it and all being lost or undecided."""
    said: list[str] = []
    fractions = sorted((fraction for fraction in cells if fraction < 1), reverse=True)
    held = {fraction: lost(cells, fraction) for fraction in fractions}
    for place, name in enumerate(MEASURES):
        least = 1.0
        for fraction in fractions:
            if held[fraction][place].standing != "yes":
                break
            least = fraction
        said.append(f"{name} down to {percent(least)}" if least < 1 else f"{name} at no fraction below all")
    return f"kept are {listed(said)} of {what}"


def _cost(cells: Mapping[float, Numbers]) -> str:
    """Excess loss beside the price of exactly linear unembeddings, where it is known."""
    found = [(f, cells[f]) for f in (ENOUGH, 1.0) if len(converged(cells[f], PRICE))]
    if not found:
        return ""
    said = [
        f"{short(mean_over(cell, EXCESS.measure).value)} nats at a price of linearity of "
        f"{short(mean_over(cell, PRICE).value)} with {percent(fraction)}"
        for fraction, cell in found
    ]
    return f"; the excess loss is {listed(said)}"


def extra(result: Result) -> Iterator[Row]:
    """The price of linearity in each run's world, as the summary has it."""
    found: SpreadRecord | None = result.summary.price_of_linearity_nats
    for run, price in enumerate(() if found is None else found.per_run):
        if price is not None:
            yield result.snapshot_steps[-1], run, PRICE, "", "value", float(price)


def figures(numbers: Numbers, what: str) -> list[Block]:
    """Linearity and alignment against the fraction kept, with both controls; excess loss and its price."""
    parts = numbers.each(AXIS)
    x = numeric([label for label, _ in parts])
    g = MEASURES["linearity of g"]
    title = f"fraction of {what} kept"

    def series(name: str, colour: str, measure: tuple[str, str]) -> Series:
        points = [part.spread(*measure) for _, part in parts]
        return Series(name=name, colour=colour, x=x, points=points)

    null = [part.spread(*g, kind="null") for _, part in parts]
    start = [part.spread(*g, at="start") for _, part in parts]
    lines = [
        series("linearity of g", "--unembedding", g),
        series("linearity of f", "--embedding", MEASURES["linearity of f"]),
        series("alignment", "--both", MEASURES["alignment"]),
        control("random pairs", "--null", x, null),
        control("wide start, cut", "--predicted", x, start),
    ]
    price = [part.spread(PRICE) for _, part in parts]
    loss = [
        series("excess loss", "--both", (EXCESS.measure, "")),
        control("price of linearity", "--predicted", x, price),
    ]
    gap = gap_lines(x, [part for _, part in parts])
    how: Any = {"x": title, "unit": False}
    return [
        chart(f"{AXIS}-linearity", f"Directions against {what} kept", lines, x=title, y="mean cosine"),
        chart(f"{AXIS}-loss", f"Excess loss against {what} kept", loss, y="nats", log_y=True, **how),
        chart(f"{AXIS}-gap", f"Log-odds gap against {what} kept", gap, y="RMSE (nats)", **how),
    ]


def _experiment(what: str) -> Experiment:
    return Experiment(
        name=f"incomplete-{what}",
        answer=lambda numbers: how_few(numbers, what),
        figures=lambda numbers: figures(numbers, what),
        columns=(
            LINEARITY_G,
            LINEARITY_F,
            ALIGNMENT,
            EXCESS,
            Column(title="price (nats)", measure=PRICE, write=short),
        ),
        extra=extra,
    )


CONTEXTS, TOKENS = _experiment("contexts"), _experiment("tokens")
