"""Whether f is linear in the log posterior of concepts, against what theory has it be once tokens merge."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.geometry.moments import steering_moments
from linrep.geometry.pairs import contrasts
from linrep.geometry.similarity import linearity
from linrep.intervals import Effect, average
from linrep.laboratory.token_pairs import token_pairs
from linrep.linalg import balanced, centre
from linrep.page.chart import Series, chart, colour, means
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.paper.effects import UNIT, Held, above, below, judged, within
from linrep.paper.ended import mean_over
from linrep.paper.measured import dotted
from linrep.paper.paired import by_run
from linrep.paper.record import EXCESS, Answer, Column, Experiment, nothing
from linrep.runs.result import Result
from linrep.runs.world_config import WordTokens
from linrep.sweeps.numbers import Numbers, Row
from linrep.theory.posterior import linear_share, log_posterior, smallest_tables
from linrep.worlds.truth import World, conditional

SETTING = "setting"
EXACT = ("a token each", "two synonyms")
"""Every token has one meaning: f is exactly linear."""
CONTROL = "parity alone"
KNOWN = ("known, a token each", "known, a quarter merged")
"""The paper's own contexts, of which no log posterior is finite: what is left of linearity and alignment."""
SHARE, PREDICTED = "synonyms.share", "synonyms.share_predicted"
LINEAR = "synonyms.linearity_predicted"
HIGH, NEAR, FAILS = 0.99, 0.02, 0.9
RULE = (
    "Of each run, R² of f on the log posterior of the concepts that tokens tell. “Yes” if it lies above "
    f"{HIGH} wherever every token has one meaning, and within {NEAR} of what its world predicts wherever "
    "tokens merge; “no” if one lies elsewhere, by 95 % intervals; and “undecided” unless it lies below "
    f"{FAILS} in the control, whose tokens tell nothing but a parity."
)
CAPTION = "A dot a run; on the line R² is as predicted before training."


def synonym_rows(result: Result) -> Iterator[Row]:
    """Of each run: how linear f is in the log posterior, how linear it was predicted to be, and by chance."""
    tokens = result.config.tokens
    assert isinstance(tokens, WordTokens), "every cell has words"
    assert tokens.of is not None, "of some concepts"
    for run, world in enumerate(result.worlds):
        if not bool((conditional(world) > 0).all()):
            continue  # the log posterior is not finite
        known = log_posterior(world, tokens.of)
        f, g = smallest_tables(world)
        trained = _balanced(result, run, world)
        deal = torch.randperm(len(known), generator=torch.Generator().manual_seed(run))
        found = (
            (SHARE, "value", linear_share(trained, known)),
            (SHARE, "null", linear_share(trained[deal], known)),
            (PREDICTED, "value", linear_share(f, known)),
            (LINEAR, "value", predicted_linearity(world, g)),
        )
        for name, kind, value in found:
            if not math.isnan(value):
                yield result.snapshot_steps[-1], run, name, "", kind, value


def _balanced(result: Result, run: int, world: World) -> Float64[Tensor, "contexts dim"]:
    """F at the end, in the balanced gauge."""
    f = result.embedding[run : run + 1, : len(world.codes)].double()
    g = result.unembedding[run : run + 1, : len(world.tokens)].double()
    return balanced(f, centre(g))[0][0]


def predicted_linearity(world: World, unembedding: Float64[Tensor, "tokens dim"]) -> float:
    """Mean linearity of g over the concepts that tokens differ in alone; NaN where there is none.

    Args:
        world: Whose tokens.
        unembedding: Of the smallest tables.
    """
    pairs = token_pairs(world, contrasts(world.model.values))
    return float(linearity(steering_moments(unembedding, pairs)).nanmean())


