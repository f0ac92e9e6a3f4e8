"""The numbers: every measure with its interval and null, and every concept by itself, as tables and CSV."""

from typing import Any

import numpy as np

from linrep.intervals import LEAST
from linrep.page import palette
from linrep.page.numbers import ABSENT, cosine, count, interval, short
from linrep.page.shell import Block
from linrep.page.view import View
from linrep.runs.spreadsheet import to_csv
from linrep.runs.summary import Key, LogOdds, Margin, address

MEASURES = (
    ("Linearity of g", ("linearity", "unembedding")),
    ("Linearity of f", ("linearity", "embedding")),
    ("Alignment of f with g", ("alignment", "")),
    ("Overlap of g, mean directions", ("orthogonality.mean_directions", "unembedding")),
    ("Overlap of f, mean directions", ("orthogonality.mean_directions", "embedding")),
    ("Overlap of g, RMS cosine", ("orthogonality.rms", "unembedding")),
    ("Overlap of f, RMS cosine", ("orthogonality.rms", "embedding")),
    ("Additive share of g", ("additive_share", "unembedding")),
    ("Additive share of f", ("additive_share", "embedding")),
    ("Simplices of g, off the regular angle (degrees)", ("simplex_deviation_degrees", "unembedding")),
    ("Simplices of f, off the regular angle (degrees)", ("simplex_deviation_degrees", "embedding")),
    ("Simplices of g, energy in values − 1 dimensions", ("simplex_share", "unembedding")),
    ("Simplices of f, energy in values − 1 dimensions", ("simplex_share", "embedding")),
    ("Parent with child − parent, g", ("hierarchy_overlap", "unembedding")),
    ("Parent with child − parent, f", ("hierarchy_overlap", "embedding")),
    ("Margin (nats)", ("margin", "")),
    ("Gauge imbalance", ("gauge_imbalance", "")),
    ("Excess loss (nats)", ("excess_loss_nats", "")),
)
PER_CONCEPT = MEASURES[:7]


def blocks(view: View) -> list[Block]:
    """Both tables."""
    return [_measures(view), _concepts(view)]


def _measures(view: View) -> Block:
    head = ("Measure", "mean", "median", "95 % interval", "null mean", "null 95 % quantile", "n")
    keys = ("measure", "mean", "median", "low95", "high95", "null_mean", "null_q95", "null_kind", "n")
    if view.has_lines:
        head, keys = (*head, "predicted"), (*keys, "predicted")
    rows: list[list[str]] = []
    lines: list[list[Any]] = []
    for name, key in MEASURES:
        given = view.measure(*key)
        if given is None or isinstance(given, LogOdds):
            continue
        similar = view.similarity(*key)
        null = None if similar is None else similar.null
        pairs = similar.pairs if similar is not None else given.triples if isinstance(given, Margin) else None
        low, high = (None, None) if similar is None else similar.interval95 or (None, None)
        level = [None, None] if null is None else [null.mean, null.q95]
        mean, median = given.mean, None if isinstance(given, Margin) else given.median
        write = short if "nats" in name or "degrees" in name or "Gauge" in name else cosine
        row = [name, write(mean), write(median), interval(similar, write) or ABSENT, *map(write, level)]
        row.append(ABSENT if pairs is None else count(pairs))
        line = [address(*key), mean, median, low, high, *level, null and null.kind, pairs]
        if view.has_lines:
            predicted = view.level(*key)
            row.append(write(predicted))
            line.append(predicted)
        rows.append(row)
        lines.append(line)
    return Block(
        id="measures",
        kind="table",
        title="All measures at the last step",
        caption=f"Mean over concepts that have pairs, then over {_whose(view)}; the interval is "
        f"Student's t over {'runs' if view.runs > 1 else 'vectors (jackknife)'}, none below {LEAST}. "
        f"Nulls: {_null_kinds(view) or 'none'}. n: steering vectors; table rows for the additive share; "
        "triples of a context and two tokens for the margin.",
        columns=head,
        rows=rows,
        download=("measures.csv", to_csv(keys, lines)),
    )


def _whose(view: View) -> str:
    return view.headline.words if view.headline.mixed else "runs"


def _null_kinds(view: View) -> str:
    found = [view.similarity(*key) for _, key in MEASURES]
    return ", ".join(dict.fromkeys(each.null.kind for each in found if each and each.null))


def _concepts(view: View) -> Block:
    from linrep.page.cube import token_edges

    world = view.world
    codes, joint = (np.asarray(each) for each in world.vectors)
    pairs = [len(ends) for ends in token_edges(world)]
    measures = [(name, _by_concept(view, key)) for name, key in PER_CONCEPT]
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
    given = f" Probabilities and pairs are run {view.typical}'s; measures are means over {_whose(view)}."
    return Block(
        id="concepts-table",
        kind="table",
        title="Every concept by itself",
        caption=f"{ABSENT}: no two tokens (contexts) differ in this concept alone, so the measure does not "
        f"exist.{'' if shared else given}",
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


def _by_concept(view: View, key: Key) -> dict[str, float | None]:
    given = view.similarity(*key)
    return dict.fromkeys(view.names) if given is None else given.per_concept
