"""N sampled pairs in place of the true distribution: how far log-odds end from the true ones, against N."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.intervals import Effect, average, jackknife_interval
from linrep.page.chart import Series, chart, colour, control, means
from linrep.page.numbers import cosine, count, listed, short
from linrep.page.shell import Block
from linrep.paper.effects import Held, below, judged, within
from linrep.paper.ended import mean_over
from linrep.paper.paired import converged_runs, growth_exponent, of_runs
from linrep.paper.record import ALIGNMENT, EXCESS, LINEARITY_G, LOG_ODDS, Answer, Column, Experiment, nothing
from linrep.paper.yardsticks import gap_lines
from linrep.sweeps.numbers import Numbers, Spread, spread

PAIRS, TRUE = "pairs", "true distribution"
GAP, LOSS, SAMPLE, G = "log_odds_gap_nats", "excess_loss_nats", "sample_excess_loss_nats", "unembedding"
REACHED, LAW, RISEN = 1.25, (-0.6, -0.4), 1.1
AXIS, CAPTION = "sampled pairs N", "Median and 10 to 90 % over runs."
RULE = (
    "Of runs that came to rest on their own sample, and on the true distribution from the same start: what "
    "sampling adds to the gap is √(gap² − level²), the level being what the same run leaves on the true "
    "distribution, its square averaged over runs. The law is asymptotic: the slope of ln added on ln N is "
    "fitted over those N whose mean gap is below that of predicting zero. “Yes” if it lies between "
    f"{LAW[0]:g} and {LAW[1]:g} and the most pairs leave less than {REACHED} of the level, “no” if one "
    f"interval lies outside. N pairs overfit if the median excess loss ends above {RISEN} of its lowest."
).replace("-", "−")


def answer(numbers: Numbers) -> Answer:
    """The slope where log-odds are matched at all, and what the most pairs leave."""
    cells, whole = _cells(numbers), numbers.of(**{PAIRS: TRUE})
    late = [n for n, cell in cells.items() if mean_over(cell, GAP).value < cell.mean(GAP, kind="null")]
    if not late:
        return nothing(RULE)
    most = max(late)
    effects: tuple[Held, ...] = (
        within(
            "exponent in N of what sampling adds to the log-odds gap",
            exponent(cells, late, whole),
            LAW,
            cosine,
        ),
        below(f"gap after {count(most)} pairs over that after all", ratio(cells[most], whole), REACHED),
    )
    over = [n for n, cell in cells.items() if overfits(cell)]
    level, zero = short(mean_over(whole, GAP).value), short(whole.mean(GAP, kind="null"))
    finding = (
        f"what sampling adds to the gap falls from N = {count(late[0])} to {count(most)} like N to the power "
        f"of {effects[0].measured} (predicted −1/2); {count(most)} pairs leave {effects[1].measured} times "
        f"what the true distribution leaves, {level} nats (predicting zero {zero}); "
        f"{f'N = {listed([count(n) for n in over])} overfit' if over else 'no N overfits'}."
    )
    return Answer(
        standing=judged(effects),
        finding=finding,
        rule=RULE,
        effects=effects,
        would_change="So many pairs that what they add is small beside what dependence leaves unlearned, or "
        "so few that tokens are missing from the sample.",
    )


def exponent(cells: Mapping[int, Numbers], chosen: Sequence[int], whole: Numbers) -> Effect:
    """Slope on ln N of half the logarithm of what sampling adds to the squared gap.

    Args:
        cells: By N.
        chosen: The N over which it is fitted.
        whole: The same runs on the true distribution.
    """
    runs = _at_rest([*(cells[n] for n in chosen), whole])
    squares = added(cells, chosen, whole, runs)
    at = torch.tensor(list(chosen), dtype=torch.float64)[:, None].expand_as(squares)
    # Nothing added, or less, is a fall without bound.
    found = growth_exponent(at, squares.clamp_min(torch.finfo(torch.float64).tiny))
    interval = found.interval95
    half = None if interval is None else (interval[0] / 2, interval[1] / 2)
    return Effect(value=found.value / 2, interval95=half, runs=found.runs)


def added(
    cells: Mapping[int, Numbers], chosen: Sequence[int], whole: Numbers, runs: Sequence[int]
) -> Float64[Tensor, "chosen runs"]:
    """What sampling adds to the squared gap of these runs: gap² − level²."""
    gaps = of_runs([*(cells[n] for n in chosen), whole], (GAP, ""), runs)
    return gaps[:-1].square() - gaps[-1].square()


def ratio(cell: Numbers, whole: Numbers) -> Effect:
    """Mean gap of runs over that of the same runs on the true distribution, by leaving runs out."""
    found, level = of_runs([cell, whole], (GAP, ""), _at_rest([cell, whole]))
    runs = len(found)
    if not runs:
        return average(found)
    value = float(found.mean() / level.mean())
    left_out = (found.sum() - found) / (level.sum() - level)
    return Effect(value=value, interval95=jackknife_interval(value, [left_out]), runs=(runs,))


def overfits(cell: Numbers) -> bool:
    """Whether excess loss, the median over runs, rises again while training goes on."""
    seen = torch.tensor(cell.over_steps(LOSS)[1])
    middle = seen.nanquantile(0.5, 1)
    return bool(middle[-1] > RISEN * middle[1:].min())


def _at_rest(cells: Sequence[Numbers]) -> list[int]:
    """Runs that converged in all of these."""
    return sorted(set.intersection(*({*converged_runs(cell)} for cell in cells)))


def figures(numbers: Numbers) -> list[Block]:
    """The gap against N, excess loss over training, and linearity against N."""
    cells, whole = _cells(numbers), numbers.of(**{PAIRS: TRUE})
    x, parts = list(cells), list(cells.values())
    lines = [
        Series(
            name="linearity of g",
            colour="--unembedding",
            x=x,
            points=_middle([part.spread("linearity", G) for part in parts]),
        ),
        _level("true distribution", x, whole.spread("linearity", G).median or math.nan),
        control("random pairs", "--null", x, [part.spread("linearity", G, kind="null") for part in parts]),
    ]
    return [
        chart(
            "overfitting-gap",
            "Log-odds gap against pairs",
            _gap_against_pairs(cells, whole),
            x=AXIS,
            y="RMSE (nats)",
            log_x=True,
            log_y=True,
            unit=False,
            caption=CAPTION,
        ),
        chart(
            "overfitting-loss",
            "Excess loss over training",
            _over_training(cells, whole),
            x="training step",
            y="nats, on the true distribution",
            log_x=True,
            log_y=True,
            unit=False,
            caption="Medians over runs. Where it goes down and then up, training overfits.",
        ),
        chart(
            "overfitting-linearity",
            "Linearity against pairs",
            lines,
            x=AXIS,
            y="mean cosine",
            log_x=True,
            caption=CAPTION,
        ),
    ]


def _gap_against_pairs(cells: dict[int, Numbers], whole: Numbers) -> list[Series]:
    """Measured, beside zero, untrained and the true distribution; what sampling adds, beside the law."""
    x, parts = list(cells), list(cells.values())
    lines = [replace(each, points=_middle(each.points)) for each in gap_lines(x, parts)]
    untrained = _middle([part.spread(GAP, at="start") for part in parts])
    lines.append(control("untrained", "--predicted", x, untrained))
    lines.append(_level("true distribution", x, _median(whole)))
    squares = {n: added(cells, [n], whole, _at_rest([cell, whole])) for n, cell in cells.items()}
    roots = {n: math.sqrt(s) for n, each in squares.items() if (s := float(each.mean())) > 0}
    if roots:
        sampled = means(list(roots.values()))
        lines.append(
            Series(name="added by sampling", colour="--embedding", x=list(roots), points=sampled, plain=True)
        )
        last = max(roots)
        law = means([roots[last] * math.sqrt(last / n) for n in x])
        lines.append(replace(control("N^(−1/2)", colour(3), x, law), dash="dash"))
    return lines


def _over_training(cells: dict[int, Numbers], whole: Numbers) -> list[Series]:
    """One line for every N, from few to many, and the true distribution's."""
    named = [*((f"N = {count(n)}", cell) for n, cell in cells.items()), (TRUE, whole)]
    lines: list[Series] = []
    for index, (name, cell) in enumerate(named):
        steps, loss = cell.over_steps(LOSS)
        points = _middle([spread(row) for row in loss])
        dash = "dash" if name == TRUE else "solid"
        lines.append(
            Series(name=name, colour=colour(index), x=steps.tolist(), points=points, dash=dash, plain=True)
        )
    return [line for line in lines if line.x]


def _cells(numbers: Numbers) -> dict[int, Numbers]:
    """By N, from few to many, those that hold numbers."""
    return dict(sorted((int(label), cell) for label, cell in numbers.each(PAIRS) if label != TRUE))


def _median(cell: Numbers, kind: str = "value") -> float:
    found = cell.spread(GAP, kind=kind).median
    return math.nan if found is None else found


def _middle(points: Sequence[Spread]) -> list[Spread]:
    """Runs that are not at rest, and unseen tokens, are far from the rest: medians, not means."""
    return [replace(each, mean=each.median) for each in points]


def _level(name: str, x: Sequence[int], value: float) -> Series:
    """What the true distribution leaves, beside every N."""
    return Series(name=name, colour="--both", x=x, points=means([value] * len(x)), dash="dash", plain=True)


EXPERIMENT = Experiment(
    name="overfitting",
    answer=answer,
    figures=figures,
    columns=(
        LOG_ODDS,
        EXCESS,
        Column(title="on the sample (nats)", measure=SAMPLE, write=short),
        LINEARITY_G,
        ALIGNMENT,
    ),
)
