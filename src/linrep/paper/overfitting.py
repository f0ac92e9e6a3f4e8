"""N sampled pairs in place of the true distribution: how far log-odds end from the true ones, against N."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from linrep.page.chart import Series, chart, colour, control, means
from linrep.page.numbers import cosine, count, listed, short
from linrep.page.shell import Block
from linrep.paper.record import (
    ALIGNMENT,
    EXCESS,
    LINEARITY_G,
    LOG_ODDS,
    Answer,
    Experiment,
    Standing,
    nothing,
)
from linrep.paper.yardsticks import gap_lines
from linrep.seeds import generator
from linrep.sweeps.numbers import Numbers, Spread, spread

PAIRS, TRUE = "pairs", "true distribution"
GAP, LOSS, G = "log_odds_gap_nats", "excess_loss_nats", "unembedding"
REACHED, NEAR, RISEN, RESAMPLES = 1.25, 0.1, 1.1, 1000
AXIS, CAPTION = "sampled pairs N", "Median and 10 to 90 % over runs."
RULE = (
    "What sampling adds to the gap is √(gap² − level²), the level being what the same run leaves after "
    "training on the true distribution, and the difference its median over runs. The law is asymptotic: the "
    "slope of ln added on ln N is fitted over those N whose median gap is below predicting zero; in brackets "
    f"95 % of {RESAMPLES:,} resamples of the runs. “Yes” if it is within {NEAR} of −1/2 and the most pairs "
    f"leave at most {REACHED} of the level, “undecided” if at least the brackets lie below 0, else “no”. N "
    f"pairs overfit if the median excess loss ends above {RISEN} of its lowest over training."
)
Squares = NDArray[np.float64]
"""Of each run: gap² − level²."""


def answer(numbers: Numbers) -> Answer:
    """The slope where log-odds are matched at all, the one before, and what the most pairs leave."""
    cells, whole = _cells(numbers), numbers.of(**{PAIRS: TRUE})
    squares = added(cells, whole)
    if not squares:
        return nothing(RULE)
    most, level = max(cells), _median(whole)
    left, zero = _median(cells[most]), _median(cells[most], "null")
    late = [n for n in squares if _median(cells[n]) < _median(cells[n], "null")]
    over = [n for n in cells if overfits(cells[n])]
    early = [n for n in squares if n not in over and n <= min(late, default=most)]
    standing: Standing = "no"
    words = [f"at only {len(late)} N is the gap below that of predicting zero"]
    if len(late) > 1:
        slope, low, high = exponent({n: squares[n] for n in late})
        if abs(slope + 0.5) <= NEAR and left <= REACHED * level:
            standing = "yes"
        elif high < 0:
            standing = "undecided"
        words = [
            f"what sampling adds to the gap falls from N = {count(late[0])} to {count(late[-1])} like "
            f"N^({cosine(slope)}) [{cosine(low)}, {cosine(high)}]"
        ]
    if len(early) > 1:
        slope, _, _ = exponent({n: squares[n] for n in early})
        words.append(f"from {count(early[0])} to {count(early[-1])} like N^({cosine(slope)})")
    ends = (
        f"{count(most)} pairs leave {short(left)} nats, where the true distribution leaves {short(level)} "
        f"and predicting zero {short(zero)}"
    )
    last = f"N = {listed([count(n) for n in over])} overfit" if over else "no N overfits"
    return Answer(standing=standing, finding=f"{', '.join(words)}; {ends}; {last}.", rule=RULE)


def added(cells: dict[int, Numbers], whole: Numbers) -> dict[int, Squares]:
    """What sampling adds to the squared gap, by N, of the runs that stayed finite at every N."""
    import pandas as pd

    gaps: Any = pd.DataFrame({n: _ends(cell) for n, cell in (*cells.items(), (0, whole))}).dropna()
    return {n: (gaps[n] ** 2 - gaps[0] ** 2).to_numpy(np.float64) for n in cells} if len(gaps) else {}


def exponent(squares: dict[int, Squares]) -> tuple[float, float, float]:
    """Slope of ln √(median of squares) on ln N, and its interval over resampled runs."""
    table = np.array(list(squares.values()))
    runs = table.shape[1]
    draws = torch.randint(runs, (RESAMPLES, runs), generator=generator(0, "bootstrap")).numpy()
    medians = np.column_stack([np.median(table, 1), np.median(table[:, draws], 2)])
    # Nothing added, or less, is a fall without bound.
    roots = 0.5 * np.log(np.maximum(medians, np.finfo(float).tiny))
    slopes = np.polyfit(np.log(list(squares)), roots, 1)[0]
    low, high = np.quantile(slopes[1:], [0.025, 0.975])
    return float(slopes[0]), float(low), float(high)


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
    roots = {n: math.sqrt(s) for n, each in added(cells, whole).items() if (s := float(np.median(each))) > 0}
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


def _ends(cell: Numbers) -> Any:
    """The gap of each run at the end."""
    rows = cell.frame[(cell.frame["measure"] == GAP) & (cell.frame["kind"] == "value")]
    return rows[rows["step"] == rows["step"].max()].set_index("run")["value"]


def _median(cell: Numbers, kind: str = "value") -> float:
    found = cell.spread(GAP, kind=kind).median
    return math.nan if found is None else found


def _middle(points: Sequence[Spread]) -> list[Spread]:
    """Stuck runs and unseen tokens are far from the rest: medians, not means."""
    return [replace(each, mean=each.median) for each in points]


def _level(name: str, x: Sequence[int], value: float) -> Series:
    """What the true distribution leaves, beside every N."""
    return Series(name=name, colour="--both", x=x, points=means([value] * len(x)), dash="dash", plain=True)


EXPERIMENT = Experiment(
    name="overfitting",
    answer=answer,
    figures=figures,
    columns=(LOG_ODDS, EXCESS, LINEARITY_G, ALIGNMENT),
)
