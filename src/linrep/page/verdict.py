"""The verdict in plain words, from the numbers by thresholds that the page states."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from linrep.geometry.record import Similarity, Spread
from linrep.page.cube import edges_by_concept
from linrep.page.gauge import gauge_words
from linrep.page.numbers import capital, central, cosine, count, interval, listed, short
from linrep.page.rising import rising_words
from linrep.page.shell import Line, Standing
from linrep.page.view import View
from linrep.runs.summary import LogOdds
from linrep.worlds.network_file import stem

HIGH = 0.95
"""A cosine or share from here on counts as reached."""
FAIR = 0.75
"""From here on as partly reached, below as not."""
SMALL = 0.05
"""An overlap up to here counts as orthogonal."""
MIDDLING = 0.2
"""Up to here as partly so."""
MATCHED = 1 / 3
"""A log-odds gap of at most this share of predicting zero's counts as matched."""

THRESHOLDS = (
    "Numbers in brackets are 95 % intervals: Student's t over runs or, of one run, over vectors.",
    f"A linearity or alignment of at least {HIGH} is “yes”, of at least {FAIR} “partly”, below “no”; so is "
    "one whose interval does not clear the 95 % quantile of its null.",
    f"An overlap of mean directions (|cosine| between different concepts) of at most {SMALL} is “yes”, of at "
    f"most {MIDDLING} “partly”, above “no”.",
    f"Log-odds are matched (“yes”) when their RMSE is at most {MATCHED:.0%} of the RMSE of predicting zero, "
    "“partly” when it is below that of predicting zero, and “no” otherwise.",
)
OF_SHAPES = (
    "The energy of simplices is judged as a linearity is, the overlap of child and parent as mean directions."
)


def thresholds(view: View) -> tuple[str, ...]:
    """By which the words of a verdict are chosen."""
    whose = [f"Means and intervals are over {view.headline.words}."] if view.headline.mixed else []
    words = THRESHOLDS if view.binary else (*THRESHOLDS, OF_SHAPES)
    return (*whose, *words, f"{capital(view.summary.ended.criterion)}.")


def title(view: View) -> str:
    """The finding in one line; where runs ended differently, of whom."""
    whose = f" (in {view.headline.words})" if view.headline.mixed else ""
    return f"{_finding(view)}{whose}"


def _finding(view: View) -> str:
    name, missing = world_name(view), absent(view)
    values = {n: v for n, v in _concept_values(view).items() if v is not None}
    bent = [n for n, v in values.items() if v < FAIR]
    standing = _similar(view.similarity("linearity", "unembedding"))
    what = _what(view)
    if standing == "yes" and not bent:
        if missing and view.binary:
            found = f"{len(values)} of {len(view.names)} concepts became directions"
            return f"{name}: {found}; {listed(missing)} cannot"
        if missing:
            return f"{name}: {what} became directions; {listed(missing)} cannot change alone"
        return f"{name}: {what} became linear directions"
    if standing == "yes" and len(bent) < len(values):
        those = "" if view.binary else "those of "
        return f"{name}: {what} became linear directions, but not {those}{listed(bent)}"
    if standing == "partly":
        return f"{name}: {what} became linear directions only partly"
    if standing == "note":
        return f"{name}: linearity has no value here"
    return f"{name}: {what} did not become linear directions"


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
    words["categorical"] = "Categorical worlds of"
    return f"{words.get(kind, 'A world of')} {m} concept{'' if m == 1 else 's'}"


def absent(view: View) -> list[str]:
    """Concepts that no two tokens of any run differ in alone."""
    worlds = list({id(world): world for world in view.worlds}.values())
    missing = [np.array([not len(e) for e in edges_by_concept(np.asarray(w.token_codes))]) for w in worlds]
    return [name for name, gone in zip(view.names, np.logical_and.reduce(missing), strict=True) if gone]


def lines(view: View) -> list[Line]:
    """The verdict, the main claims first."""
    claims = [_linear(view), _aligned(view), _orthogonal(view), _simplices(view), _nested(view)]
    claims += [_matched(view)]
    # Where runs ended differently, that comes first: what follows speaks of some of them.
    claims.insert(0 if view.headline.mixed else len(claims), _trained(view))
    return [line for line in claims if line is not None] + _notes(view)


