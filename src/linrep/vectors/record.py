"""What a result says of each concept, in records for JSON and rows for the table."""

import math
from dataclasses import asdict, replace
from typing import Any

from torch import Tensor

from linrep.laboratory.reading import FEW_PAIRS
from linrep.runs.row import NAN, NullRange, Row, Subject, interval
from linrep.vectors.anomalies import pair_anomalies, row_anomalies
from linrep.vectors.attributes import Sample
from linrep.vectors.map import ConceptMap
from linrep.vectors.pairs import Design
from linrep.vectors.result import POINT
from linrep.vectors.ruler import Ruled, subject
from linrep.vectors.stability import Stability
from linrep.vectors.transfer import Carried, Transfer

FOUND = 0.05
"""A concept is found when shuffling its attribute does as well at most this often."""


def attribute_values(sample: Sample, row: int) -> dict[str, str]:
    """What a row's attributes are; empty where missing."""
    given = sample.attributes
    return {
        name: given.values[i][code] if (code := int(given.codes[row, i])) >= 0 else ""
        for i, name in enumerate(given.names)
    }


def map_points(sample: Sample, drawn: ConceptMap) -> tuple[dict[str, Any], ...]:
    """One record for each row of the map: its attributes, its label and its coordinates."""
    return tuple(
        {
            **{f"{k} (attribute)" if k in POINT else k: v for k, v in attribute_values(sample, row).items()},
            **dict(zip(POINT, (sample.labels[row], *place), strict=False)),
        }
        for row, place in zip(drawn.rows.tolist(), drawn.coordinates.tolist(), strict=True)
    )


def concept_record(plan: Design, i: int, each: Stability) -> dict[str, Any]:
    """What a concept is measured on, and whether it was found."""
    concept = plan.concepts[i]
    low, high = plan.classes[i]
    return {
        "name": concept.name,
        "low": concept.states[0],
        "high": concept.states[1],
        "method": plan.methods[i],
        "matched_pairs": plan.found[i],
        "pairs_used": int((plan.pairs.group == i).sum()),
        "rows_low": len(low),
        "rows_high": len(high),
        "p": each.p,
        "found": each.p <= FOUND if not math.isnan(each.p) else None,
    }


def anomaly_record(
    table: Tensor, sample: Sample, plan: Design, axes: Tensor, number: int
) -> dict[str, list[dict[str, Any]]]:
    """The strangest pairs and rows, by name."""
    strange = pair_anomalies(table, plan.every)
    rows = row_anomalies(table, plan, axes)
    label, names = sample.labels, [concept.name for concept in plan.concepts]
    return {
        "pairs": [
            {
                "concept": names[int(plan.every.group[at])],
                "low": label[int(plan.every.low[at])],
                "high": label[int(plan.every.high[at])],
                "cosine": float(strange.cosine[at]),
                "score": float(strange.score[at]),
            }
            for at in strange.order[:number].tolist()
        ],
        "rows": [
            {
                "row": label[row],
                "concept": names[int(rows.concept[row])],
                "score": float(rows.score[row]),
                "wrong_side": bool(rows.wrong_side[row]),
                "attributes": attribute_values(sample, row),
            }
            for row in rows.order[:number].tolist()
        ],
    }


def transfer_record(carried: Transfer | None, plan: Design) -> dict[str, Any] | None:
    """What carried over, by concept."""
    if carried is None:
        return None
    each = {c.name: asdict(found) for c, found in zip(plan.concepts, carried.concepts, strict=True)}
    return {"rows_explained": carried.rows_explained, "splits": carried.splits, "concepts": each}


def notes(sample: Sample, plan: Design, most: int, about: dict[str, Any]) -> list[str]:
    """What a reader must know to judge the numbers."""
    joined = sample.about
    whole = joined["vectors_left_out"] == joined["attributes_left_out"] == 0
    notes: list[str] = [] if whole else [joined["joined"]]
    few = [i for i, method in enumerate(plan.methods) if method == "class means"]
    for i in few:
        number = f"{plan.found[i]} matched pairs" if plan.found[i] else "no matched pair"
        notes.append(
            f"{plan.concepts[i].name}: {number}, too few: measured as the difference of class means, with a "
            "bootstrap over rows; other attributes that go with it may be part of it"
        )
    rough = [
        f"{c.name} ({plan.found[i]})"
        for i, c in enumerate(plan.concepts)
        if plan.methods[i] == "matched pairs" and plan.found[i] < FEW_PAIRS
    ]
    if rough:
        notes.append(f"{', '.join(rough)}: fewer than {FEW_PAIRS} matched pairs, so the numbers are rough")
    cut = [
        c.name
        for i, c in enumerate(plan.concepts)
        if plan.methods[i] == "matched pairs" and plan.found[i] > most
    ]
    if cut:
        notes.append(f"{', '.join(cut)}: {most} of the matched pairs, drawn at random, are measured")
    if len(plan.concepts) > len({c.attribute for c in plan.concepts}):
        notes.append(
            "values of one categorical attribute share the value they are compared with, so they overlap by "
            "construction; overlaps are means over other attributes"
        )
    missing = int((sample.attributes.codes < 0).any(1).sum())
    if missing:
        notes.append(f"{missing} rows miss an attribute: they are in no pair")
    if about["clamped_modes"]:
        notes.append(f"the covariance has {about['clamped_modes']} directions without variance, clamped")
    return notes


def tidy_rows(plan: Design, ruled: Ruled, stable: list[Stability], carried: Transfer | None) -> list[Row]:
    """Every number of every concept, and those of none."""
    found: list[Row] = [*ruled.overall]
    for i, concept in enumerate(plan.concepts):
        each, about = stable[i], subject(plan, i)
        paired = plan.methods[i] == "matched pairs"
        for row in ruled.rows:
            if row.concept != concept.name:
                continue
            if row.measure == "linearity" and paired:
                row = replace(row, p=each.p, shuffled=NullRange.of(each.shuffled))
            found.append(row)
        halves, resampled = (float(drawn.mean()) for drawn in (each.halves, each.resampled))
        dealt, p = NullRange.of(each.halves_shuffled), NAN if paired else each.p
        found.append(about.row("split_half", halves, _between(each.halves), shuffled=dealt, p=p))
        found.append(about.row("resampled", resampled, _between(each.resampled)))
        for level, cosine, linear in each.noise:
            found.append(about.row(f"noise_{level:g}", cosine))
            found.append(about.row(f"linearity_noise_{level:g}", linear))
        if carried is not None:
            found += _transfer_rows(about, carried.concepts[i])
    return found


def _transfer_rows(about: Subject, found: Carried) -> list[Row]:
    """How a direction carries over; its null are maps fitted to shuffled rows, up to the largest draw."""
    null, pairs = NullRange(mean=found.null, q95=found.null_high), found.held_out
    return [
        about.row("transfer", found.mapped, (found.low, found.high), null, pairs=pairs),
        about.row("transfer_own", found.own, pairs=pairs),
        about.row("transfer_unmapped", found.unmapped, pairs=pairs),
    ]


def _between(drawn: Tensor) -> tuple[float, float]:
    """The interval, if every draw is defined."""
    return (NAN, NAN) if bool(drawn.isnan().any()) else interval(drawn)
