"""The width k of both tables, from 2 to beyond the tokens' rank: every run a dot, beside limit and k = m."""

import math
from collections.abc import Iterator

from linrep.page.axis_words import point, title
from linrep.page.chart import Series, chart, control, means, numeric
from linrep.page.numbers import cosine, listed
from linrep.page.shell import Block
from linrep.paper.effects import Held, above, judged
from linrep.paper.measured import Cells, run_dots
from linrep.paper.paired import Key, paired_difference
from linrep.paper.record import ALIGNMENT, EXCESS, LINEARITY_F, LINEARITY_G, Answer, Experiment, nothing
from linrep.paper.yardsticks import PREDICTED, predicted_line, predicted_rows
from linrep.runs.result import Result
from linrep.sweeps.numbers import NOT_CONVERGED, Numbers, Row
from linrep.theory.limits import predict

M, K = "world.concepts", "model.dim"
G: Key = ("linearity", "unembedding")
HALF = 0.5
RULE = (
    "“Yes” if for every number of concepts m the mean linearity of g that runs lose from k = m to the "
    f"largest width, world by world, lies above {HALF}, “no” if for one it lies below. Narrower widths than "
    "m cannot reach the bottom, and are drawn but not judged."
)


def answer(numbers: Numbers) -> Answer:
    """What is lost from k = m to the widest."""
    effects: list[Held] = []
    words: list[str] = []
    for m, part in numbers.each(M):
        cells = {k: cell for k, cell in part.each(K) if cell.runs(ended="converged")}
        if m not in cells or len(cells) < 2:
            continue
        widest = max(cells, key=int)
        effects.append(
            above(
                f"linearity of g lost from k = {m} to k = {widest}, m = {m}",
                paired_difference(cells[m], cells[widest], *G),
                HALF,
                cosine,
            )
        )
        limit = cells[widest].mean(PREDICTED, "unembedding")
        predicted = "" if math.isnan(limit) else f" (predicted {cosine(limit)} in the limit)"
        from_m = [k for k in cells if int(k) >= int(m)]
        along = [
            f"{cosine(cells[k].mean(*G, ended='converged'))} at k = {k}"
            for k in dict.fromkeys((*from_m[:2], widest))
        ]
        words.append(f"for m = {m} the mean linearity of g is {listed(along)}{predicted}")
    if not effects:
        return nothing(RULE)
    return Answer(
        standing=judged(effects),
        finding=f"{'; '.join(words)}.",
        rule=RULE,
        effects=tuple(effects),
        would_change="Wide tables at the bottom of the loss whose steering vectors still agree.",
    )


def figures(numbers: Numbers) -> list[Block]:
    """Linearity of g against k for each m."""
    return [_chart(m, part.each(K)) for m, part in numbers.each(M)]


def _chart(m: str, cells: Cells) -> Block:
    lines = [
        run_dots("converged", "--unembedding", cells, G, "converged"),
        run_dots("other runs", "--poor", cells, G, NOT_CONVERGED, marker="x"),
        Series(
            name="k = m", colour="--both", x=[int(m)] * 2, points=means([0.0, 1.0]), plain=True, dash="dash"
        ),
        predicted_line("predicted limit", "--predicted", cells, "unembedding", joined=False),
        control(
            "random pairs",
            "--null",
            numeric([k for k, _ in cells]),
            [cell.spread(*G, kind="null") for _, cell in cells],
        ),
    ]
    return chart(
        f"dimension-{m}",
        f"Linearity of g against width, {point(M, m)}",
        [line for line in lines if line.x],
        x=title(K),
        y="mean cosine",
        log_x=True,
        size="third",
        caption="Every dot is a run, the best of several starts.",
    )


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
