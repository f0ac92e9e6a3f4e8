"""A history of checkpoints in plain words, each sentence from its numbers."""

from collections.abc import Callable, Sequence

import torch

from linrep.llm import EmergenceResult
from linrep.llm.history.by_frequency import ByFrequency
from linrep.llm.history.emerged import WORDS, Emerged, Look, emergence_of
from linrep.llm.history.laboratory import TableHistory
from linrep.llm.history.order import rank_correlation
from linrep.llm.history.profile import Ends
from linrep.page.lm.view import INNER
from linrep.page.numbers import cosine, count, finite, listed, short
from linrep.page.scale import RULE, Scale, counted
from linrep.page.shell import Line
from linrep.seeds import generator

NAMED = 6
THRESHOLDS = (
    *RULE,
    "A concept is a direction at a checkpoint when the 95 % interval of its linearity lies above the 97.5 % "
    "quantile of random pairs. It has emerged at the first checkpoint from which on that holds at every "
    "other.",
    "The interval of a rank correlation is a test turned round: it holds every correlation under which "
    "one as "
    "high, and one as low, is seen in at least 2.5 % of draws. Chance is 0, no order.",
    "Exponent and number of occurrences: by maximum likelihood of what checkpoints bracket, the interval by "
    "profile, cut where Student's would end.",
)
SUBJECTS = {"words": "Word pairs", "contexts": "Contexts", "alignment": "Alignment of contexts with words"}


def title(result: EmergenceResult) -> str:
    """The finding in one line."""
    found = result.of()
    steps = [each.step for each in found if each.step is not None]
    if not steps:
        return f"None of {len(found)} concepts becomes a direction by step {count(result.looks[-1].step)}"
    when = (
        f"at step {count(steps[0])}"
        if min(steps) == max(steps)
        else f"between steps {count(min(steps))} and {count(max(steps))}"
    )
    said = f"{len(steps)} of {len(found)} concepts become directions {when}"
    order = result.by()
    if order is not None and order.order.interval95 is not None and order.order.interval95[0] > 0:
        said += ", commoner ones earlier"
    return said


def kicker(result: EmergenceResult) -> str:
    """What was measured."""
    looks = result.looks
    return (
        f"{result.summary['model']}, {len(looks)} checkpoints up to step {count(looks[-1].step)}, "
        f"{INNER[result.summary['inner']]}"
    )


def lines(result: EmergenceResult) -> list[Line]:
    """Every finding with its standing."""
    main = [quantity for quantity in result.quantities if quantity.words in SUBJECTS]
    said = [_emerged(SUBJECTS[quantity.words], result.of(quantity)) for quantity in main]
    for quantity in main:
        found = result.by(quantity)
        if found is not None:
            said += _by_frequency(SUBJECTS[quantity.words], found)
    if result.laboratory is not None:
        said.append(_laboratory(result.laboratory))
    return [*said, *_notes(result)]


def step_words(looks: Sequence[Look], concept: str) -> str:
    """When a concept's words emerged, or that they have not."""
    step = emergence_of(looks, WORDS, concept).step
    return "not yet" if step is None else count(step)


def _emerged(subject: str, found: Sequence[Emerged]) -> Line:
    there = [each for each in found if each.step is not None]
    detail = ""
    if there:
        ordered = sorted(there, key=lambda each: each.step or 0)
        detail = f"First {ordered[0].concept}, by step {count(ordered[0].step or 0)}"
        if len(ordered) > 1:
            detail += f"; last {ordered[-1].concept}, by step {count(ordered[-1].step or 0)}"
        detail += "."
    absent = [each.concept for each in found if each.step is None]
    if absent:
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        detail += f" Not yet: {listed(absent) if not more else ', '.join(absent[:NAMED]) + more}."
    share = counted(len(there), len(found), "emerged")
    return Line(
        there=share.there,
        scales=[share],
        claim=f"{subject}: {len(there)} of {len(found)} concepts have emerged.",
        detail=detail.strip(),
    )


def _by_frequency(subject: str, found: ByFrequency) -> list[Line]:
    order = found.order
    scale = Scale(
        name="rank correlation",
        value=finite(order.value),
        interval95=order.interval95,
        null=0.0,
        null_name="no order",
    )
    if scale.value is None:
        return [
            Line(
                there="note",
                claim=f"{subject}: no order by frequency.",
                detail="All concepts emerged at one checkpoint, or occur equally often.",
            )
        ]
    detail = f"Counts dealt anew are as strongly correlated in {short(order.p)} of orders."
    if found.law is not None:
        exponent, met = found.law.exponent, found.law.occurrences
        detail += (
            f" The step goes as the count to the power −γ, γ = {short(exponent.value)} "
            f"{_ends(exponent.interval95, short)}, where 1 is a fixed number of occurrences and 0 no "
            "part in it; "
            f"for γ = 1 that number is {_whole(met.value)} {_ends(met.interval95, _whole)}."
        )
    return [
        Line(
            there=scale.there,
            scales=[scale],
            claim=f"{subject}: commoner concepts emerge earlier.",
            detail=detail,
        )
    ]


def _whole(value: float) -> str:
    return count(round(value))


def _ends(ends: Ends, write: Callable[[float], str]) -> str:
    low, high = ("…" if end is None else write(end) for end in ends)
    return f"[{low}, {high}]"


def _laboratory(found: TableHistory) -> Line:
    steps = [emergence_of(found.looks, WORDS, name).step for name in found.concepts]
    seen = [step for step in steps if step is not None]
    detail = f"{len(seen)} of {len(steps)} concepts emerged"
    if seen:
        detail += (
            f", between steps {count(min(seen))} and {count(max(seen))} of {count(found.looks[-1].step)}"
        )
    if max(found.shares) > 1.01 * min(found.shares):
        order = rank_correlation(
            torch.tensor(found.shares, dtype=torch.float64),
            -torch.tensor([float("inf") if step is None else step for step in steps], dtype=torch.float64),
            generator=generator(0, "emergence", 3),
        )
        detail += f"; rank correlation with how often they are known {cosine(order.value)}"
    return Line(
        there="note",
        claim=f"The laboratory's tables, on {found.world}:",
        detail=f"{detail}. Shape and order can be compared, steps cannot.",
    )


def _notes(result: EmergenceResult) -> list[Line]:
    texts = dict.fromkeys(
        text for each in result.summary["measured"] for text in (*each["notes"], *each["warnings"])
    )
    return [Line(there="note", claim="Note.", detail=f"{text[:1].upper()}{text[1:]}.") for text in texts]
