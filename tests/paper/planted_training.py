"""Planted numbers of the experiments about training itself: rates, methods, what is left out of the data."""

import math
from collections.abc import Callable
from typing import Any

from linrep.paper import all_or_none as shared
from linrep.paper import deletion as deleted
from linrep.paper import frequency as often
from linrep.paper import superposition as packed
from linrep.paper.implicit_bias import ANGLE, GROWTH
from linrep.paper.incomplete import PRICE
from linrep.paper.order import MODE, PREDICTED, RANK, RATIO, SLOPE, SUPPORT
from linrep.paper.synonyms import LINEAR, SHARE
from linrep.paper.synonyms import PREDICTED as SHARE_PREDICTED
from linrep.sweeps.numbers import Numbers
from linrep.theory.equivalence import must_agree

from .planted import ALIGNMENT, EXCESS, GAP, MARGIN, F, G, numbers, scattered

RUNS = 8
TIME = ("time", "")


def implicit_bias(
    turns: float, growth: float = 1.0, *, apart: float = 0.0, dependent: float | None = None, left: int = 0
) -> Numbers:
    """Angles that go like the margin to the power of ``turns``, of ``dependent`` concepts to another."""
    angle, cells = (ANGLE, "unembedding"), {}
    for world, power in (("independent", turns), ("dependent", turns if dependent is None else dependent)):
        for step, margin in (("100", 5.0), ("1000", 7.0), ("10000", 10.0)):
            # Apart at one margin only: there, runs differ in their slopes.
            width = apart if step == "10000" else 0.0
            cells[world, step] = {
                angle: scattered((margin / 5.0) ** power, width * (margin / 5.0) ** power),
                MARGIN: [0.0, 2.0, 4.0, margin],
                (GROWTH, ""): growth,
                TIME: [0.0, 10.0, 100.0, 1000.0],
            }
    axes = {"concepts": ["independent", "dependent"], "training.steps": ["100", "1000", "10000"]}
    return numbers(axes, cells, null={angle: 90.0}, runs=RUNS, held=dict.fromkeys(cells, left))


def kept(half: float, *, f: float | None = None, apart: float = 0.0, left: int = 0) -> Numbers:
    """Linearity of g (and of f, and alignment) with half of all, 0.98 with more, where runs may be apart."""

    def cell(value: float, other: float, width: float = 0.0) -> dict[tuple[str, str], Any]:
        lines = dict.fromkeys((G, F, ALIGNMENT), scattered(value, width))
        return {**lines, F: scattered(other, width), GAP: 0.1, (PRICE, ""): 0.004}

    cells = {
        ("0.1",): cell(0.2, 0.2),
        ("0.5",): cell(half, half if f is None else f, apart),
        ("0.75",): cell(0.98, 0.98),
        ("1.0",): cell(0.98, 0.98),
    }
    axes = {"kept": ["0.1", "0.5", "0.75", "1.0"]}
    return numbers(axes, cells, null={G: 0.0, GAP: 0.6}, runs=RUNS, held={("0.5",): left})


def log_odds(later: float, *, apart: float = 0.0, left: int = 0) -> Numbers:
    """Both curves alike, that of the log-odds at ``later`` times the time; ``apart`` in logarithms."""

    def clock(run: int) -> list[float]:
        return [0.0, 10.0, 100.0, 1000.0]

    def gap(run: int) -> list[float]:
        # Straight in ln t between looks at 10, 100 and 1,000, moved by a share of a decade.
        moved = later * (1 + apart * (1 - 2 * (run % 2)))
        return [1.0, 1.0 - 0.45 / moved, 1.0 - 0.85 / moved, 0.0]

    linear = [0.0, 0.45, 0.85, 0.95]
    one: dict[tuple[str, str], Any] = {G: linear, GAP: gap, ALIGNMENT: 0.9, TIME: clock}
    other = {key: value for key, value in one.items() if key != TIME}
    axes = {"method": ["GD", "Adam"]}
    cells = {("GD",): one, ("Adam",): other}
    null = {GAP: [1.0] * 4, G: [0.0] * 4}
    return numbers(axes, cells, null=null, runs=RUNS, held=dict.fromkeys(cells, left))


