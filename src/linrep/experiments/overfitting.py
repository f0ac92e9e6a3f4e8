"""N sampled pairs in place of the true distribution: how far log-odds end from the true ones, against N."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from linrep.experiments.chart import Series, chart, colour, means
from linrep.experiments.gap_lines import gap_lines
from linrep.experiments.record import (
    ALIGNMENT,
    EXCESS,
    LINEARITY_G,
    LOG_ODDS,
    Answer,
    Experiment,
    Standing,
    nothing,
)
from linrep.page.numbers import cosine, count, listed, short
from linrep.page.shell import Block
from linrep.sweep_numbers import Numbers, Spread, spread

PAIRS, TRUE = "pairs", "true distribution"
GAP, LOSS, G = "log_odds_rmse_nats", "excess_loss_nats", "unembedding"
REACHED, NEAR, RISEN = 1.25, 0.1, 1.1
AXIS, CAPTION = "sampled pairs N", "Median and 10 to 90 % over runs."
RULE = (
    "The level is the median gap after training on the true distribution. N pairs overfit if the median "
    f"excess loss ends above {RISEN} of its lowest over training. The slope of ln gap on ln N is fitted to "
    f"each run over those N that do not overfit and leave a median gap above {REACHED} of the level; its "
    f"interval is two standard errors over runs. “Yes” if the slope is within {NEAR} of −1/2 and the most "
    f"pairs leave at most {REACHED} of the level, “in part” if at least the interval lies below 0, else "
    "“no”; and no better than “no” unless the most pairs leave less than predicting zero."
)


def answer(numbers: Numbers) -> Answer:
    """The slope, where it holds, and what the fewest and the most pairs leave."""
    cells, level = _cells(numbers), _median(numbers.of(**{PAIRS: TRUE}))
    fitted = _fitted(cells, level)
    if len(fitted) < 2:
        return nothing(RULE)
    slope, error = exponent(fitted)
    fewest, most = min(cells), max(cells)
    left, zero = _median(cells[most]), _median(cells[most], "null")
    standing: Standing = "partly" if slope + error < 0 else "no"
    if abs(slope + 0.5) <= NEAR and left <= REACHED * level:
        standing = "yes"
    if not left < zero:
        standing = "no"
    over = [count(n) for n, cell in cells.items() if overfits(cell)]
    said = f"N = {listed(over)} overfit" if over else "no N overfits"
    finding = (
        f"from N = {count(min(fitted))} to {count(max(fitted))} pairs the gap falls like N^({cosine(slope)}) "
        f"[{cosine(slope - error)}, {cosine(slope + error)}]; {count(fewest)} pairs leave "
        f"{short(_median(cells[fewest]))} nats and {count(most)} leave {short(left)}, where the true "
        f"distribution leaves {short(level)} and predicting zero {short(zero)}; {said}."
    )
    return Answer(standing=standing, finding=finding, rule=RULE)


def exponent(cells: dict[int, Numbers]) -> tuple[float, float]:
    """Mean over runs of the slope of ln gap on ln N, and twice its standard error."""
    gaps = [cell.over_steps(GAP)[1][-1] for cell in cells.values()]
    runs = min(len(each) for each in gaps)
    slopes = np.polyfit(np.log(list(cells)), np.log([each[:runs] for each in gaps]), 1)[0]
    slopes = slopes[np.isfinite(slopes)]
    error = 2 * slopes.std(ddof=1) / math.sqrt(len(slopes)) if len(slopes) > 1 else math.nan
    return float(slopes.mean()), float(error)


def overfits(cell: Numbers) -> bool:
    """Whether excess loss, the median over runs, rises again while training goes on."""
    middle = np.nanmedian(cell.over_steps(LOSS)[1], 1)
    return bool(middle[-1] > RISEN * middle[1:].min())


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
        _control("random pairs", "--null", x, [part.spread("linearity", G, kind="null") for part in parts]),
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
    """Measured, beside zero, untrained, the true distribution, and the law through the fitted N."""
    x, parts = list(cells), list(cells.values())
    gap = [replace(each, points=_middle(each.points)) for each in gap_lines(x, parts)]
    untrained = _middle([part.spread(GAP, at="start") for part in parts])
    gap.append(_control("untrained", "--predicted", x, untrained))
    gap.append(_level("true distribution", x, _median(whole)))
    fitted = _fitted(cells, _median(whole))
    if fitted:
        middle = np.exp(np.mean([math.log(_median(cell) * math.sqrt(n)) for n, cell in fitted.items()]))
        law = means([float(middle) / math.sqrt(n) for n in x])
        gap.append(replace(_control("N^(−1/2)", "--embedding", x, law), dash="dash"))
    return gap


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


def _fitted(cells: dict[int, Numbers], level: float) -> dict[int, Numbers]:
    """Those the slope is fitted to."""
    return {n: cell for n, cell in cells.items() if _median(cell) > REACHED * level and not overfits(cell)}


def _median(cell: Numbers, kind: str = "value") -> float:
    found = cell.spread(GAP, kind=kind).median
    return math.nan if found is None else found


def _middle(points: Sequence[Spread]) -> list[Spread]:
    """Stuck runs and unseen tokens are far from the rest: medians, not means."""
    return [replace(each, mean=each.median) for each in points]


def _control(name: str, colour: str, x: Sequence[int], points: Sequence[Spread]) -> Series:
    return Series(name=name, colour=colour, x=x, points=points, dash="dot", plain=True)


def _level(name: str, x: Sequence[int], value: float) -> Series:
    """What the true distribution leaves, beside every N."""
    return Series(name=name, colour="--both", x=x, points=means([value] * len(x)), dash="dash", plain=True)


EXPERIMENT = Experiment(
    name="overfitting",
    answer=answer,
    figures=figures,
    columns=(LOG_ODDS, EXCESS, LINEARITY_G, ALIGNMENT),
)
