"""The verdict on a run in plain words, from its numbers by rules that the page states."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from linrep.errors import many
from linrep.geometry.record import Spread
from linrep.intervals import mean_interval
from linrep.page.meanings import MEANINGS
from linrep.page.notes import absent, note, notes
from linrep.page.numbers import capital, cosine, count, listed, short
from linrep.page.scale import RULE, Scale, Standing, similarity
from linrep.page.shell import Line
from linrep.page.view import View
from linrep.runs.summary import Key, LogOdds
from linrep.worlds.network_file import stem

NAMES: Mapping[Key, str] = {
    ("linearity", "unembedding"): "linearity of g",
    ("linearity", "embedding"): "linearity of f",
    ("alignment", ""): "alignment",
    ("orthogonality.mean_directions", "unembedding"): "overlap of g",
    ("orthogonality.mean_directions", "embedding"): "overlap of f",
    ("simplex_share", "unembedding"): "energy in simplices",
    ("hierarchy_overlap", "unembedding"): "overlap with parents",
    ("log_odds_gap_nats", ""): "log-odds gap",
}
"""What a measure of a table is called beside its number."""
G: Key = ("linearity", "unembedding")
FALLING = ("orthogonality", "hierarchy", "log_odds")
"""How measures begin of which less is more."""


def thresholds(view: View) -> tuple[str, ...]:
    """By which the words of a verdict are chosen."""
    whose = [f"Means and intervals are over {view.headline.words}."] if view.headline.mixed else []
    return (*RULE, *whose, f"{capital(view.summary.ended.criterion)}.")


def title(view: View) -> str:
    """The finding in one line; where runs ended differently, of whom."""
    whose = f", in {view.headline.words}" if view.headline.mixed else ""
    found = scale(view, G)
    how = "" if found.there == "note" else f" ({found.name} {found.write(found.value)} {found.whole}{whose})"
    return f"{_finding(view, found.there)}{how}"


def _finding(view: View, there: Standing) -> str:
    name, missing = world_name(view), absent(view)
    values = _concept_values(view)
    lost = _within_chance(view)
    what = _what(view)
    if there == "note":
        return f"{name}: linearity has no value here"
    if there == "undecided":
        return f"{name}: whether {what} became linear directions is undecided"
    if there == "no":
        return f"{name}: {what} did not become linear directions"
    if missing and not lost and view.binary:
        found = f"{len(values)} of {len(view.names)} concepts became directions"
        return f"{name}: {found}; {listed(missing)} cannot"
    if missing and not lost:
        return f"{name}: {what} became directions; {listed(missing)} cannot change alone"
    if lost and len(lost) < len(values):
        those = "" if view.binary else "those of "
        return f"{name}: {what} became linear directions, but not {those}{listed(lost)}"
    return f"{name}: {what} became linear directions"


def _what(view: View) -> str:
    """What may become a direction: a concept has one if it is binary, else one for every two states."""
    return "concepts" if view.binary else "changes of state"


def world_name(view: View) -> str:
    """The world in a few words."""
    world: Mapping[str, Any] = view.config.get("world") or {}
    kind, m = str(world.get("kind", "")), len(view.names)
    if kind == "network":
        return stem(str(world.get("network", kind)))
    words = {"random": "Random graphs of", "chain": "A chain of", "independent": "Independent,"}
    words |= {"categorical": "Categorical worlds of", "sparse": "A sample of"}
    return f"{words.get(kind, 'A world of')} {many(m, 'concept')}"


def lines(view: View) -> list[Line]:
    """The verdict, the main claims first."""
    claims = [_linear(view), _aligned(view), _orthogonal(view), _simplices(view), _nested(view)]
    claims += [_matched(view)]
    # Where runs ended differently, that comes first: what follows speaks of some of them.
    claims.insert(0 if view.headline.mixed else len(claims), _trained(view))
    return [line for line in claims if line is not None] + notes(view)


def scale(view: View, key: Key) -> Scale:
    """A measure of a run as both answers read it: its interval, what chance gives, and the end of its scale.

    Args:
        view: Of a run.
        key: Measure and table, among :data:`NAMES`.
    """
    falls, predicted = key[0].startswith(FALLING), view.level(*key)
    found = view.measure(*key)
    if isinstance(found, LogOdds):
        return _gap(view, found, predicted)
    return similarity(view.similarity(*key), NAMES[key], falls=falls, predicted=predicted)


def _gap(view: View, found: LogOdds, predicted: float | None) -> Scale:
    """The log-odds gap between predicting zero and none. Over one run nothing is sampled."""
    runs = [value for run in view.headline.runs if (value := found.per_run[run]) is not None]
    interval = mean_interval(torch.tensor(runs, dtype=torch.float64), (0.0, np.inf))
    return Scale(
        name=NAMES["log_odds_gap_nats", ""],
        value=found.rmse,
        interval95=interval,
        null=found.rmse_of_zero,
        null_name="predicting zero",
        start=found.rmse_of_zero,
        end=0.0,
        end_name="" if predicted is None else "predicted",
        write=short,
        unit="nats",
        exact=len(runs) == 1,
    )


def _judged(view: View, *keys: Key, yes: str, no: str, whether: str, detail: str = "") -> Line | None:
    """The claim that goes with the first measure's answer; nothing where that has no value."""
    scales = [scale(view, key) for key in keys]
    there = scales[0].there
    if there == "note" and scales[0].value is None:
        return None
    undecided = f"{capital(whether)} is undecided."
    claims = {"yes": yes, "no": no, "undecided": undecided, "note": f"{capital(whether)} was not asked."}
    return Line(
        there=there,
        claim=claims[there],
        scales=[each for each in scales if each.value is not None],
        detail=detail,
        meaning=MEANINGS[keys[0][0]],
    )