def optimizers(adam: float, *, apart: float = 0.0, aligned: float | None = None, left: int = 0) -> Numbers:
    """Step 2 is each method's best; on the seeds that judge, step 1 would have looked better."""
    steps, methods = ("1", "2"), {"GD": 0.97, "SGD, batch 30": 0.97, "Adam": adam}
    axes = {
        "seeds": ["to choose the step", "to judge"],
        "method": [f"{method}, step {step}" for method in methods for step in steps],
    }
    cells: dict[tuple[str, ...], Any] = {}
    held: dict[tuple[str, ...], int] = {}
    for seeds in axes["seeds"]:
        for method, value in methods.items():
            for step in steps:
                label, best = (seeds, f"{method}, step {step}"), step == "2"
                width = apart if method == "Adam" else 0.0
                straight = scattered(value if best else 0.5, width if best else 0.0)
                same = 0.97 if aligned is None or method != "Adam" else aligned
                cells[label] = {G: straight, F: 0.9, ALIGNMENT: same, EXCESS: 0.004}
                chooses = seeds == "to choose the step"
                held[label] = (0 if best else 4) if chooses else (left if best else 0)
    return numbers(axes, cells, null={G: 0.0, ALIGNMENT: 0.0}, runs=RUNS, held=held)


def overfitting(
    slope: float,
    level: float = 0.1,
    *,
    apart: float = 0.0,
    zero: float = 3.0,
    rising: tuple[int, ...] = (100,),
    left: int = 0,
) -> Numbers:
    """Sampling adds a gap of N to the ``slope`` to the ``level`` of the true distribution."""
    falls, rises = [2.0, 1.0, 0.5, 0.1], [2.0, 1.0, 0.5, 1.5]

    def gap(n: int) -> Callable[[int], float]:
        def of(run: int) -> float:
            # Runs differ in their slopes, and in their levels too.
            own, base = slope + apart * (1 - 2 * (run % 2)), level * (1 + 0.1 * run)
            return math.hypot(base, 2.0 * (n / 1000) ** own)

        return of

    sizes = (100, 1000, 10_000, 100_000, 1_000_000)
    cells: dict[tuple[str, ...], Any] = {
        (str(n),): {GAP: gap(n), EXCESS: rises if n in rising else falls, G: 0.9} for n in sizes
    }
    cells["true distribution",] = {GAP: lambda run: level * (1 + 0.1 * run), EXCESS: falls, G: 0.95}
    held = {("true distribution",): left}
    return numbers(
        {"pairs": [label for (label,) in cells]}, cells, null={G: 0.0, GAP: zero}, runs=RUNS, held=held
    )


def order(slope: float, *, apart: float = 0.0, lost: float = 0.1, left: int = 0) -> Numbers:
    """Ranked at 0.9, and at ``lost`` from a start that is long already; slopes of runs ``apart``."""

    def cell(rank: float) -> dict[tuple[str, str], Any]:
        whole = {RANK: rank, SUPPORT: 0.5, SLOPE: scattered(slope, apart), RATIO: 1.0}
        modes = {f"{name}.{mode}": 10.0 * (mode + 1) for mode in range(3) for name in (MODE, PREDICTED)}
        return {(name, ""): value for name, value in (whole | modes).items()}

    cells = {("equal weights",): cell(0.9), ("start 0.3",): cell(lost)}
    axes = {"setting": [label for (label,) in cells]}
    return numbers(
        axes,
        cells,
        null={(RANK, ""): 0.0, (f"{MODE}.0", ""): 5.0},
        runs=RUNS,
        held={("equal weights",): left},
    )


