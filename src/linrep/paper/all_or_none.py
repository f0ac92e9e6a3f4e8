"""Models of one distribution, from other starts and of other widths: which measures agree between them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep import geometry
from linrep.intervals import Effect, average
from linrep.linalg import whiten
from linrep.page.chart import Series, chart, colour
from linrep.page.numbers import cosine, listed, short
from linrep.page.shell import Block
from linrep.paper.effects import Held, above, below, judged
from linrep.paper.paired import by_run
from linrep.paper.record import ALIGNMENT, EXCESS, LINEARITY_G, Answer, Column, Experiment, nothing
from linrep.population.empirical import EmpiricalPopulation
from linrep.population.gradient import Population, population_gradient
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.sweeps.numbers import Numbers, Row, spread
from linrep.theory.equivalence import Invariance, effective_complexity, linear_map, must_agree
from linrep.theory.gauge import balanced_gauge
from linrep.training.monotone import Monotone
from linrep.training.schedule import schedule
from linrep.training.state import start
from linrep.training.training import train
from linrep.training.until import Until

WORLD, PREFIX = "world", "all_or_none"
DIVERGENCE, COMPLEXITY, WIDTH = f"{PREFIX}.divergence", f"{PREFIX}.complexity", f"{PREFIX}.width"
"""KL in nats from a run's distribution, its effective complexity, a width; the table names the model."""
EQUAL, AIM = 1e-6, 1e-8
"""Nats: divergence up to which a distribution counts as equal, and at which training ends."""
SAME, STEPS = 0.05, 20_000
ADAM_STEPS, ADAM_STEP_SIZE = 5000, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """How a further model is trained."""

    scale: float
    wider: int = 0
    """Dimensions more than the run's."""
    adam: bool = False
    small: bool = False
    """Whether descent from it keeps the balanced gauge."""


OTHERS = {
    "small start": Other(scale=0.01, small=True),
    "large start": Other(scale=1.0),
    "Adam": Other(scale=0.05, adam=True),
    "wider, small start": Other(scale=0.01, wider=2, small=True),
    "wider, large start": Other(scale=1.0, wider=2),
}
"""Models that learn a run's distribution."""
CONTROL = "another"
"""The same world from a small start to the same loss: as good a model, of another distribution."""
INVARIANCE: dict[str, Invariance] = {
    "log-odds": "logits",
    "linearity g, balanced": "logits",
    "alignment, balanced": "logits",
    "overlap g, balanced": "logits",
    "linear map of g": "linear",
    "linearity g, causal": "linear",
    "alignment, causal": "linear",
    "overlap g, causal": "linear",
    "linearity g": "rotation",
    "linearity f": "rotation",
    "alignment": "rotation",
    "overlap g": "rotation",
}
"""What leaves each measure as it is."""
GROUPS: tuple[Invariance, ...] = ("logits", "linear", "rotation")
KINDS = {"logits": "of logits", "linear": "of linear maps", "rotation": "of rotations"}
RULE = (
    f"Models that come to {EQUAL:g} nats of a run's distribution or nearer are held against it: the "
    "difference of each measure, mean over concepts (of log-odds: its root mean square over that of the "
    "run's). Measures go by what leaves them as they are: what leaves the logits, linear maps, rotations. "
    f"“Yes” if, of every model and kind, the largest difference is below {SAME:g} where theory says that it "
    "must agree and above where nothing keeps it, “no” if one is not, by 95 % intervals; and “undecided” "
    "unless the same measures differ by more from a model of another distribution that is as good."
)
CAPTION = "Mean over runs, 10–90 %; models of the run's own distribution, and another that is as good."


def all_or_none_rows(result: Result) -> Iterator[Row]:
    """Of each run and further model: divergence, complexity, and the difference of every measure."""
    last, worlds = result.snapshot_steps[-1], result.worlds
    if not all(bool(table.isfinite().all()) for table in (result.embedding, result.unembedding)):
        return
    f, g = result.embedding.double(), result.unembedding.double()
    true = Population.of(worlds)
    own = EmpiricalPopulation.of_conditionals(true, (f @ g.mT).log_softmax(-1).exp())
    pairs = [geometry.counterfactual_pairs(world.token_codes) for world in worlds]
    contexts = [geometry.counterfactual_pairs(world.codes) for world in worlds]
    before = [readings(f[run], g[run], contexts[run], pairs[run]) for run in range(len(worlds))]
    for run in range(len(worlds)):
        yield last, run, COMPLEXITY, "", "value", float(effective_complexity(f[run], g[run]))
    for name, other in {**OTHERS, CONTROL: Other(scale=0.01, small=True)}.items():
        learned = true if name == CONTROL else own
        other_f, other_g = _trained(result, learned, other, control=name == CONTROL)
        divergence = population_gradient(own, other_f, other_g).excess_loss
        for run in range(len(worlds)):
            yield last, run, DIVERGENCE, name, "value", float(divergence[run])
            if name != CONTROL and not float(divergence[run]) <= EQUAL:
                continue
            yield last, run, WIDTH, name, "value", float(other_f.shape[2])
            after = readings(other_f[run], other_g[run], contexts[run], pairs[run])
            fit = linear_map(g[run], other_g[run]).unexplained
            for measure, value in _differences(before[run], after, fit):
                yield last, run, f"{PREFIX}.{measure}", name, "value", value


