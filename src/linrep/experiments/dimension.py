"""The width k of both tables, from 2 to 2^m and beyond, free and stuck runs apart."""

from collections.abc import Iterator

from linrep.experiments.chart import Dash, Series, chart, means, numeric
from linrep.experiments.record import (
    ALIGNMENT,
    EXCESS,
    LINEARITY_F,
    LINEARITY_G,
    Answer,
    Experiment,
    nothing,
)
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.result import Result
from linrep.sweep_numbers import Numbers, Row
from linrep.theory.predict import predict

M, K = "world.concepts", "model.dim"
KINDS: tuple[tuple[str, bool, Dash, str], ...] = (
    ("free runs", True, "solid", "circle"),
    ("stuck runs", False, "dash", "x"),
)
PREDICTED = "predicted_linearity"
RULE = (
    "At each width the mean linearity of g is taken over free runs, or over all where none is free. “Yes” "
    "if its "
    "largest value stands at k = m for every number of concepts m, “in part” if for some, else “no”."
)


def answer(numbers: Numbers) -> Answer:
    """Where the peak is."""
    peaks: list[bool] = []
    words: list[str] = []
    for m, part in numbers.each(M):
        linear = {k: _linearity(cell) for k, cell in part.each(K)}
        if m not in linear or len(linear) < 2:
            continue
        top, widest = max(linear, key=linear.__getitem__), max(linear, key=int)
        cell = part.of(**{K: widest})
        limit = cell.mean(PREDICTED, "unembedding")
        predicted = f", predicted {cosine(limit)} in the limit" if limit == limit else ""
        where = "k = m" if top == m else f"k = {top}"
        beside = "" if top == m else f", {cosine(linear[m])} at k = m"
        words.append(
            f"for m = {m} the mean linearity of g is largest at {where} ({cosine(linear[top])}{beside}) and "
            f"{cosine(linear[widest])} at k = {widest}{predicted}"
        )
        peaks.append(top == m)
    if not peaks:
        return nothing(RULE)
    standing = "yes" if all(peaks) else "partly" if any(peaks) else "no"
    return Answer(standing=standing, finding="; ".join(words) + ".", rule=RULE)


def figures(numbers: Numbers) -> list[Block]:
    """Linearity of g against k, free and stuck runs, with the prediction; and the share of stuck runs."""
    blocks: list[Block] = []
    g = ("linearity", "unembedding")
    for m, part in numbers.each(M):
        cells = part.each(K)
        x = numeric([k for k, _ in cells])

        def some(free: bool, cells: list[tuple[str, Numbers]] = cells) -> list[tuple[str, Numbers]]:
            return [(k, cell) for k, cell in cells if cell.runs(free=free)]

        lines = [
            Series(
                name=name,
                colour="--unembedding",
                dash=dash,
                marker=marker,
                x=numeric([k for k, _ in some(free)]),
                points=[cell.spread(*g, free=free) for _, cell in some(free)],
            )
            for name, free, dash, marker in KINDS
        ]
        limit = [(k, value) for k, cell in cells if (value := cell.mean(PREDICTED, "unembedding")) == value]
        lines.append(
            Series(
                name="predicted limit",
                colour="--predicted",
                x=numeric([k for k, _ in limit]),
                marker="diamond",
                points=means([value for _, value in limit]),
                dash="dash",
                plain=True,
                joined=False,
            )
        )
        for name, colour, how in (
            ("random pairs", "--null", {"kind": "null"}),
            ("untrained", "--embedding", {"at": "start"}),
        ):
            points = [cell.spread(*g, **how) for _, cell in cells]  # pyright: ignore[reportArgumentType]
            lines.append(Series(name=name, colour=colour, x=x, points=points, dash="dot", plain=True))
        blocks.append(
            chart(
                f"dimension-{m}",
                f"Linearity of g against width, {m} concepts",
                [line for line in lines if line.x],
                x="width k",
                y="mean cosine",
                log_x=True,
            )
        )
    stuck = [
        Series(
            name=f"{m} concepts",
            colour=f"--concept-{index}",
            x=numeric([k for k, _ in part.each(K)]),
            plain=True,
            points=means([cell.stuck_share() for _, cell in part.each(K)]),
        )
        for index, (m, part) in enumerate(numbers.each(M))
    ]
    return [
        *blocks,
        chart(
            "dimension-stuck", "Stuck runs", stuck, x="width k", y="share of runs", log_x=True, size="wide"
        ),
    ]


def extra(result: Result) -> Iterator[Row]:
    """What theory says of linearity at this width, where it says anything."""
    found = predict(result.worlds[0].model.concepts, result.config.model.dim).geometry
    if found is None:
        return
    for table, value in (
        ("unembedding", found.linearity_unembedding),
        ("embedding", found.linearity_embedding),
    ):
        if value is not None:
            for run in range(result.config.runs):
                yield result.snapshot_steps[-1], run, PREDICTED, table, "value", value


def _linearity(cell: Numbers) -> float:
    free = cell.mean("linearity", "unembedding", free=True)
    return free if free == free else cell.mean("linearity", "unembedding")


EXPERIMENT = Experiment(
    name="dimension",
    answer=answer,
    figures=figures,
    columns=(LINEARITY_G, LINEARITY_F, ALIGNMENT, EXCESS),
    extra=extra,
    split=True,
)
