"""C2: the binary classification hidden in next-token loss, its direction and its rate."""

import math

import torch
from torch import Tensor

from linrep.paper.claims.bench import Bench, per_run, tables, trial
from linrep.paper.claims.verdict import Claim, Rule, Trial, estimate
from linrep.seeds import generator
from linrep.theory.hidden_classification import descend_fixed, descend_joint, joint_rate
from linrep.theory.max_margin import HardMargin, hard_margin
from linrep.theory.next_token_svm import direction_cosine, next_token_margin, settling_constant
from linrep.worlds.contexts import conditional

RATE = Rule(kind="near", bound=0.1, target=1.0)
"""Measured over predicted constant."""
REACHED = Rule(kind="at least", bound=0.95, target=1.0)
POINTS, DIM = 8, 4
LEAST_MARGIN = 0.25
"""Problems of a smaller margin take too many steps to reach late times."""
CLEAR = 0.25
"""How clear it must be which points support: least over largest dual, and how far the others stand off."""
STEP = 0.2
"""Normalised step of problems with fixed embeddings."""
JOINT_LATE = 400.0
"""ln t at which jointly trained problems are looked at."""
SLACK = 0.3
"""Half-width allowed to levels of logits on a support, in margins: training meets them only in the limit."""


def claim(bench: Bench) -> Claim:
    """Test C2 on isolated problems and on trained tables."""
    return Claim(
        id="C2",
        short="max margin",
        title="Gradient descent finds max-margin directions, so concepts become linear",
        statement="For a known concept next-token loss acts like exponential loss on a margin. With "
        "embeddings fixed, Δg_i turns to the hard-margin direction, whatever c was; with all trained, "
        "cos(w_1 − w_0, v) → 1 as 1/ln² t.",
        trials=(*_isolated(bench), *_margins(bench), *_linear(bench)),
    )


def _isolated(bench: Bench) -> tuple[Trial, ...]:
    """Rates of isolated problems against their predicted constants."""
    count, late = bench.scale.seeds, bench.scale.late
    drawn = (late, POINTS, DIM, LEAST_MARGIN, CLEAR, STEP)

    def fixed(spans: bool) -> list[float | None]:
        name = f"fixed-{'spanning' if spans else 'not-spanning'}"
        return bench.compute(name, count, lambda seed: _fixed(seed, spans, late), *drawn)

    def joint(trained: bool) -> list[float | None]:
        name = f"joint-{'trained' if trained else 'embeddings-fixed'}"
        return bench.compute(name, count, lambda seed: _joint(seed, trained), JOINT_LATE)

    angle = f"angle · ln t / predicted constant, at ln t = {late:g}"
    falls = f"(1 − cos) · ln² t / predicted C, at ln t = {JOINT_LATE:g}"
    points = f"{POINTS} random points in R^{DIM}, embeddings fixed"
    spanning = "support vectors that span the data (for the rate)"
    trained = "embeddings trained too (for the direction w_1 − w_0)"
    starts = "w_1, w_0, v from random starts in R^8"
    return (
        _isolated_trial(points, angle, fixed(True)),
        _isolated_trial(f"{points}, support vectors do not span them", angle, fixed(False)).control(
            breaks=spanning
        ),
        _isolated_trial(f"{starts}, all trained", falls, joint(True)),
        _isolated_trial(f"{starts}, w_1 and w_0 held fixed", falls, joint(False)).control(breaks=trained),
    )


def _isolated_trial(name: str, quantity: str, values: list[float | None]) -> Trial:
    return Trial(name=name, quantity=quantity, experiments=(), measured=estimate(values), rule=RATE)


def _margins(bench: Bench) -> tuple[Trial, ...]:
    """Trained unembeddings against the max-margin ones for their embeddings, and for those of another run."""
    svm, result = "cosine of g with its next-token SVM", bench.run("margins")
    own, other = _svm(bench, 0), _svm(bench, 1)
    return (
        trial(result, "margins", "trained tables", svm, own, REACHED),
        trial(
            result, "margins", "trained tables against the SVM of another run", svm, other, REACHED
        ).control(),
    )