def deletion(end: float, *, apart: float = 0.0, told: float = 0.01, left: int = 0) -> Numbers:
    """It ends at ``end`` where no context leaves both tokens, as long as ``told`` where none tells it."""

    def cell(value: float, length: float, width: float = 0.0) -> dict[tuple[str, str], Any]:
        whole: dict[str, Any] = {deleted.STRAIGHT: scattered(value, width), deleted.EARLY: 0.95}
        whole |= {deleted.SOLVED: 0.9, deleted.EIGEN: 0.5, deleted.RATIO: 1.0, deleted.SHARE: length}
        whole |= {deleted.STEP: 100.0, deleted.PREDICTED: 99.0}
        return {(name, ""): value for name, value in whole.items()}

    cells = {
        (deleted.FAIR, deleted.NOTHING): cell(0.98, 1.0),
        (deleted.FAIR, deleted.ALONE): cell(0.98, 1.0),
        (deleted.FAIR, deleted.BOTH): cell(end, 1.0, apart),
        (deleted.FAIR, deleted.CONTROL): cell(0.0, told),
    }
    axes = {
        "world": [deleted.FAIR],
        "deleted": [deleted.NOTHING, deleted.ALONE, deleted.BOTH, deleted.CONTROL],
    }
    null = {(deleted.STRAIGHT, ""): 0.0}
    return numbers(axes, cells, null=null, runs=RUNS, held={(deleted.FAIR, deleted.BOTH): left})


def synonyms(exact: float, *, merged: float = 0.9, apart: float = 0.0, control: float = 0.5) -> Numbers:
    """R² of ``exact`` where tokens have one meaning, of ``merged`` where 0.9 was predicted."""

    def cell(share: float, predicted: float, width: float = 0.0) -> dict[tuple[str, str], Any]:
        whole = {SHARE: scattered(share, width), SHARE_PREDICTED: predicted, LINEAR: 0.3}
        return {**{(name, ""): value for name, value in whole.items()}, G: 0.3}

    cells = {
        ("a token each",): cell(exact, 1.0),
        ("half merged",): cell(merged, 0.9, apart),
        ("parity alone",): cell(control, control),
        ("known, a token each",): {G: 0.97, ALIGNMENT: 0.98},
        ("known, a quarter merged",): {G: 0.7, ALIGNMENT: 0.8},
    }
    axes = {"setting": [label for (label,) in cells]}
    return numbers(axes, cells, null={(SHARE, ""): 0.1}, runs=RUNS)


def frequency(
    fall: float,
    *,
    apart: float = 0.0,
    exponent: float = 1.0,
    final: float = 0.0,
    dealt: float = 0.0,
    left: int = 0,
) -> Numbers:
    """Steps like the share to the power of ``fall`` (predicted -1.3), in a language by ``exponent``."""

    def cell(slope: Any, names: dict[str, Any]) -> dict[tuple[str, str], Any]:
        whole = {often.SLOPE: slope, **names}
        for concept in range(4):
            share = 0.6 * 2.0**-concept
            steps = {often.STEP: 10 / share, often.PREDICTED: 10 / share, often.SHARE: share}
            whole |= {f"{name}.{concept}": value for name, value in steps.items()}
        return {(name, ""): value for name, value in whole.items()}

    def spoken(concept: int, name: str) -> Callable[[int], float]:
        def of(run: int) -> float:
            count = 1000.0 * 2.0 ** -(concept + run / 10)
            at = 100.0 * (1000.0 / count) ** exponent
            return {
                often.COUNT: count,
                often.SPOKEN: count / 2000,
                often.AFTER: 0.95 * at,
                often.BY: 1.05 * at,
            }[name]

        return of

    language = {
        f"{name}.{i}": spoken(i, name)
        for i in range(4)
        for name in (often.COUNT, often.SPOKEN, often.AFTER, often.BY)
    }
    cells = {
        ("8 times",): cell(scattered(fall, apart), {often.LAW: -1.3, often.RATIO: 1.0}),
        ("dependent, 8 times",): cell(-1.6, {}),
        ("equally often",): cell(dealt, {often.LAW: 0.0}),
        ("in the end",): {(often.FINAL, ""): final},
        ("a language",): cell(-0.5, language),
    }
    axes = {"setting": [label for (label,) in cells]}
    return numbers(axes, cells, runs=RUNS, held={("8 times",): left})


