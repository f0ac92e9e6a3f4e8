"""The numbers: every measure with its interval and null, and every concept by itself, as tables and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from linrep.intervals import LEAST
from linrep.page import palette
from linrep.page.numbers import ABSENT, cosine, count, finite, interval, short
from linrep.page.prediction import has_lines
from linrep.page.shell import Block
from linrep.page.view import View

MEASURES = (
    ("Linearity of g", ("linearity", "unembedding")),
    ("Linearity of f", ("linearity", "embedding")),
    ("Alignment of f with g", ("alignment",)),
    ("Overlap of g, mean directions", ("orthogonality", "unembedding", "mean_directions")),
    ("Overlap of f, mean directions", ("orthogonality", "embedding", "mean_directions")),
    ("Overlap of g, RMS cosine", ("orthogonality", "unembedding", "rms")),
    ("Overlap of f, RMS cosine", ("orthogonality", "embedding", "rms")),
    ("Additive share of g", ("additive_share", "unembedding")),
    ("Additive share of f", ("additive_share", "embedding")),
    ("Simplices of g, off the regular angle (degrees)", ("simplex_deviation_degrees", "unembedding")),
    ("Simplices of f, off the regular angle (degrees)", ("simplex_deviation_degrees", "embedding")),
    ("Simplices of g, energy in values − 1 dimensions", ("simplex_share", "unembedding")),
    ("Simplices of f, energy in values − 1 dimensions", ("simplex_share", "embedding")),
    ("Parent with child − parent, g", ("hierarchy_overlap", "unembedding")),
    ("Parent with child − parent, f", ("hierarchy_overlap", "embedding")),
    ("Margin (nats)", ("margin",)),
    ("Gauge imbalance", ("gauge_imbalance",)),
    ("Excess loss (nats)", ("excess_loss_nats",)),
)
PER_CONCEPT = MEASURES[:7]


def blocks(view: View) -> list[Block]:
    """Both tables."""
    return [_measures(view), _concepts(view)]


def _measures(view: View) -> Block:
    head = ("Measure", "mean", "median", "95 % interval", "null mean", "null 95 % quantile", "n")
    keys = ("measure", "mean", "median", "low95", "high95", "null_mean", "null_q95", "null_kind", "n")
    if has_lines(view):
        head, keys = (*head, "predicted"), (*keys, "predicted")
    rows: list[list[str]] = []
    lines: list[list[Any]] = []
    for name, path in MEASURES:
        given = view.measure(*path)
        if given is None:
            continue
        whole: Mapping[str, Any] = given if isinstance(given, Mapping) else {"mean": given}
        null = whole.get("null") or {}
        pairs = next((whole[key] for key in ("pairs", "triples") if whole.get(key) is not None), None)
        low, high = whole.get("interval95") or (None, None)
        level = [finite(null.get("mean")), finite(null.get("q95"))]
        mean, median = finite(whole.get("mean")), finite(whole.get("median"))
        write = short if "nats" in name or "degrees" in name or "Gauge" in name else cosine
        row = [name, write(mean), write(median), interval(whole, write) or ABSENT, *map(write, level)]
        row.append(ABSENT if pairs is None else count(pairs))
        line = [".".join(path), mean, median, low, high, *level, null.get("kind"), pairs]
        if has_lines(view):
            predicted = finite(view.prediction(*path))
            row.append(write(predicted))
            line.append(predicted)
        rows.append(row)
        lines.append(line)
    return Block(
        id="measures",
        kind="table",
        title="All measures at the last step",
        caption="Mean over concepts that have pairs, then over runs; the interval is Student's t over "
        f"{'runs' if view.runs > 1 else 'vectors (jackknife)'}, none below {LEAST}. "
        f"Nulls: {_null_kinds(view) or 'none'}. n: steering vectors; table rows for the additive share; "
        "triples of a context and two tokens for the margin.",
        columns=head,
        rows=rows,
        download=("measures.csv", to_csv(keys, lines)),
    )


def _null_kinds(view: View) -> str:
    found = [view.measure(*path) for _, path in MEASURES]
    kinds = [(each.get("null") or {}).get("kind") for each in found if isinstance(each, Mapping)]
    return ", ".join(dict.fromkeys(str(kind) for kind in kinds if kind))


def _concepts(view: View) -> Block:
    from linrep.page.cube import edges_by_concept

    world = view.world
    codes, joint = np.asarray(world.token_codes), np.asarray(world.joint)[np.asarray(world.tokens)]
    pairs = [len(ends) for ends in edges_by_concept(codes)]
    measures = [(name, _by_concept(view, path)) for name, path in PER_CONCEPT]
    measures = [(name, values) for name, values in measures if any(v is not None for v in values.values())]
    named, keys = _state_columns(view)
    head = ["Concept", *named, "token pairs", *(name for name, _ in measures)]
    rows: list[list[str]] = []
    lines: list[list[Any]] = []
    for i, name in enumerate(view.names):
        states = view.states[i]
        chances = [float(joint[codes[:, i] == state].sum() / joint.sum()) for state in range(len(states))]
        values = [values[name] for _, values in measures]
        written = [
            (short if "nats" in what else cosine)(v) for (what, _), v in zip(measures, values, strict=True)
        ]
        if view.binary:
            rows.append([name, *states, cosine(chances[1]), count(pairs[i]), *written])
            lines.append([name, *states, chances[1], pairs[i], *values])
        else:
            together = ", ".join(states)
            rows.append([name, together, ", ".join(map(cosine, chances)), count(pairs[i]), *written])
            lines.append([name, together, ", ".join(map(str, chances)), pairs[i], *values])
    shared = all(each is view.worlds[0] for each in view.worlds)
    whose = (
        "" if shared else f" Probabilities and pairs are run {view.typical}'s; measures are means over runs."
    )
    return Block(
        id="concepts-table",
        kind="table",
        title="Every concept by itself",
        caption=f"{ABSENT}: no two tokens (contexts) differ in this concept alone, so the measure does not "
        f"exist.{whose}",
        columns=head,
        rows=rows,
        swatches=[palette.concept(i) for i in range(len(view.names))],
        download=(
            "concepts.csv",
            to_csv(["concept", *keys, "token_pairs", *(name for name, _ in measures)], lines),
        ),
    )


def _state_columns(view: View) -> tuple[list[str], list[str]]:
    """How states and their probabilities are headed, in the table and in its file."""
    if view.binary:
        return ["state 0", "state 1", "P(state 1)"], ["state_0", "state_1", "probability_1"]
    return ["states", "P(each state)"], ["states", "probabilities"]


def _by_concept(view: View, path: Sequence[str]) -> dict[str, float | None]:
    given = view.measure(*path)
    each = (given.get("per_concept") or {}) if isinstance(given, Mapping) else {}
    return {name: finite(each.get(name)) for name in view.names}


def to_csv(head: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    """Comma-separated text; what is absent is an empty cell, numbers keep all their digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([["" if cell is None else cell for cell in line] for line in lines])
    return text.getvalue()
