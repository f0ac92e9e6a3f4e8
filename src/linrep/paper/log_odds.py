"""Measured against true log-odds through training: matching or linearity first, by optimizer and schedule."""

import numpy as np
from numpy.typing import NDArray

from linrep.page.chart import Series, chart, control, means
from linrep.page.numbers import count, listed
from linrep.page.shell import Block
from linrep.paper.former import FAIR, MATCHED
from linrep.paper.record import ALIGNMENT, EXCESS, LINEARITY_G, LOG_ODDS, Answer, Experiment, nothing, percent
from linrep.sweeps.numbers import Numbers, spread

MOST = 0.9
RULE = (
    f"A run is linear from the first step on at which linearity of g is at least {FAIR}, and matched from "
    f"the first at which the log-odds RMSE is at most {percent(MATCHED)} of that of predicting zero. “Yes” "
    f"if with every method at least {percent(MOST)} of the linear runs were linear no later than matched, "
    "“undecided” if so with some method, else “no”."
)


def answer(numbers: Numbers) -> Answer:
    """Which comes first."""
    shares: dict[str, float] = {}
    words: list[str] = []
    for method, cell in numbers.each("method"):
        linear, matched = firsts(cell)
        reached = np.isfinite(linear)
        if not reached.any():
            words.append(f"{method}: no run became linear")
            continue
        shares[method] = float((linear[reached] <= matched[reached]).mean())
        text = f"{method}: linear at step {count(int(np.median(linear[reached])))}"
        done = matched[np.isfinite(matched)]
        text += (
            f", matched at {count(int(np.median(done)))} ({percent(len(done) / len(matched))} of runs)"
            if len(done)
            else ", never matched"
        )
        words.append(text)
    if not shares:
        return nothing(RULE)
    first = [method for method, share in shares.items() if share >= MOST]
    standing = "yes" if len(first) == len(shares) else "undecided" if first else "no"
    lead = (
        f"linearity came first with {listed(first)}" if first else "with no method did linearity come first"
    )
    return Answer(standing=standing, finding=f"{lead} (medians: {'; '.join(words)}).", rule=RULE)


def firsts(cell: Numbers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First step at which each run is linear, and matched; infinite where it never is."""
    steps, linearity = cell.over_steps("linearity", "unembedding")
    _, ratio = _ratio(cell)
    return _first(steps, linearity >= FAIR), _first(steps, ratio <= MATCHED)


def figures(numbers: Numbers) -> list[Block]:
    """Both over training, one panel for each method."""
    blocks: list[Block] = []
    for index, (method, cell) in enumerate(numbers.each("method")):
        steps, linearity = cell.over_steps("linearity", "unembedding")
        _, ratio = _ratio(cell)
        _, null = cell.over_steps("linearity", "unembedding", kind="null")
        x = steps.tolist()
        lines = [
            Series(
                name="linearity of g", colour="--unembedding", x=x, points=[spread(row) for row in linearity]
            ),
            Series(
                name="log-odds RMSE / that of zero",
                colour="--embedding",
                x=x,
                points=[spread(row) for row in ratio],
            ),
            control("random pairs", "--null", x, means(np.nanmean(null, 1).tolist())),
        ]
        blocks.append(
            chart(f"log-odds-{index}", method, lines, x="training step", y="cosine, or ratio", log_x=True)
        )
    return blocks


def _ratio(cell: Numbers) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    steps, gap = cell.over_steps("log_odds_gap_nats")
    return steps, gap / cell.over_steps("log_odds_gap_nats", kind="null")[1]


def _first(steps: NDArray[np.int64], reached: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(reached.any(0), steps[reached.argmax(0)], np.inf)


EXPERIMENT = Experiment(
    name="log-odds", answer=answer, figures=figures, columns=(LINEARITY_G, ALIGNMENT, LOG_ODDS, EXCESS)
)