def _trained(
    result: Result, learned: Population, other: Other, *, control: bool
) -> tuple[Float64[Tensor, "runs contexts dim"], Float64[Tensor, "runs tokens dim"]]:
    """Tables of every run that learn a distribution; of as many steps as a run's own in tiny experiments."""
    runs, training = len(result.worlds), result.config.training
    steps = min(ADAM_STEPS if other.adam else STEPS, 10 * training.steps)
    dim = (result.config.model.dim or 0) + other.wider
    state = start(
        learned,
        dim,
        init_scale=other.scale,
        optimizer="adam" if other.adam else "gd",
        # Streams that the runs' own starts do not use.
        generators=[generator(result.config.seed, "other start", run) for run in range(runs)],
        order=generator(result.config.seed, "order"),
        adaptive=None if other.adam else Monotone.fresh(runs),
    )
    training_ends = Until(excess=training.until_excess if control else AIM)
    rate = schedule("cosine", ADAM_STEP_SIZE, steps, 0.0)
    for _ in train(
        learned,
        state,
        optimizer="adam" if other.adam else "gd",
        schedule=rate,
        steps=steps,
        until=training_ends,
    ):
        pass
    return state.embedding, state.unembedding


Readings = dict[str, Float64[Tensor, " numbers"]]


def readings(
    f: Float64[Tensor, "contexts dim"],
    g: Float64[Tensor, "tokens dim"],
    contexts: geometry.Pairs,
    tokens: geometry.Pairs,
) -> Readings:
    """Every measure of one model: a number a concept, of log-odds a number a context and pair of tokens.

    Args:
        f: Embeddings.
        g: Unembeddings.
        contexts: Pairs of contexts that differ in one concept.
        tokens: Likewise of tokens.
    """
    found: Readings = {"log-odds": (f @ (g[tokens.high] - g[tokens.low]).T).flatten()}
    white = whiten(g, centre=True).matrix
    even = balanced_gauge(f, g)
    for suffix, each_f, each_g in (
        ("", f, g),
        (", causal", torch.linalg.solve(white, f.T).T, g @ white),
        (", balanced", even.embedding, even.unembedding),
    ):
        moments = geometry.steering_moments(each_g, tokens, second=False)
        other = geometry.steering_moments(each_f, contexts, second=False)
        found[f"linearity g{suffix}"] = geometry.linearity(moments)
        found[f"linearity f{suffix}"] = geometry.linearity(other)
        found[f"alignment{suffix}"] = geometry.alignment(other, moments)
        overlap = geometry.orthogonality_mean(moments)[0]
        found[f"overlap g{suffix}"] = overlap[*torch.triu_indices(*overlap.shape, offset=1)]
    return found


def _differences(before: Readings, after: Readings, fit: float) -> Iterator[tuple[str, float]]:
    for measure in INVARIANCE:
        if measure == "linear map of g":
            yield measure, fit
        elif measure == "log-odds":
            own = before[measure]
            yield measure, float((after[measure] - own).square().mean().sqrt() / own.square().mean().sqrt())
        else:
            yield measure, float((after[measure] - before[measure]).abs().nanmean())


