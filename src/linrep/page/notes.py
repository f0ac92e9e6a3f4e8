"""What a reader of a run must be told besides: what has no measure, the gauge, the steps, what diverged."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from linrep.page.cube import token_edges
from linrep.page.gauge import gauge_words
from linrep.page.numbers import count, listed
from linrep.page.rising import rising_words
from linrep.page.shell import Line
from linrep.page.view import View

WARNING = "warning"


def notes(view: View) -> list[Line]:
    """The notes of a run."""
    notes = [_no_pair(view, name) for name in absent(view)]
    if (gauge := gauge_words(view.summary.gauge)) is not None:
        notes.append(note(*gauge))
    training: Mapping[str, Any] = view.config.get("training") or {}
    if (risen := rising_words(view.summary.rises, training.get("step_size"))) is not None:
        notes.append(note(*risen, word=WARNING))
    dropped = view.summary.counts.dropped_contexts
    if dropped:
        kept = len(next(w.codes for w in view.worlds if w.dropped_contexts == dropped))
        claim = f"{count(dropped)} of {count(kept + dropped)} contexts cannot occur."
        notes.append(note(claim, "No token agrees with them, so they were dropped."))
    for each in view.summary.diverged:
        detail = f"The step size was {each.step_size:g}; the run is left out of every number."
        claim = f"Run {each.run} diverged at step {count(each.step)}."
        notes.append(note(claim, detail, word=WARNING))
    return notes


def note(claim: str, detail: str = "", word: str = "") -> Line:
    """A line of which it is not asked whether it is there."""
    return Line(there="note", claim=claim, detail=detail, word=word)


def absent(view: View) -> list[str]:
    """Concepts that no two tokens of any run differ in alone."""
    worlds = list({id(world): world for world in view.worlds}.values())
    missing = [np.array([not len(ends) for ends in token_edges(world)]) for world in worlds]
    return [name for name, gone in zip(view.names, np.logical_and.reduce(missing), strict=True) if gone]


def _no_pair(view: View, name: str) -> Line:
    world, i = view.world, view.names.index(name)
    if world.words is not None:
        detail = "No two words mean the same but for it, so its linearity does not exist."
        return note(f"{name} has no counterfactual pair.", detail)
    from linrep.worlds.contexts import affine_rank

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
    return note(f"{name} has no counterfactual pair.", detail)