def _linear(view: View) -> Line:
    what = _what(view).capitalize()
    values = _concept_values(view)
    middle, detail = scale(view, G).value or 0.0, ""
    worst = min(values, key=lambda name: values[name], default="")
    if len(values) > 1 and values[worst] < middle - 0.05:
        detail = f"The least linear is {worst}, {cosine(values[worst])}."
    found = _judged(
        view,
        G,
        ("linearity", "embedding"),
        yes=f"{what} became linear directions.",
        no=f"{what} did not become linear directions.",
        whether=f"whether {what.lower()} became linear directions",
        detail=detail,
    )
    return found or note("Linearity has no value.", "No concept has two token pairs.")


def _concept_values(view: View) -> dict[str, float]:
    """Linearity of g of each concept that has one."""
    found = view.summary.final.linearity["unembedding"].per_concept
    return {name: value for name, value in found.items() if value is not None}


def _within_chance(view: View) -> list[str]:
    """Concepts less linear than chance may be."""
    null = scale(view, G).null
    return [] if null is None else [name for name, value in _concept_values(view).items() if value <= null]


def _aligned(view: View) -> Line | None:
    return _judged(
        view,
        ("alignment", ""),
        yes="Contexts and tokens share directions.",
        no="Contexts and tokens share no directions.",
        whether="whether contexts and tokens share directions",
    )


def _orthogonal(view: View) -> Line | None:
    return _judged(
        view,
        ("orthogonality.mean_directions", "unembedding"),
        ("orthogonality.mean_directions", "embedding"),
        yes="Different concepts are apart.",
        no="Different concepts are no further apart than chance.",
        whether="whether different concepts are apart",
    )


def _simplices(view: View) -> Line | None:
    angle = view.similarity("simplex_deviation_degrees", "unembedding")
    detail = ""
    if angle is not None and angle.mean is not None:
        beside = "" if angle.null is None else f", against {short(angle.null.mean)} for {angle.null.kind}"
        detail = f"Angles are {short(angle.mean)} degrees off the regular ones{beside}."
    return _judged(
        view,
        ("simplex_share", "unembedding"),
        yes="Concepts of more than two states became simplices.",
        no="Concepts of more than two states did not become simplices.",
        whether="whether concepts of more than two states became simplices",
        detail=detail,
    )


def _nested(view: View) -> Line | None:
    return _judged(
        view,
        ("hierarchy_overlap", "unembedding"),
        yes="Nested concepts are apart from their parents.",
        no="Nested concepts are no further from their parents than chance.",
        whether="whether nested concepts are apart from their parents",
    )


def _matched(view: View) -> Line:
    gap = view.measure("log_odds_gap_nats")
    if not isinstance(gap, LogOdds):
        return note("There are no log-odds to match.", "No context leaves one open.")
    found = _judged(
        view,
        ("log_odds_gap_nats", ""),
        yes="Log-odds are matched better than by zero.",
        no="Log-odds are not matched better than by predicting zero.",
        whether="whether log-odds are matched better than by predicting zero",
        detail=f"Root mean square; predicting zero is {short(gap.rmse_of_zero)} nats off. "
        f"The worst single log-odds is {short(gap.max)} off.",
    )
    assert found is not None, "a gap has a value"
    return found


def _trained(view: View) -> Line:
    """How the runs ended, and what they were judged by."""
    summary, ended = view.summary, view.summary.ended
    loss = view.measure("excess_loss_nats")
    median = loss.median if isinstance(loss, Spread) else None
    said = f"Median excess loss {short(median)} nats at step {count(summary.final.step)}."
    if (price := summary.price_of_linearity_nats) is not None:
        said += (
            f" Exact linearity has its price: no exactly linear tables get below {short(price.mean)} nats "
            "(mean over runs)."
        )
    if not ended.medians:
        return note(f"{capital(ended.words)}.", said)
    if len(ended.medians) > 1:
        parts = [
            f"{cosine(group.linearity_unembedding)} ({word})"
            for word, group in ended.medians.items()
            if group.linearity_unembedding is not None
        ]
        said += f" Median linearity of g: {', '.join(parts)}." if parts else ""
    if rates := [r for r, w in zip(ended.rate, ended.per_run, strict=True) if w == "unfinished" and r]:
        said += f" Unfinished runs move as time to the power {short(float(np.median(rates)))} (median)."
    there, runs = sum(view.converged), view.runs - len(view.diverged)
    only = "The run converged" if ended.words == "converged" else f"The run ended {ended.words}"
    return Line(
        there="yes" if there == runs else "note" if there else "no",
        word="" if there in (0, runs) else "mixed",
        claim=f"{ended.words}." if view.runs > 1 else f"{only}.",
        detail=said,
        meaning=MEANINGS["excess_loss_nats"],
    )