def answer(numbers: Numbers) -> Answer:
    """Of every model and kind of measure the largest difference, against what theory says of it."""
    effects: list[Held] = []
    for name, other in OTHERS.items():
        complexity, width = _pooled(numbers, COMPLEXITY), _pooled(numbers, WIDTH, name)
        diverse = bool((complexity == width)[~width.isnan()].all())
        for kind in GROUPS:
            largest = _largest(numbers, name, kind)
            bound = below if must_agree(kind, diverse=diverse, one_gauge=other.small) else above
            effects.append(bound(f"measures {KINDS[kind]}, {name}", largest, SAME, cosine))
    control = [
        above(f"measures {KINDS[kind]}, {CONTROL}", _largest(numbers, CONTROL, kind), SAME, cosine)
        for kind in GROUPS[:2]
    ]
    if not any(held.effect.runs[0] for held in effects):
        return nothing(RULE)
    words = ("yes", "no", "undecided")
    agreed, differed, unsure = (listed(_standing(numbers, word)) or "none" for word in words)
    another = average(_pooled(numbers, DIVERGENCE, CONTROL))
    return Answer(
        standing=judged(effects) if judged(control) == "yes" else "undecided",
        finding=f"in every model within {EQUAL:g} nats of one distribution agree {agreed}; not {differed}; "
        f"undecided {unsure}. {_extremes(effects)} Another model of the world, as good, lies "
        f"{short(another.value)} nats away and differs by {listed([held.measured for held in control])}.",
        rule=RULE,
        effects=(*effects, *control),
        would_change="A model of a run's distribution in which a measure that must agree does not, or one "
        "from a start that keeps no gauge in which every cosine is as before.",
    )


def _extremes(effects: list[Held]) -> str:
    """Of each kind the largest difference where it must agree, and the least where nothing keeps it."""
    said: list[str] = []
    for kind in GROUPS:
        own = [held for held in effects if held.name.startswith(f"measures {KINDS[kind]},")]
        own.sort(key=_value)
        must = [held for held in own if math.isinf(held.claimed[0])]
        free = [held for held in own if held not in must]
        ends = [_end(held, "at most", "where they must agree") for held in must[-1:]]
        ends += [_end(held, "at least", "elsewhere") for held in free[:1]]
        said.append(f"Measures {KINDS[kind]} differ by {listed(ends)}.")
    return " ".join(said)


def _value(held: Held) -> float:
    return held.effect.value


def _end(held: Held, words: str, where: str) -> str:
    return f"{words} {held.measured} {where} ({held.name.partition(', ')[2]})"


def _pooled(numbers: Numbers, measure: str, name: str = "") -> Float64[Tensor, " runs"]:
    """Of the runs of all worlds, one after another; NaN where a run has none."""
    found: list[Tensor] = []
    for _, cell in numbers.each(WORLD):
        own = by_run(cell, COMPLEXITY)
        here = by_run(cell, measure, name)
        found.append(torch.cat([here, torch.full((len(own) - len(here),), math.nan, dtype=torch.float64)]))
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64)


def _largest(numbers: Numbers, name: str, kind: Invariance) -> Effect:
    """Mean over runs of the largest difference of that kind."""
    own = [measure for measure, group in INVARIANCE.items() if group == kind]
    found = torch.stack([_pooled(numbers, f"{PREFIX}.{measure}", name) for measure in own])
    return average(found.amax(0), (0.0, math.inf))


def _standing(numbers: Numbers, word: str) -> list[str]:
    """Measures that agree in all models of one distribution (yes), in not all (no), or undecided."""
    found: list[str] = []
    for measure in INVARIANCE:
        differences = [
            below("", average(_pooled(numbers, f"{PREFIX}.{measure}", name), (0.0, math.inf)), SAME)
            for name in OTHERS
        ]
        if judged(held for held in differences if held.effect.runs[0]) == word:
            found.append(measure)
    return found


def figures(numbers: Numbers) -> list[Block]:
    """The difference of each measure, a line a model, in each world."""
    blocks: list[Block] = []
    for world, cell in numbers.each(WORLD):
        lines = [
            Series(
                name=name,
                colour="--null" if name == CONTROL else colour(index),
                x=list(INVARIANCE),
                points=[spread(by_run(cell, f"{PREFIX}.{measure}", name).numpy()) for measure in INVARIANCE],
                joined=False,
            )
            for index, name in enumerate((*OTHERS, CONTROL))
        ]
        blocks.append(
            chart(
                f"all-or-none-{len(blocks)}",
                world,
                lines,
                x="measure, by what leaves it as it is",
                y="difference",
                size="wide",
                caption="" if blocks else CAPTION,
            )
        )
    return blocks


EXPERIMENT = Experiment(
    name="all-or-none",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="log-odds, large start", measure=f"{PREFIX}.log-odds", table="large start"),
        Column(title="causal, large start", measure=f"{PREFIX}.alignment, causal", table="large start"),
        Column(title="alignment, large start", measure=f"{PREFIX}.alignment", table="large start"),
        LINEARITY_G,
        ALIGNMENT,
        EXCESS,
    ),
    extra=all_or_none_rows,
)
