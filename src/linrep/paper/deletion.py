"""What is left of a concept's direction when the pairs of tokens that it sets apart are deleted."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep import geometry
from linrep.intervals import average, difference
from linrep.page.chart import Series, chart, colour, control, means
from linrep.page.numbers import cosine, listed, short
from linrep.page.shell import Block
from linrep.paper.effects import UNIT, Held, above, below, judged, span, within
from linrep.paper.measured import dotted
from linrep.paper.order import LENGTH, appearances, as_predicted
from linrep.paper.paired import by_run, geometric_mean
from linrep.paper.record import EXCESS, LINEARITY_G, Answer, Column, Experiment, nothing
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.sweeps.numbers import Numbers, Row, spread
from linrep.theory.analogies import co_occurrence, eigenmodes
from linrep.theory.order import Modes, first_modes, steps_along
from linrep.worlds.contexts import World

WORLD, DELETED = "world", "deleted"
NOTHING, ALONE, BOTH, CONTROL = "nothing", "alone", "both", "told"
FAIR = "fair concepts"
WORDS = {
    NOTHING: "nothing deleted",
    ALONE: "no context leaves just the pair",
    BOTH: "no context leaves both",
    CONTROL: "no context tells",
}
STRAIGHT, EARLY, SOLVED = "deletion.linearity", "deletion.early", "deletion.solved"
SHARE, EIGEN = "deletion.length", "deletion.eigenvectors"
STEP, PREDICTED, RATIO = "deletion.step", "deletion.predicted", "deletion.ratio"
CONCEPT = 0
"""Whose pairs are deleted: the first."""
ROUNDING = 1e-6
"""Pairs of tokens that are less apart, of the table's norm, lie on top of each other."""
SURVIVES, LESS, RATIOS, GONE = 0.8, 0.1, (0.9, 1.1), 0.1
RULE = (
    "Of one concept of four, its pairs of tokens deleted in two ways: no context leaves just the two of a "
    "pair, or no context leaves both of any. “Yes” if after both, in every world, linearity of its g and the "
    f"share of its parallelograms that close lie above {SURVIVES:g} at the end; when its direction is first "
    f"as long as {LENGTH:g}, linearity is not {LESS:g} below that with nothing deleted, and that is after "
    f"{RATIOS[0]:g} to {RATIOS[1]:g} times the steps that the first gradient of the deleted world predicts; "
    "“no” if one lies elsewhere, by 95 % intervals; and “undecided” unless, with fair concepts, no direction "
    f"is left in the control, where no context tells the concept: its length below {GONE:g} of the others'."
)


def deletion_rows(result: Result) -> Iterator[Row]:
    """Of each run: linearity of the concept at every look, parallelograms, and when it came, as predicted."""
    steps = result.snapshot_steps
    for run in range(result.snapshots.shape[1]):
        world = result.worlds[run]
        tables = result.snapshots[:, run, : len(world.tokens)].double()
        lines = [linearity_of(world, table) for table in tables]
        draw = generator(0, "deletion", run)
        for step, line, table in zip(steps, lines, tables, strict=True):
            dealt = linearity_of(world, table[torch.randperm(len(table), generator=draw)])
            for kind, number in (("value", line), ("null", dealt)):
                if math.isfinite(number):
                    yield step, run, STRAIGHT, "", kind, number
        signs = _signs(world)
        found = float(appearances(_along(signs[CONCEPT]), steps, tables)[0])
        wanted = _predicted(result, world, signs[CONCEPT])
        reach = (signs @ tables[-1]).norm(dim=1)
        others = torch.cat([reach[:CONCEPT], reach[CONCEPT + 1 :]])
        width = result.config.model.dim or 0
        values = {
            SOLVED: parallelograms(world, tables[-1]),
            SHARE: float(reach[CONCEPT] / others.mean()),
            EIGEN: linearity_of(world, _co_occurring(world, width, run)),
            EARLY: next((line for step, line in zip(steps, lines, strict=True) if step >= found), math.nan),
            STEP: found,
            PREDICTED: wanted,
            RATIO: found / wanted,
        }
        for name, value in values.items():
            if math.isfinite(value):
                yield steps[-1], run, name, "", "value", value