def superposition(held: float, *, apart: float = 0.0, talk: float = 0.2, dense: float = 2.0) -> Numbers:
    """So many of 64 concepts are read out of 16 dimensions, and ``dense`` where half of them are on."""

    def cell(count: float, width: float = 0.0) -> dict[tuple[str, str], Any]:
        whole: dict[str, Any] = {packed.HELD: scattered(count, width), packed.TALK: talk, packed.ERROR: 0.05}
        whole |= {packed.SHARED: 0.1, packed.LEAST: 0.15, packed.CHANCE: 0.25, packed.FORETOLD: 0.06}
        whole |= {packed.WIDTH: 16.0, packed.CONCEPTS: 64.0}
        return {(name, ""): value for name, value in whole.items()}

    narrow, control = "k = 16", f"{packed.CONTROL}, k = 16"
    cells = {(narrow,): cell(held, apart), (control,): cell(dense)}
    null = {(name, ""): 1.0 for name in (packed.HELD, packed.TALK, packed.ERROR)}
    return numbers({"setting": [narrow, control]}, cells, null=null, runs=RUNS)


def all_or_none(
    free: float, *, apart: float = 0.0, must: float = 0.001, another: float = 0.4, left: int = 0
) -> Numbers:
    """Measures that must agree differ by ``must``, others by ``free``, all by ``another`` in the control."""
    whole: dict[tuple[str, str], Any] = {
        (shared.COMPLEXITY, ""): 4.0,
        (shared.DIVERGENCE, shared.CONTROL): 0.1,
    }
    for name, other in (*shared.OTHERS.items(), (shared.CONTROL, None)):
        whole |= {(shared.WIDTH, name): 4.0 + (other.wider if other else 0)}
        for measure, kind in shared.INVARIANCE.items():
            agrees = other and must_agree(kind, diverse=not other.wider, one_gauge=other.small)
            value = must if agrees else scattered(free, apart)
            whole |= {(f"{shared.PREFIX}.{measure}", name): value if other else another}
    return numbers({"world": ["random"]}, {("random",): whole}, runs=RUNS, held={("random",): left})


PLANTED_TRAINING = {
    "superposition": (superposition(40.0), superposition(17.0, apart=8.0), superposition(8.0)),
    "all-or-none": (all_or_none(0.2), all_or_none(0.06, apart=0.05), all_or_none(0.01)),
    "deletion": (deletion(0.95), deletion(0.85, apart=0.1), deletion(0.5)),
    "frequency": (frequency(-1.3), frequency(-1.3, apart=0.5), frequency(-0.5)),
    "implicit-bias": (
        implicit_bias(-1.0),
        implicit_bias(-1.0, apart=0.9),
        implicit_bias(-1.0, dependent=0.5),
    ),
    "incomplete-contexts": (kept(0.97), kept(0.93, apart=0.05), kept(0.5)),
    "incomplete-tokens": (kept(0.97), kept(0.93, apart=0.05), kept(0.97, f=0.5)),
    "log-odds": (log_odds(3.0), log_odds(1.05, apart=0.3), log_odds(0.7)),
    "order": (order(1.0), order(1.0, apart=0.5), order(0.5)),
    "overfitting": (overfitting(-0.5), overfitting(-0.5, apart=0.2), overfitting(-0.2)),
    "synonyms": (synonyms(1.0), synonyms(1.0, apart=0.05), synonyms(0.95)),
    "optimizers": (optimizers(0.96), optimizers(0.93, apart=0.05), optimizers(0.8)),
}
"""A yes, an undecided and a no of each."""
