"""How long a concept takes to become a direction, against how often it is known; tables, and a language."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep import geometry
from linrep.intervals import Effect, average, slope
from linrep.page.chart import Series, chart, colour, means
from linrep.page.numbers import short
from linrep.page.shell import Block
from linrep.paper.effects import Held, above, below, judged, within
from linrep.paper.paired import by_run, geometric_mean
from linrep.paper.record import EXCESS, LINEARITY_G, Answer, Column, Experiment, nothing
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.sweeps.numbers import Numbers, Row
from linrep.theory.frequency import forming_steps
from linrep.worlds.contexts import World
from linrep.worlds.frequency import shares

SETTING, DEPENDENT, CONTROL, END, LANGUAGE = (
    "setting",
    "dependent, 8 times",
    "equally often",
    "in the end",
    "a language",
)
SHARE, STEP, PREDICTED = "frequency.share", "frequency.step", "frequency.predicted"
"""Of each concept: ``frequency.step.2``."""
SLOPE, LAW, RATIO, FINAL = (
    "frequency.slope",
    "frequency.predicted_slope",
    "frequency.ratio",
    "frequency.final_slope",
)
COUNT, SPOKEN, AFTER, BY = "frequency.count", "frequency.spoken", "frequency.after", "frequency.by"
"""Of each concept of a language: how often its words were read, the share of sentences that speak of it, and
the checkpoints around its step."""
LEVEL, MOST = 0.5, 5
DEALT = 8.0
"""The ratio of the shares that are dealt where all are equal."""
NEAR, RATIOS, SAME, FIXED = 0.15, (0.8, 1.25), 0.02, 0.5
RULE = (
    f"Of each run, the step at which a concept's linearity of g passes {LEVEL:g}, half of its limit, against "
    "the share of contexts that know it. “Yes” if, wherever theory predicts steps, their slope on the share, "
    f"both as logarithms, lies within {NEAR:g} of the predicted one and measured over predicted within "
    f"{RATIOS[0]:g} to {RATIOS[1]:g}; if the slope is below 0 where concepts depend on each other; if in a "
    f"language steps fall like occurrences to a power above {FIXED:g} (1: a number of occurrences; 0: a "
    f"step); and if linearity in the end changes by at most {SAME:g} per factor of e in the share; “no” if "
    "one lies elsewhere, by 95 % intervals; and “undecided” unless the slope on shares dealt at random, "
    f"where all concepts are equally frequent, lies within {NEAR:g} of 0."
)
CAPTION = "A dot a concept and run; the line is what theory predicts before training."
LANGUAGE_STEPS, LANGUAGE_LOOKS, LANGUAGE_LAYERS = 1200, 40, 1


def frequency_rows(result: Result) -> Iterator[Row]:
    """Of each run: share, measured and predicted step of every concept, and their slopes."""
    last = result.snapshot_steps[-1]
    for run, world in enumerate(result.worlds):
        values = _of_tables(result, run, world)
        if result.config.training.optimizer == "adam":
            values |= _of_language(result, run)
        for name, value in values.items():
            if not math.isnan(value):
                yield last, run, name, "", "value", value


def _of_tables(result: Result, run: int, world: World) -> dict[str, float]:
    pairs = geometry.counterfactual_pairs(world.token_codes)
    tables = result.snapshots[:, run, : len(world.tokens)].double()
    if not bool(tables.isfinite().all()):
        return {}
    looks = torch.stack([geometry.linearity(geometry.steering_moments(each, pairs)) for each in tables])
    steps = passed(result.snapshot_steps, looks)
    share = _known(world)
    if result.config.contexts.frequency_ratio == 1:
        draw = generator(result.config.seed, "frequency", run)
        share = torch.tensor(shares(len(share), DEALT, generator=draw), dtype=torch.float64)
    predicted = torch.full_like(share, math.nan)
    step_size = result.config.training.step_size
    if result.config.training.optimizer == "gd" and isinstance(step_size, float):
        predicted = forming_steps(world, step_size=step_size, level=LEVEL)
    found = {SLOPE: _slope(share, steps), LAW: _slope(share, predicted)}
    found[RATIO] = float((steps.log() - predicted.log()).mean().exp())
    found[FINAL] = slope(share.log(), looks[-1]).value
    for name, numbers in ((SHARE, share), (STEP, steps), (PREDICTED, predicted)):
        found |= {f"{name}.{concept}": number for concept, number in enumerate(numbers.tolist())}
    return found


def _known(world: World) -> Float64[Tensor, " concepts"]:
    """The share of contexts, by weight, that know each concept."""
    return world.weights @ (world.codes < torch.tensor(world.model.sizes)).double()


def passed(
    steps: tuple[int, ...], looks: Float64[Tensor, "looks concepts"], level: float = LEVEL
) -> Float64[Tensor, " concepts"]:
    """The step from which on each concept is at a level or above, for the first time, between looks.

    Args:
        steps: Of the looks.
        looks: Linearity at each.
        level: That is passed.

    Returns:
        NaN where it is passed at the first look already, or never.

    Example:
        >>> passed((0, 10, 20), torch.tensor([[0.0, 0.9], [0.4, 0.9], [0.6, 0.9]], dtype=torch.float64))
        tensor([15., nan], dtype=torch.float64)
    """
    at = torch.tensor(steps, dtype=torch.float64)
    found = torch.full((looks.shape[1],), math.nan, dtype=torch.float64)
    for concept, seen in enumerate(looks.T):
        there = (seen >= level).nonzero()
        if len(there) and int(there[0]) > 0:
            look = int(there[0])
            part = (level - seen[look - 1]) / (seen[look] - seen[look - 1])
            found[concept] = at[look - 1] + part * (at[look] - at[look - 1])
    return found


def _slope(share: Tensor, steps: Tensor) -> float:
    """Of ln steps on ln share; NaN unless every concept has its step."""
    return math.nan if bool(steps.isnan().any()) else slope(share.log(), steps.log()).value


def _of_language(result: Result, run: int) -> dict[str, float]:
    """A transformer on a language about as many concepts: counts of words, checkpoints about each step."""
    from linrep.llm.toy.make import ToySettings, train_toy

    settings = ToySettings(
        concepts=result.worlds[run].model.concepts,
        world="balanced",
        layers=LANGUAGE_LAYERS,
        facts=0,
        steps=min(LANGUAGE_STEPS, result.config.training.steps),
        frequency_ratio=result.config.contexts.frequency_ratio,
        checkpoints=min(LANGUAGE_LOOKS, result.config.training.steps),
    )
    toy = train_toy(settings, seed=run)
    pairs = geometry.counterfactual_pairs(toy.language.world.token_codes)
    found: dict[str, float] = {}
    looks = [
        geometry.linearity(
            geometry.steering_moments(each.weights["lm_head.weight"][toy.encoder.nouns].double(), pairs)
        )
        for each in toy.snapshots
    ]
    steps = [float(each.step) for each in toy.snapshots]
    for concept, seen in enumerate(torch.stack(looks).T):
        words = [word for state in toy.language.synonyms[concept] for word in state]
        found[f"{SPOKEN}.{concept}"] = toy.language.frequencies[concept]
        found[f"{COUNT}.{concept}"] = float(sum(toy.counts[word] for word in words))
        there = (seen >= LEVEL).nonzero()
        place = int(there[0]) if len(there) else len(steps)
        found[f"{AFTER}.{concept}"] = steps[max(place - 1, 0)]
        found[f"{BY}.{concept}"] = steps[place] if place < len(steps) else math.nan
    return found


def answer(numbers: Numbers) -> Answer:
    """Slopes and steps in each setting, a language's exponent, what is left in the end, and the control."""
    effects: list[Held] = []
    control: list[Held] = []
    for setting, cell in numbers.each(SETTING):
        measured = by_run(cell, SLOPE)
        if setting == CONTROL:
            control.append(within(f"slope, {setting}", average(measured), (-NEAR, NEAR)))
        elif setting == END:
            effects.append(
                within(f"linearity per e-fold, {setting}", average(by_run(cell, FINAL)), (-SAME, SAME))
            )
        elif setting == LANGUAGE:
            effects.append(above(f"exponent, {setting}", language_exponent(cell), FIXED))
        elif setting == DEPENDENT:
            effects.append(below(f"slope, {setting}", average(measured), 0.0))
        else:
            off = average(measured - by_run(cell, LAW))
            effects.append(within(f"slope less predicted, {setting}", off, (-NEAR, NEAR)))
            effects.append(
                within(f"steps over predicted, {setting}", geometric_mean(by_run(cell, RATIO)), RATIOS)
            )
    if not any(held.effect.runs[0] for held in effects):
        return nothing(RULE)
    return Answer(
        standing=judged(effects) if control and judged(control) == "yes" else "undecided",
        finding="; ".join([*_said(numbers), *(f"{held.name}: {held.measured}" for held in effects)])
        + "".join(f"; shares dealt at random, {held.name}: {held.measured}" for held in control)
        + ".",
        rule=RULE,
        effects=(*effects, *control),
        would_change="A range of shares over which a direction needs ever more occurrences, or a frequency "
        "that is still seen once training has converged.",
    )