def _signs(world: World) -> Float64[Tensor, "concepts tokens"]:
    """Every concept as a direction of tokens, of length 1."""
    signs = 2.0 * world.token_codes.double().T - 1.0
    signs = signs - signs.mean(1, keepdim=True)
    return signs / signs.norm(dim=1, keepdim=True)


def _along(direction: Tensor) -> Modes:
    """One direction of tokens in the place of modes, to be looked for."""
    one = torch.ones(1, dtype=torch.float64)
    return Modes(rates=one, contexts=one[:, None], tokens=direction[:, None])


def _predicted(result: Result, world: World, direction: Tensor) -> float:
    """Steps until the direction is there, by the first gradient of the world as it is trained on."""
    model, step = result.config.model, result.config.training.step_size
    assert isinstance(step, float), "every cell has a fixed step"
    dim = model.dim or 0
    return steps_along(
        first_modes(world), direction, dim=dim, scale=model.init_scale, step_size=step, length=LENGTH
    )


def _co_occurring(world: World, dim: int, run: int) -> Float64[Tensor, "tokens dim"]:
    """What training on co-occurrence, with the same contexts deleted, would end at."""
    draw = generator(0, "deletion", run)
    return eigenmodes(co_occurrence(world)).table(dim, generator=draw)


def linearity_of(world: World, table: Float64[Tensor, "tokens dim"]) -> float:
    """Linearity of the concept in a table; NaN where its pairs lie on top of each other, or it diverged."""
    pairs = geometry.contrast_pairs(world.token_codes, [(CONCEPT, 0, 1)])
    apart = (table[pairs.high] - table[pairs.low]).norm(dim=1)
    if not bool(table.isfinite().all()) or float(apart.max()) < ROUNDING * float(table.norm()):
        return math.nan
    return float(geometry.linearity(geometry.steering_moments(table, pairs))[0])


def parallelograms(world: World, table: Float64[Tensor, "tokens dim"]) -> float:
    """Share of a : a' :: b : ? whose answer b' is the token nearest to a' - a + b, both ways round.

    No token is left out of the answers: without those that are asked of, pairs that lie on top of each other
    would close them all.
    """
    pairs = geometry.contrast_pairs(world.token_codes, [(CONCEPT, 0, 1)])
    closed: list[Tensor] = []
    for low, high in ((pairs.low, pairs.high), (pairs.high, pairs.low)):
        target = (table[high] - table[low])[:, None] + table[low]
        distance = torch.cdist(target, table.expand(len(low), -1, -1))
        answer = high.expand(len(low), -1)[..., None]
        own = distance.gather(2, answer)
        nearest = (distance.scatter(2, answer, math.inf) > own).all(2)
        closed.append(nearest[~torch.eye(len(low), dtype=torch.bool)])
    return float(torch.cat(closed).double().mean())


def answer(numbers: Numbers) -> Answer:
    """Four effects for each world and deletion, and the control."""
    effects: list[Held] = []
    lost: list[Held] = []
    said: dict[str, list[str]] = {}
    for world, part in numbers.each(WORLD):
        cells = dict(part.each(DELETED))
        for deleted in (ALONE, BOTH):
            if {deleted, NOTHING} <= set(cells):
                own = _effects(cells[deleted], cells[NOTHING], f"{world}, {deleted}")
                effects += own
                leading = cosine(average(by_run(cells[deleted], EIGEN), UNIT).value)
                words = [f"{own[0].measured} (eigenvectors {leading}; {world})"] if own else []
                said[deleted] = said.get(deleted, []) + words
        if world == FAIR and CONTROL in cells:
            left = average(by_run(cells[CONTROL], SHARE))
            if left.runs[0]:
                lost.append(below(f"length over the others', {world}, {CONTROL}", left, GONE))
    if not effects:
        return nothing(RULE)
    ends = "; ".join(f"{listed(words)} where {WORDS[deleted]}" for deleted, words in said.items() if words)
    length = listed([held.measured for held in lost]) or "–"
    return Answer(
        standing=judged(effects) if judged(lost) == "yes" else "undecided",
        finding="linearity of the concept at the end, beside that of the leading eigenvectors of "
        f"co-occurrence: {ends}. Its direction comes after {span(effects[3::4])} times the predicted steps; "
        f"where no context tells it, its length is {length} of the others'.",
        rule=RULE,
        effects=(*effects, *lost),
        would_change="A world in which what the concept does together with another is learned later than the "
        "other alone, though every context knows it.",
    )