def _similar(measure: Similarity | None) -> Standing:
    if measure is None or measure.mean is None:
        return "note"
    value = measure.mean
    low = value if measure.interval95 is None else measure.interval95[0]
    if measure.null is not None and low <= measure.null.q95:
        return "no"
    return "yes" if value >= HIGH else "partly" if value >= FAIR else "no"


def _small(overlap: float) -> Standing:
    return "yes" if overlap <= SMALL else "partly" if overlap <= MIDDLING else "no"


def _said(measure: Similarity | None) -> str:
    """``0.98 [0.97, 0.99] against 0.02 for random pairs``."""
    null = None if measure is None else measure.null
    against = "" if null is None else f" against {cosine(null.mean)} for {null.kind}"
    return " ".join(part for part in (cosine(central(measure)), interval(measure)) if part) + against


def _graded(standing: Standing, *, yes: str, partly: str, no: str, detail: str) -> Line:
    """The claim that goes with a standing."""
    return Line(standing=standing, claim={"yes": yes, "partly": partly, "no": no}[standing], detail=detail)


def _note(claim: str, detail: str) -> Line:
    return Line(standing="note", claim=claim, detail=detail)


def _linear(view: View) -> Line:
    g, f = view.similarity("linearity", "unembedding"), view.similarity("linearity", "embedding")
    if central(g) is None:
        return _note("Linearity has no value.", "No concept has two token pairs.")
    what = _what(view).capitalize()
    detail = f"Linearity of g {_said(g)}; of f {_said(f)}."
    values = {name: value for name, value in _concept_values(view).items() if value is not None}
    if len(values) > 1:
        worst = min(values, key=lambda name: values[name])
        if values[worst] < (central(g) or 0.0) - 0.05:
            detail += f" The least linear is {worst}, {cosine(values[worst])}."
    return _graded(
        _similar(g),
        yes=f"{what} became linear directions.",
        partly=f"{what} became directions only partly.",
        no=f"{what} did not become linear directions.",
        detail=detail,
    )


def _concept_values(view: View) -> dict[str, float | None]:
    return view.summary.final.linearity["unembedding"].per_concept


def _aligned(view: View) -> Line | None:
    measure = view.similarity("alignment")
    if central(measure) is None:
        return None
    return _graded(
        _similar(measure),
        yes="Embeddings and unembeddings take the same directions.",
        partly="Embeddings and unembeddings take similar directions.",
        no="Embeddings and unembeddings do not take the same directions.",
        detail=f"Alignment {_said(measure)}.",
    )


def _orthogonal(view: View) -> Line | None:
    measure = view.similarity("orthogonality.mean_directions", "unembedding")
    value = central(measure)
    if value is None:
        return None
    rms = central(view.similarity("orthogonality.rms", "unembedding"))
    rest = f" RMS cosine over all steering vectors {cosine(rms)}." if rms is not None else ""
    return _graded(
        _small(value),
        yes="Different concepts are orthogonal.",
        partly="Different concepts are nearly orthogonal.",
        no="Different concepts are not orthogonal.",
        detail=f"|Cosine| between mean directions of g {_said(measure)}.{rest}",
    )


def _simplices(view: View) -> Line | None:
    share = view.similarity("simplex_share", "unembedding")
    if central(share) is None:
        return None
    angle = view.similarity("simplex_deviation_degrees", "unembedding")
    null = None if angle is None else angle.null
    beside = "" if null is None else f", against {short(null.mean)} for {null.kind}"
    regular = f" Their angles are {short(central(angle))} degrees off the regular ones{beside}."
    return _graded(
        _similar(share),
        yes="Concepts of more than two states became simplices.",
        partly="Concepts of more than two states became simplices only in part.",
        no="Concepts of more than two states did not become simplices that stand out.",
        detail=f"Share of the energy of g in one dimension fewer than states {_said(share)}.{regular}",
    )


