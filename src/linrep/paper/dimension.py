"""The width k of both tables, from 2 to 2^m and beyond, runs that converged and others apart."""

import math
from collections.abc import Iterator

from linrep.page.chart import Dash, Series, chart, numeric
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.paper.axis_words import point, title
from linrep.paper.former import converged_else_all
from linrep.paper.record import ALIGNMENT, EXCESS, LINEARITY_F, LINEARITY_G, Answer, Experiment, nothing
from linrep.paper.yardsticks import PREDICTED, controls, ended_chart, predicted_line, predicted_rows
from linrep.runs.result import Result
from linrep.sweeps.numbers import NOT_CONVERGED, Numbers, Row, Words
from linrep.theory.limits import predict

M, K = "world.concepts", "model.dim"
KINDS: tuple[tuple[str, Words, Dash, str], ...] = (
    ("converged", "converged", "solid", "circle"),
    ("not converged", NOT_CONVERGED, "dash", "x"),
)
RULE = (
    "At each width the mean linearity of g is taken over runs that converged, or over all if none did. “Yes” "
    "if its largest value stands at k = m for every number of concepts m, “undecided” if for some, else “no”."
)


def answer(numbers: Numbers) -> Answer:
    """Where the peak is."""
    peaks: list[bool] = []
    words: list[str] = []
    for m, part in numbers.each(M):
        linear = {k: converged_else_all(cell, "linearity", "unembedding") for k, cell in part.each(K)}
        if m not in linear or len(linear) < 2:
            continue
        top, widest = max(linear, key=linear.__getitem__), max(linear, key=int)
        cell = part.of(**{K: widest})
        limit = cell.mean(PREDICTED, "unembedding")
        predicted = f", predicted {cosine(limit)} in the limit" if not math.isnan(limit) else ""
        where = "k = m" if top == m else f"k = {top}"
        beside = "" if top == m else f", {cosine(linear[m])} at k = m"
        words.append(
            f"for m = {m} the mean linearity of g is largest at {where} ({cosine(linear[top])}{beside}) and "
            f"{cosine(linear[widest])} at k = {widest}{predicted}"
        )
        peaks.append(top == m)
    if not peaks:
        return nothing(RULE)
    standing = "yes" if all(peaks) else "undecided" if any(peaks) else "no"
    return Answer(standing=standing, finding="; ".join(words) + ".", rule=RULE)


def figures(numbers: Numbers) -> list[Block]:
    """Linearity of g against k, with the prediction; and how runs ended."""
    blocks: list[Block] = []
    g = ("linearity", "unembedding")
    for m, part in numbers.each(M):
        cells = part.each(K)

        def some(ended: Words, cells: list[tuple[str, Numbers]] = cells) -> list[tuple[str, Numbers]]:
            return [(k, cell) for k, cell in cells if cell.runs(ended=ended)]

        lines = [
            Series(
                name=name,
                colour="--unembedding",
                dash=dash,
                marker=marker,
                x=numeric([k for k, _ in some(ended)]),
                points=[cell.spread(*g, ended=ended) for _, cell in some(ended)],
            )
            for name, ended, dash, marker in KINDS
        ]
        lines.append(predicted_line("predicted limit", "--predicted", cells, "unembedding", joined=False))
        lines += controls(
            numeric([k for k, _ in cells]), [cell for _, cell in cells], *g, start="--embedding"
        )
        blocks.append(
            chart(
                f"dimension-{m}",
                f"Linearity of g against width, {point(M, m)}",
                [line for line in lines if line.x],
                x=title(K),
                y="mean cosine",
                log_x=True,
            )
        )
    groups = [(point(M, m), part) for m, part in numbers.each(M)]
    return [*blocks, ended_chart("dimension-ended", groups, K, size="wide")]


def extra(result: Result) -> Iterator[Row]:
    """What theory says of linearity at this width, where it says anything."""
    yield from predicted_rows(result, predict(result.worlds[0].model.concepts, result.config.model.dim))


EXPERIMENT = Experiment(
    name="dimension",
    answer=answer,
    figures=figures,
    columns=(LINEARITY_G, LINEARITY_F, ALIGNMENT, EXCESS),
    extra=extra,
)