def _said(numbers: Numbers) -> Iterator[str]:
    """Slope and occurrences of each setting that theory predicts."""
    for setting, cell in numbers.each(SETTING):
        law = average(by_run(cell, LAW))
        if setting != CONTROL and law.runs[0]:
            found = below("", average(by_run(cell, SLOPE)), 0.0)
            yield (
                f"{setting}: steps go like the share to the power of {found.measured} (predicted "
                f"{short(law.value)})"
            )


def language_exponent(cell: Numbers) -> Effect:
    """Steps of all concepts of all languages as occurrences to a power, its sign turned."""
    from linrep.llm.history.law import Bracket, law

    brackets = [
        Bracket(count=count, low=low, high=math.inf if math.isnan(high) else high)
        for concept in range(MOST)
        for count, low, high in zip(
            *(by_run(cell, f"{name}.{concept}").tolist() for name in (COUNT, AFTER, BY)), strict=True
        )
        if not math.isnan(count)
    ]
    found = law(brackets, LANGUAGE_STEPS) if brackets else None
    if found is None:
        return Effect(value=math.nan, interval95=None, runs=(len(brackets),))
    low, high = found.exponent.interval95
    ends = None if low is None or high is None else (low, high)
    return Effect(value=found.exponent.value, interval95=ends, runs=(len(brackets),))


