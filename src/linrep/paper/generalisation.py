"""An MLP and a small transformer read the context as symbols: what they say of contexts held out of training.

The table is the negative control: it has a row for each context, and the rows of held-out ones never move.
"""

import math

from linrep.intervals import Effect, difference
from linrep.page.chart import Series, chart, control, means, numeric
from linrep.page.numbers import cosine, short
from linrep.page.shell import Block
from linrep.paper.effects import Held, above, below, judged
from linrep.paper.paired import by_run, geometric_mean
from linrep.paper.record import LINEARITY_G, Answer, Column, Experiment, nothing, percent
from linrep.runs.summary import held_out_measure
from linrep.sweeps.numbers import Numbers

ENCODER, SHARE = "encoder", "contexts.held_out"
TABLE = "table"
GAP = held_out_measure("log_odds_gap_nats", "held_out")
ALIGNMENT = held_out_measure("alignment", "held_out")
LINEARITY = held_out_measure("linearity", "held_out")
BEYOND, MATCHED = 0.5, 0.5
RULE = (
    "Networks and the table are held against each other on contexts that none of them trained on, at equal "
    "excess loss on the others. Directions are kept if the alignment of f with g there lies more than "
    f"{BEYOND:g} above the table's, whose rows for these contexts never moved; log-odds are matched if their "
    f"RMSE there is below {MATCHED:g} times that of predicting zero (geometric mean over runs). “Yes” if "
    "every network does both at every share held out, “no” if one fails at one, by 95 % intervals."
)


def answer(numbers: Numbers) -> Answer:
    """Each network at each share: alignment against the table's, log-odds against predicting zero."""
    directions: list[Held] = []
    odds: list[Held] = []
    for share, part in numbers.each(SHARE):
        cells = dict(part.each(ENCODER))
        if TABLE not in cells:
            continue
        own = by_run(cells[TABLE], ALIGNMENT)
        for name in [each for each in cells if each != TABLE]:
            at = f"{name}, {percent(float(share))} held out"
            kept = difference(by_run(cells[name], ALIGNMENT), own)
            if min(kept.runs):
                directions.append(above(f"alignment less the table's, {at}", kept, BEYOND, cosine))
                odds.append(below(f"log-odds RMSE over zero's, {at}", _of_zero(cells[name]), MATCHED))
    if not directions:
        return nothing(RULE)
    return Answer(
        standing=judged([*directions, *odds]),
        finding=f"on contexts held out of training directions are {_verdict(directions, 'kept')}, alignment "
        f"lying above the table's by {_ends(directions)}; log-odds are {_verdict(odds, 'matched')}, their "
        f"RMSE being {_ends(odds)} times that of predicting zero{_table(numbers)}.",
        rule=RULE,
        effects=(*directions, *odds),
        would_change="A network or a training whose logits stay small where it has not been.",
    )


def _of_zero(cell: Numbers) -> Effect:
    """Log-odds RMSE on held-out contexts as a multiple of predicting zero's, by run."""
    return geometric_mean(by_run(cell, GAP) / by_run(cell, GAP, kind="null"))


def _verdict(held: list[Held], word: str) -> str:
    """As in: kept by every network at every share."""
    stand = [each.standing for each in held]
    if set(stand) == {"yes"}:
        return f"{word} by every network at every share"
    if set(stand) == {"no"}:
        return f"{word} by no network at any share"
    return f"{word} in {stand.count('yes')} of {len(stand)} cases and not in {stand.count('no')}"


def _ends(held: list[Held]) -> str:
    """Least and greatest mean, with their intervals and places."""
    ordered = sorted(held, key=lambda each: each.effect.value)
    ends = dict.fromkeys((ordered[0], ordered[-1]))
    return " to ".join(f"{each.measured} ({each.name.partition(', ')[2]})" for each in ends)


def _table(numbers: Numbers) -> str:
    """The same of the table, the mean over shares."""
    cells = [cell for _, cell in numbers.of(**{ENCODER: TABLE}).each(SHARE)]
    found = [value for cell in cells if not math.isnan(value := _of_zero(cell).value)]
    return f" (the table's {short(sum(found) / len(found))} times)" if found else ""


def figures(numbers: Numbers) -> list[Block]:
    """Log-odds gap, alignment and linearity on held-out contexts against the share held out."""
    titled = (
        ("gap", "Log-odds on held-out contexts", GAP, "", "RMSE (nats)"),
        ("alignment", "Alignment of f with g on held-out contexts", ALIGNMENT, "", "mean cosine"),
        ("linearity", "Linearity of f on held-out contexts", LINEARITY, "embedding", "mean cosine"),
    )
    return [
        chart(
            f"held-out-{name}",
            title,
            _lines(numbers, measure, table),
            x="share of contexts held out",
            y=axis,
            unit=measure != GAP,
        )
        for name, title, measure, table, axis in titled
    ]


def _lines(numbers: Numbers, measure: str, table: str) -> list[Series]:
    lines: list[Series] = []
    for index, (name, part) in enumerate(numbers.each(ENCODER)):
        cells = part.each(SHARE)
        x, colour = numeric([label for label, _ in cells]), f"--concept-{index}"
        points = [cell.spread(measure, table) for _, cell in cells]
        lines.append(Series(name=name, colour=colour, x=x, points=points))
        before = means([cell.mean(measure, table, at="start") for _, cell in cells])
        lines.append(control(f"{name}, untrained", colour, x, before))
    cells = numbers.each(SHARE)
    lines.append(
        Series(
            name="predicting zero" if measure == GAP else "random pairs",
            colour="--null",
            x=numeric([label for label, _ in cells]),
            points=means([cell.mean(measure, table, kind="null") for _, cell in cells]),
            dash="dash",
            plain=True,
        )
    )
    return lines


EXPERIMENT = Experiment(
    name="generalisation",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="held-out log-odds gap (nats)", measure=GAP, write=short),
        Column(title="held-out alignment", measure=ALIGNMENT),
        Column(
            title="held-out excess loss (nats)",
            measure=held_out_measure("excess_loss_nats", "held_out"),
            write=short,
        ),
        Column(
            title="training log-odds gap (nats)",
            measure=held_out_measure("log_odds_gap_nats", "training"),
            write=short,
        ),
        Column(title="held-out linearity f", measure=LINEARITY, table="embedding"),
        Column(
            title="training linearity f", measure=held_out_measure("linearity", "training"), table="embedding"
        ),
        LINEARITY_G,
    ),
)
