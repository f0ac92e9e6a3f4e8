"""The implicit bias of descent in trained runs (claim C2): the law of the margin, the max-margin direction.

The clock is the effective time, the sum of a run's step sizes, on which no step raised the loss.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linrep.geometry import counterfactual_pairs
from linrep.intervals import Effect, average
from linrep.page.chart import Series, chart, control
from linrep.page.numbers import count, short
from linrep.page.shell import Block
from linrep.paper.effects import Held, judged, within
from linrep.paper.paired import converged_runs, growth_exponent, of_runs
from linrep.paper.record import EXCESS, LINEARITY_G, Answer, Column, Experiment, nothing
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.sweeps.numbers import Numbers, Row, spread
from linrep.theory.margin_growth import grown_margin, margin_rate
from linrep.theory.max_margin import hard_margin
from linrep.worlds.contexts import World

WORLDS, STEPS = "concepts", "training.steps"
ANGLE, SEPARABLE = "angle_to_max_margin_degrees", "separable_share"
PREDICTED, GROWTH, RISES = "predicted_margin", "margin_growth_over_predicted", "loss_rises"
MARGIN = ("margin", "")
FROM = 5.0
"""Nats of mean margin from which the law is held against a run: e^−q is then below a hundredth."""
GROWN, TURNS = (0.9, 1.1), (-1.5, -0.5)
RULE = (
    "Of runs that converged at the most steps, followed back to fewer: “yes” if in both kinds of worlds the "
    f"mean margin grows by {GROWN[0]:g} to {GROWN[1]:g} of what gradient flow predicts from {FROM:g} nats "
    "on, and the mean angle to the max-margin direction falls like a power of the margin (late the same as "
    f"of ln t) between {TURNS[0]:g} and {TURNS[1]:g}, predicted −1; “no” if one interval lies wholly outside."
).replace("-", "−")


def answer(numbers: Numbers) -> Answer:
    """Both rates in both kinds of worlds."""
    effects: list[Held] = []
    words: list[str] = []
    for name, part in numbers.each(WORLDS):
        growth, turn, ends = _rates(part)
        if not ends:
            continue
        effects += [
            within(f"margin's growth over predicted, {name} concepts", growth, GROWN),
            within(f"exponent of the angle, {name} concepts", turn, TURNS),
        ]
        first, last, null = ends
        words.append(
            f"where concepts are {name}, margins grow {effects[-2].measured} of what gradient flow predicts, "
            f"and the angle between Δg and its max-margin direction goes from {short(first)}° to "
            f"{short(last)}° (random token pairs {short(null)}°), like the margin to the power of "
            f"{effects[-1].measured} (predicted −1)"
        )
    if not effects:
        return nothing(RULE)
    rises = numbers.values(RISES)
    monotone = f"the loss rose between {count(int(rises.sum()))} of all pairs of looks" if len(rises) else ""
    finding = "; ".join([*words, *([monotone] if monotone else [])])
    return Answer(
        standing=judged(effects),
        finding=f"{finding}.",
        rule=RULE,
        effects=tuple(effects),
        would_change="Times far beyond these, as log-odds of dependent concepts are still being learned at "
        "the last step; or a wider table, to which the law of the margin does not apply.",
    )


def _rates(part: Numbers) -> tuple[Effect, Effect, tuple[float, float, float] | None]:
    """Of one kind of worlds: growth of the margin, exponent of the angle; angle first and last, its null."""
    cells = [cell for _, cell in sorted(part.each(STEPS), key=lambda each: int(each[0]))]
    runs = converged_runs(cells[-1]) if cells else []
    key = (ANGLE, "unembedding")
    angle, margin = of_runs(cells, key, runs), of_runs(cells, MARGIN, runs)
    growth = average(of_runs(cells[-1:], (GROWTH, ""), runs).flatten())
    if not bool(angle.isfinite().any()):
        return growth, average(angle.flatten()), None
    null = float(of_runs(cells[-1:], key, runs, kind="null").nanmean())
    ends = (float(angle[0].nanmean()), float(angle[-1].nanmean()), null)
    return growth, growth_exponent(margin, angle), ends


def figures(numbers: Numbers) -> list[Block]:
    """The angle over the margin, which is the clock in nats, and the margin over time beside its law."""
    blocks: list[Block] = []
    lines: list[Series] = []
    null: list[Series] = []
    for (name, part), colour in zip(numbers.each(WORLDS), ("--unembedding", "--embedding"), strict=False):
        cells = [cell for _, cell in part.each(STEPS)]
        x = [float(cell.mean(*MARGIN)) for cell in cells]
        points = [cell.spread(ANGLE, "unembedding") for cell in cells]
        lines.append(Series(name=f"{name} concepts", colour=colour, x=x, points=points))
        random = [cell.spread(ANGLE, "unembedding", kind="null") for cell in cells]
        null.append(control(f"random token pairs, {name}", "--null", x, random))
    blocks.append(
        chart(
            "angle",
            "Angle of Δg to its max-margin direction",
            [*lines, *null],
            x="mean margin (nats)",
            y="degrees",
            log_y=True,
            unit=False,
            caption="Every point a training of its own length, of the same runs.",
        )
    )
    for name, part in numbers.each(WORLDS):
        cells = part.each(STEPS)
        blocks.append(_margins(name, cells[-1][1]))
    return blocks


def _margins(name: str, last: Numbers) -> Block:
    """The margin of the longest training over its time, beside the law."""
    lines: list[Series] = []
    at, time = last.over_steps("time")
    clock = dict(zip(at.tolist(), time.mean(1).tolist(), strict=True))
    for words, measure, colour in (
        ("mean margin", MARGIN[0], "--both"),
        ("gradient flow", PREDICTED, "--predicted"),
    ):
        steps, values = last.over_steps(measure)
        known = [row for row, step in enumerate(steps.tolist()) if step in clock]
        lines.append(
            Series(
                name=words,
                colour=colour,
                x=[clock[int(steps[row])] for row in known],
                points=[spread(values[row]) for row in known],
                dash="dash" if measure == PREDICTED else "solid",
                plain=measure == PREDICTED,
            )
        )
    return chart(
        f"margin-{name}",
        f"Margin over time, {name} concepts",
        [line for line in lines if line.x],
        x="effective time (sum of steps)",
        y="nats",
        log_x=True,
        unit=False,
    )


def extra(result: Result) -> Iterator[Row]:
    """Mean angle of every Δg_i(c) to the max-margin direction of its problem; the predicted margin."""
    step = result.snapshot_steps[-1]
    yield from _predicted(result)
    for run, world in enumerate(result.worlds):
        f, g = result.embedding[run].double(), result.unembedding[run].double()
        if not bool(f.isfinite().all() and g.isfinite().all()):
            continue
        draw = generator(result.config.seed, "null", run, 2)
        angles: list[float] = []
        null: list[float] = []
        problems = 0
        for delta, points in hidden_problems(world, f, g):
            problems += 1
            found = hard_margin(points)
            if not found.separable:
                continue
            one, other = torch.randperm(len(world.tokens), generator=draw)[:2].tolist()
            angles.append(_degrees(delta, found.direction))
            null.append(_degrees(g[one] - g[other], found.direction))
        yield step, run, SEPARABLE, "", "value", len(angles) / max(problems, 1)
        if angles:
            yield step, run, ANGLE, "unembedding", "value", float(np.mean(angles))
            yield step, run, ANGLE, "unembedding", "null", float(np.mean(null))


def _predicted(result: Result) -> Iterator[Row]:
    """Where the law puts each run's margin, from what it was when it passed :data:`FROM`."""
    trace: Any = result.trace
    whole = trace[(trace["concept"] == "") & (trace["kind"] == "value")]

    def series(measure: str) -> Mapping[int, tuple[np.ndarray, np.ndarray]]:
        rows = whole[whole["measure"] == measure].sort_values("step").groupby("run")
        return {int(run): (each["step"].to_numpy(), each["value"].to_numpy()) for run, each in rows}

    margins, times, losses = series(MARGIN[0]), series("time"), series("excess_loss_nats")
    for run, (steps, margin) in margins.items():
        loss = losses[run][1]
        yield int(steps[-1]), run, RISES, "", "value", float((np.diff(loss) > 0).sum())
        late = np.flatnonzero(margin >= FROM)
        if run not in times or not len(late) or late[0] == len(margin) - 1:
            continue
        world, (_, time) = result.worlds[run], times[run]
        known = float((world.codes < torch.tensor(world.model.sizes)).double().mean())
        rate = margin_rate(len(world.codes), len(world.tokens), known)
        elapsed = torch.from_numpy(time[late] - time[late[0]])
        law = grown_margin(torch.full_like(elapsed, float(margin[late[0]])), elapsed, rate)
        for at, predicted in zip(steps[late].tolist(), law.tolist(), strict=True):
            yield at, run, PREDICTED, "", "value", predicted
        grown = (margin[-1] - margin[late[0]]) / float(law[-1] - law[0])
        yield int(steps[-1]), run, GROWTH, "", "value", float(grown)