def _effects(cell: Numbers, whole: Numbers, where: str) -> list[Held]:
    """Of one cell, beside that with nothing deleted; none where no run converged."""
    late, before = average(by_run(cell, STRAIGHT), UNIT), by_run(whole, EARLY)
    if not late.runs[0] or not len(before):
        return []
    early = difference(by_run(cell, EARLY), before)
    solved = average(by_run(cell, SOLVED), (0.0, 1.0))
    return [
        above(f"linearity at the end, {where}", late, SURVIVES, cosine),
        above(f"parallelograms closed, {where}", solved, SURVIVES, cosine),
        above(f"linearity when it comes less with nothing deleted, {where}", early, -LESS, cosine),
        within(f"steps over predicted, {where}", geometric_mean(by_run(cell, RATIO)), RATIOS, cosine),
    ]


def figures(numbers: Numbers) -> list[Block]:
    """Linearity of the concept over training, a panel a world, a line a deletion; then the steps."""
    blocks: list[Block] = []
    for index, (world, part) in enumerate(numbers.each(WORLD)):
        lines: list[Series] = []
        for place, (deleted, cell) in enumerate(part.each(DELETED)):
            steps, values = cell.over_steps(STRAIGHT)
            points = [spread(row) for row in values]
            lines.append(Series(name=WORDS[deleted], colour=colour(place), x=steps.tolist(), points=points))
        steps, values = part.each(DELETED)[0][1].over_steps(STRAIGHT, kind="null")
        chance = [spread(row).mean or 0.0 for row in values]
        lines.append(control("random pairs", "--null", steps.tolist(), means(chance)))
        blocks.append(
            chart(
                f"deletion-{index}",
                f"Linearity of the concept, {world}",
                lines,
                x="training step",
                y="mean cosine",
                log_x=True,
                caption="" if index else "All runs. A line ends where pairs lie on top of each other.",
            )
        )
    return [*blocks, *(_steps(world, part, index) for index, (world, part) in enumerate(numbers.each(WORLD)))]


def _steps(world: str, part: Numbers, index: int) -> Block:
    """A dot a run that converged."""
    dots: list[Series] = []
    ends: list[float] = []
    for place, (deleted, cell) in enumerate(part.each(DELETED)):
        both = zip(by_run(cell, PREDICTED).tolist(), by_run(cell, STEP).tolist(), strict=False)
        pairs = sorted((round(x, 1), y) for x, y in both if not math.isnan(x + y))
        ends += [x for x, _ in pairs]
        dots += [dotted(WORDS[deleted], colour(place), pairs)] if pairs else []
    line = as_predicted([min(ends), max(ends)] if ends else [])
    return chart(
        f"deletion-steps-{index}",
        f"When the direction comes, {world}",
        [*dots, line],
        x="steps predicted",
        y="steps measured",
        unit=False,
        caption="" if index else "A dot a run that converged; on the line it comes when it was predicted to.",
    )


EXPERIMENT = Experiment(
    name="deletion",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="linearity of the concept", measure=STRAIGHT),
        Column(title="when it comes", measure=EARLY),
        Column(title="parallelograms closed", measure=SOLVED),
        Column(title="of leading eigenvectors", measure=EIGEN),
        Column(title="steps over predicted", measure=RATIO),
        Column(title="length over others'", measure=SHARE, write=short),
        LINEARITY_G,
        EXCESS,
    ),
    extra=deletion_rows,
)