def answer(numbers: Numbers) -> Answer:
    """Exactly linear where tokens have one meaning, as predicted where they merge, and not in the control."""
    exact: list[Held] = []
    merged: list[Held] = []
    control: list[Held] = []
    said: list[str] = []
    for setting, cell in numbers.each(SETTING):
        share, wanted = by_run(cell, SHARE), by_run(cell, PREDICTED)
        mean = average(share, UNIT)
        if not mean.runs[0]:
            continue
        if setting in EXACT:
            exact.append(above(f"R² of f, {setting}", mean, HIGH, cosine))
        if setting == CONTROL:
            control.append(below(f"R² of f, {setting}", mean, FAILS, cosine))
        if setting not in EXACT:
            off = average(share - wanted)
            merged.append(within(f"R² over predicted, {setting}", off, (-NEAR, NEAR), cosine))
        said.append(_words(setting, mean, wanted, cell))
    if not exact:
        return nothing(RULE)
    return Answer(
        standing=judged([*exact, *merged]) if judged(control) == "yes" else "undecided",
        finding=f"R² of f on the log posterior: {'; '.join(said)}. Rows dealt anew: "
        f"{cosine(_chance(numbers))}.{_left(numbers)}",
        rule=RULE,
        effects=(*exact, *merged, *control),
        would_change="Contexts that exclude tokens, of which the log posterior is infinite; tables too "
        "narrow, or not trained to the end.",
    )


def _words(setting: str, mean: Effect, wanted: Tensor, cell: Numbers) -> str:
    """R² of a setting, and what is left of linearity of g, each beside what was predicted."""
    low_high = "" if mean.interval95 is None else f" [{', '.join(map(cosine, mean.interval95))}]"
    words = f"{setting}: {cosine(mean.value)}{low_high} (predicted {cosine(average(wanted).value)})"
    linear = average(by_run(cell, "linearity", "unembedding"))
    if not linear.runs[0]:
        return f"{words}, no token pair left"
    return f"{words}, linearity of g {cosine(linear.value)} ({cosine(average(by_run(cell, LINEAR)).value)})"


def _left(numbers: Numbers) -> str:
    """What is left of linearity and alignment where contexts know what tokens tell."""
    words: list[str] = []
    for setting, cell in numbers.each(SETTING):
        if setting in KNOWN and cell.runs(ended="converged"):
            linear, aligned = mean_over(cell, "linearity", "unembedding"), mean_over(cell, "alignment", "")
            low_high = [within("", each, UNIT, cosine).measured for each in (linear, aligned)]
            ended = f"{cell.runs(ended='converged')} of {cell.runs()} runs, which converged"
            words.append(f"{setting.partition(', ')[2]} ({ended}): {' and '.join(low_high)}")
    return f" Linearity of g and alignment where contexts know concepts, {'; '.join(words)}." if words else ""


def _chance(numbers: Numbers) -> float:
    found = torch.cat([by_run(cell, SHARE, kind="null") for _, cell in numbers.each(SETTING)])
    return float(found.nanmean())


def figures(numbers: Numbers) -> list[Block]:
    """R² measured against R² predicted, a colour a setting."""
    cells = [(str(setting), _pairs(cell, "value")) for setting, cell in numbers.each(SETTING)]
    cells = [(setting, pairs) for setting, pairs in cells if pairs]
    if not cells:
        return []
    lines = [dotted(setting, colour(at), pairs) for at, (setting, pairs) in enumerate(cells)]
    null = sorted(pair for _, cell in numbers.each(SETTING) for pair in _pairs(cell, "null"))
    ends = [min(x for _, pairs in cells for x, _ in pairs), 1.0]
    lines += [
        dotted("rows dealt anew", "--null", null, marker="x"),
        Series(
            name="as predicted", colour="--predicted", x=ends, points=means(ends), plain=True, dash="dash"
        ),
    ]
    return [
        chart(
            "synonyms-share",
            "Share of f that is linear in the log posterior of concepts",
            lines,
            x="R² predicted",
            y="R² measured",
            caption=CAPTION,
        )
    ]


def _pairs(cell: Numbers, kind: str) -> list[tuple[float, float]]:
    """R² predicted and measured of every run that converged."""
    pairs = zip(by_run(cell, PREDICTED).tolist(), by_run(cell, SHARE, kind=kind).tolist(), strict=True)
    return sorted(pair for pair in pairs if not math.isnan(sum(pair)))


EXPERIMENT = Experiment(
    name="synonyms",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="R² on the log posterior", measure=SHARE),
        Column(title="predicted", measure=PREDICTED),
        Column(title="linearity of g", measure="linearity", table="unembedding"),
        Column(title="predicted", measure=LINEAR),
        EXCESS,
    ),
    extra=synonym_rows,
)