def _nested(view: View) -> Line | None:
    overlap = view.similarity("hierarchy_overlap", "unembedding")
    value = central(overlap)
    if value is None:
        return None
    return _graded(
        _small(value),
        yes="Nested concepts are orthogonal to their parents.",
        partly="Nested concepts are nearly orthogonal to their parents.",
        no="Nested concepts are not orthogonal to their parents.",
        detail=f"|Cosine| of g's parent direction with child minus parent {_said(overlap)}.",
    )


def _matched(view: View) -> Line:
    gap = view.measure("log_odds_gap_nats")
    if not isinstance(gap, LogOdds):
        return _note("There are no log-odds to match.", "No context leaves one open.")
    error, null = gap.rmse, gap.rmse_of_zero
    return _graded(
        "no" if error >= null else "yes" if error <= MATCHED * null else "partly",
        yes="Log-odds are matched.",
        partly="Log-odds are matched only in part.",
        no="Log-odds are not matched better than by predicting zero.",
        detail=f"RMSE {short(error)} nats, at most {short(gap.max)}; predicting zero would give "
        f"{short(null)}.",
    )


def _trained(view: View) -> Line:
    """How the runs ended, and what they were judged by."""
    summary, ended = view.summary, view.summary.ended
    loss = view.measure("excess_loss_nats")
    median = loss.median if isinstance(loss, Spread) else None
    said = f"Median excess loss {short(median)} nats at step {count(summary.final.step)}."
    if (price := summary.price_of_linearity_nats) is not None:
        said += (
            f" Exactly linear, no table gets below {short(price.mean)} nats: the price of linearity "
            "(mean over runs)."
        )
    if not ended.medians:
        return _note(f"{capital(ended.words)}.", said)
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
    standing: Standing = "yes" if there == runs else "partly" if there else "no"
    only = "The run converged" if ended.words == "converged" else f"The run ended {ended.words}"
    claim = f"{ended.words}." if view.runs > 1 else f"{only}."
    return Line(standing=standing, claim=claim, detail=said)


def _notes(view: View) -> list[Line]:
    notes = [_no_pair(view, name) for name in absent(view)]
    if (gauge := gauge_words(view.summary.gauge)) is not None:
        notes.append(_note(*gauge))
    training: Mapping[str, Any] = view.config.get("training") or {}
    if (risen := rising_words(view.summary.rises, training.get("step_size"))) is not None:
        notes.append(Line(standing="no", claim=risen[0], detail=risen[1]))
    dropped = view.summary.counts.dropped_contexts
    if dropped:
        kept = len(next(w.codes for w in view.worlds if w.dropped_contexts == dropped))
        claim = f"{count(dropped)} of {count(kept + dropped)} contexts cannot occur."
        notes.append(_note(claim, "No token agrees with them, so they were dropped."))
    for each in view.summary.diverged:
        notes.append(
            Line(
                standing="no",
                claim=f"Run {each.run} diverged at step {count(each.step)}.",
                detail=f"The step size was {each.step_size:g}; the run is left out of every number.",
            )
        )
    return notes


def _no_pair(view: View, name: str) -> Line:
    from linrep.worlds.contexts import affine_rank

    world, i = view.world, view.names.index(name)
    parents = [view.names[p] for p in world.model.parents[i]]
    table = np.asarray(world.model.tables[i])
    why = "the other concepts settle it"
    inside = [view.names[child] for parent, _, child in world.model.nests if parent == i]
    if inside:
        why = f"{listed(inside)}, nested in it, must change with it"
    elif parents and bool(np.isin(table, (0.0, 1.0)).all()):
        why = f"it is a function of {listed(parents)}"
    codes = world.token_codes
    others = [j for j in range(codes.shape[1]) if j != i]
    full, rest = affine_rank(codes), affine_rank(codes[:, others])
    cost = (
        f" It costs a dimension all the same: the tokens span {full}, without it {rest}."
        if full > rest
        else ""
    )
    detail = f"No two tokens differ in it alone, for {why}, so its linearity does not exist.{cost}"
    return _note(f"{name} has no counterfactual pair.", detail)
