"""What a tab is told in words: what was begun, what theory says of it, how it ended."""

import math
from typing import Any

from linrep.explore.course import Course
from linrep.explore.measures import Ahead
from linrep.explore.view import View
from linrep.page.graph import place
from linrep.training.wide import STEPS, TIMES_AS_WIDE

LONGEST = 40
"""Characters of a name that are shown; the config has all of them."""
LABELLED = 16
"""Tokens up to which each corner is named in the picture."""


def begun_report(number: int, course: Course, view: View, *, changed: bool = False) -> dict[str, Any]:
    """A run as it begins, or goes on changed.

    Args:
        number: Of the run in the tab.
        course: The run.
        view: Its picture.
        changed: Whether it goes on, so that its curves stay.
    """
    model, config, world = course.world.model, course.config, course.world
    arrows = list(model.edges())
    nodes, paths = place(model.concepts, arrows)
    binary = set(model.sizes) == {2}
    return {
        "kind": "begun",
        "note": _note(course),
        "run": number,
        "changed": changed,
        "config": config.model_dump(mode="json", exclude_none=True),
        "changes": [{"step": each.step, "what": each.what} for each in course.changes],
        "names": [_cut(name) for name in model.names],
        "concepts": [
            {
                "states": [_cut(state) for state in model.states[concept]],
                "parents": list(model.parents[concept]),
                "on": model.tables[concept].reshape(-1, model.sizes[concept])[:, 1].tolist(),
            }
            for concept in range(model.concepts)
        ],
        "editable": binary and not model.nests,
        "graph": {"nodes": nodes, "arrows": arrows, "paths": paths},
        "edges": [ends.ravel().tolist() for ends in view.edges],
        "tokens": [_cut(label, 10 * LONGEST) for label in world.token_labels()],
        "codes": ["".join(map(str, row)) for row in view.codes.tolist()],
        "labelled": len(view.codes) <= LABELLED and binary,
        "contexts": len(world.codes),
        "dropped": world.dropped_contexts,
        "dim": config.model.dim,
        "steps": config.training.steps,
        "span": world.span,
    }


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _note(course: Course) -> str:
    """What is not seen otherwise, in a sentence or two; "" where there is nothing."""
    model, said = course.config.model, list[str]()
    if model.start == "wide":
        tried = f" each of {model.starts} times, the best kept" if model.starts > 1 else ""
        said.append(
            f"Before step 0 it was trained for {STEPS} steps at width "
            f"{TIMES_AS_WIDE * (model.dim or 1)}{tried}, then cut to {model.dim}."
        )
    if set(course.world.model.sizes) != {2}:
        said.append(
            "Concepts of more than two states are trained and drawn, not edited; a measure for which no "
            "concept has two edges to compare stands at –."
        )
    return " ".join(said)


def theory_report(number: int, found: Ahead) -> dict[str, Any]:
    """What theory says.

    Args:
        number: Of the run in the tab.
        found: Of its world and width.
    """
    return {
        "kind": "theory",
        "run": number,
        "status": found.status.replace("_", " "),
        "reason": found.reason,
        "limits": dict(found.limits),
        "price": None if found.price is None else found.price.nats,
        "no_price": found.no_price,
    }


def end_report(number: int, course: Course, found: Ahead) -> dict[str, Any]:
    """How it ended.

    Args:
        number: Of the run in the tab.
        course: Over.
        found: What theory says of it.
    """
    end = course.end(found.price)
    return {
        "kind": "ended",
        "run": number,
        "word": end.word,
        "step": end.step,
        "excess": end.excess_nats if math.isfinite(end.excess_nats) else None,
        "target": end.target_nats,
        "advice": end.advice,
    }