def _linear(bench: Bench) -> tuple[Trial, ...]:
    """What follows for whole tables: one direction a concept."""

    def linearity(experiment: str, name: str) -> Trial:
        result = bench.run(experiment)
        record = result.summary.final.linearity["unembedding"]
        values = per_run(result, record)
        return trial(result, experiment, name, "linearity of g", values, REACHED, null=record.null)

    return (
        linearity("narrow", "k = m"),
        linearity("wide", "k ≫ m").control(breaks="k = m (for linearity)"),
    )


def _problem(seed: int, spans: bool) -> tuple[Tensor, HardMargin, Tensor]:
    """Random separable points whose support vectors span them, or not, and a random start."""
    draw = generator(seed, "isolated", int(spans))
    while True:
        separator = torch.randn(DIM, generator=draw, dtype=torch.float64)
        points = torch.randn(POINTS, DIM, generator=draw, dtype=torch.float64)
        points = points * torch.sign(points @ separator)[:, None]
        margin = hard_margin(points)
        if margin.margin < LEAST_MARGIN or not _clear(points, margin):
            continue
        if (settling_constant(points, margin).constant is not None) == spans:
            return points, margin, torch.randn(DIM, generator=draw, dtype=torch.float64)


def _clear(points: Tensor, margin: HardMargin) -> bool:
    """Near ties settle at times no computer reaches."""
    duals, rest = margin.duals[margin.support], points[~margin.support] @ margin.direction
    return bool(duals.min() > CLEAR * duals.max()) and bool((rest > 1 + CLEAR).all())


def _fixed(seed: int, spans: bool, late: float) -> float:
    points, margin, start = _problem(seed, spans)
    # Where the support vectors do not span, the formula is applied as if they were all there is.
    found = settling_constant(points, margin)
    if not spans:
        supporting = points[margin.support]
        found = settling_constant(supporting, hard_margin(supporting))
    if not found.constant:
        return math.nan
    time = math.exp(late)
    reached = descend_fixed(points, start, step=STEP, times=[time], normalised=True)
    if not reached.complete:
        return math.nan
    cosine = torch.nn.functional.cosine_similarity(reached.parameters[0, 0], margin.direction, dim=0)
    return float(cosine.clamp(-1, 1).arccos() * reached.times[0].log()) / found.constant


def _joint(seed: int, trained: bool) -> float:
    draw = generator(seed, "joint")
    one, zero, steering = torch.randn(3, 8, generator=draw, dtype=torch.float64)
    time = math.exp(JOINT_LATE)
    if trained:
        found = descend_joint(one, zero, steering, step=0.002, times=[time], normalised=True)
        if not found.complete:
            return math.nan
        vectors = found.parameters[0]
    else:
        held = descend_fixed(torch.stack([one, -zero]), steering, step=0.1, times=[time], normalised=True)
        if not held.complete:
            return math.nan
        vectors = torch.stack([one, zero, held.parameters[0, 0]])
    missing = 1 - torch.nn.functional.cosine_similarity(vectors[0] - vectors[1], vectors[2], dim=0)
    return float(missing) * JOINT_LATE**2 / float(joint_rate(vectors))


def _svm(bench: Bench, shift: int) -> list[float | None]:
    """Cosine of each run's g with the next-token SVM for the embeddings of the run ``shift`` places on."""
    result = bench.run("margins")
    runs = len(result.worlds)

    def cosine(run: int) -> float:
        other = (run + shift) % runs
        embedding, _ = tables(result, other)
        found = next_token_margin(embedding, conditional(result.worlds[other]) > 0, slack=SLACK)
        return direction_cosine(tables(result, run)[1], found.unembedding) if found.exists else math.nan

    return bench.compute(f"next-token-svm-{shift}", runs, cosine, result.key, SLACK)