def figures(numbers: Numbers) -> list[Block]:
    """Step against share of every concept, a panel a setting in which directions form one by one."""
    blocks: list[Block] = []
    for setting, cell in numbers.each(SETTING):
        if setting == END:
            continue
        name, shade = ("shares dealt at random", "--null") if setting == CONTROL else ("tables", colour(0))
        lines = [_dots(name, shade, _pairs(cell, SHARE, STEP))]
        if setting == LANGUAGE:
            # A checkpoint's step may be 0, which has no logarithm.
            spoken = [pair for pair in _pairs(cell, SPOKEN, BY) if pair[1] > 0]
            lines.append(_dots("transformer", colour(1), spoken, marker="diamond"))
        law = _pairs(cell, SHARE, PREDICTED)
        if law and setting != CONTROL:
            lines.append(_line(law))
        blocks.append(
            chart(
                f"frequency-{len(blocks)}",
                setting,
                lines,
                x="share of contexts that know the concept",
                y=f"steps until linearity {LEVEL:g}",
                log_x=True,
                unit=False,
                log_y=True,
                caption="" if blocks else CAPTION,
            )
        )
    return blocks


def _line(law: list[tuple[float, float]]) -> Series:
    """One place a share: means of what is predicted at it."""
    places = sorted({round(x, 9) for x, _ in law})
    at = [[y for x, y in law if round(x, 9) == place] for place in places]
    return Series(
        name="as predicted",
        colour="--predicted",
        x=places,
        points=means([sum(each) / len(each) for each in at]),
        plain=True,
        dash="dash",
    )


def _dots(name: str, shade: str, pairs: list[tuple[float, float]], marker: str = "circle") -> Series:
    x, y = [at for at, _ in pairs], [at for _, at in pairs]
    return Series(name=name, colour=shade, x=x, points=means(y), plain=True, joined=False, marker=marker)


def _pairs(cell: Numbers, first: str, second: str) -> list[tuple[float, float]]:
    """Two numbers of every concept and run that has both."""
    found: list[tuple[float, float]] = []
    for concept in range(MOST):
        x = by_run(cell, f"{first}.{concept}").tolist()
        y = by_run(cell, f"{second}.{concept}").tolist()
        found += [pair for pair in zip(x, y, strict=True) if not math.isnan(sum(pair))]
    return sorted(found)


EXPERIMENT = Experiment(
    name="frequency",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="slope", measure=SLOPE, write=short),
        Column(title="predicted", measure=LAW, write=short),
        Column(title="steps over predicted", measure=RATIO, write=short),
        Column(title="in the end", measure=FINAL),
        LINEARITY_G,
        EXCESS,
    ),
    extra=frequency_rows,
)