def hidden_problems(world: World, f: Tensor, g: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each Δg_i(c) with its points: f(d), signed by d_i, of the contexts that know i and fit c elsewhere."""
    pairs = counterfactual_pairs(world.token_codes)
    unknown = torch.tensor(world.model.sizes)
    for low, high, concept in zip(pairs.low.tolist(), pairs.high.tolist(), pairs.group.tolist(), strict=True):
        fits = (world.codes == world.token_codes[low]) | (world.codes == unknown)
        fits[:, concept] = world.codes[:, concept] < 2
        rows = fits.all(1)
        sign = 2.0 * world.codes[rows, concept] - 1.0
        if bool(rows.any()):
            yield g[high] - g[low], f[rows] * sign[:, None].double()


def _degrees(one: Tensor, other: Tensor) -> float:
    return float(torch.rad2deg(torch.acos((one @ other / (one.norm() * other.norm())).clamp(-1, 1))))


EXPERIMENT = Experiment(
    name="implicit-bias",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="angle (degrees)", measure=ANGLE, table="unembedding", write=short),
        Column(title="margin growth / predicted", measure=GROWTH, write=short),
        Column(title="margin (nats)", measure="margin", write=short),
        LINEARITY_G,
        EXCESS,
        Column(title="separable", measure=SEPARABLE),
    ),
    extra=extra,
)
