"""Vectors with attributes, measured whole: ruler, nulls, intervals, anomalies, stability, transfer, map."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

import linrep
from linrep.errors import InputError
from linrep.linalg import whiten
from linrep.progress import counted
from linrep.runs.row import NAN, Matrix
from linrep.runs.tidy import plain
from linrep.seeds import generator
from linrep.vectors.attributes import Sample, join
from linrep.vectors.directions import CHUNK_ROWS, class_mean, directions
from linrep.vectors.ids import BY_ORDER, join_rows
from linrep.vectors.map import ConceptMap, chosen_axes, concept_map
from linrep.vectors.pairs import Concept, Design, concepts, design
from linrep.vectors.reading import Vectors, VectorsInput, read_vectors
from linrep.vectors.record import (
    FOUND,
    anomaly_record,
    concept_record,
    map_points,
    notes,
    tidy_rows,
    transfer_record,
)
from linrep.vectors.result import VectorsResult
from linrep.vectors.ruler import Ruled, rule
from linrep.vectors.stability import Stability, stability
from linrep.vectors.transfer import Transfer, transfer

WORK = 2e11
"""Multiplications that the ruler's nulls may cost: what bounds the pairs used of each concept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorsOptions:
    """What need not be said each time.

    Example:
        >>> VectorsOptions(draws=100).fewest_pairs
        2
    """

    fewest_pairs: int = 2
    """With fewer matched pairs the difference of class means takes their place."""
    most_pairs: int = 2000
    """Of more, so many are drawn at random for the ruler; anomalies and transfer use all."""
    draws: int = 400
    """Shuffles of each attribute, and bootstrap samples."""
    anomalies: int = 20
    """Strangest pairs, and rows, reported."""
    axes: Sequence[str] | None = None
    """Two or three concepts for the map; by default the three most linear."""
    map_rows: int = 2000
    """Rows on the map; of more, a random part."""
    tensor: str | None = None
    """Which array, where a file of vectors holds several."""


def measure_vectors(
    vectors: VectorsInput,
    attributes: Any,
    *,
    other: VectorsInput | None = None,
    id_column: str | None = None,
    columns: Sequence[str] | None = None,
    match: Sequence[str] = (),
    inner: str = "euclid",
    seed: int = 0,
    options: VectorsOptions | None = None,
) -> VectorsResult:
    r"""Measure any vectors whose rows have attributes, by the ruler of tables and language models.

    A concept is a binary attribute, or one value of a categorical attribute against its commonest. Its
    steering vectors are differences of rows that are equal in every other attribute.

    Naively: ``mean(cosine(x[a] - x[b], x[c] - x[d]) for all pairs)``, without null, interval or matching.

    Args:
        vectors: A safetensors, npz, npy, Parquet or CSV file, a tensor, an array or a frame; rows are items.
        attributes: A CSV, TSV or Parquet file, a frame or columns by name.
        other: A second set of vectors of the same items, to which directions are carried over.
        id_column: The column that joins the files; by default "id" or an index; "none": rows stand in order.
        columns: Which columns are attributes; by default all.
        match: Columns in which both rows of a pair must be equal though they are no concepts (a person).
        inner: "euclid", or "causal": cosines in the inner product Cov(x)^{-1} of all rows.
        seed: Of dealing, nulls, intervals and splits; equal calls give equal results.
        options: The rest.

    Returns:
        Table, summary, matrices and map. Invariant to the order of the rows.

    Raises:
        InputError: If the files cannot be used, in one line.

    Example:
        >>> noise = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
        >>> sex = torch.arange(40) % 2
        >>> found = measure_vectors(noise + 9 * sex[:, None], {"sex": sex.tolist()})
        >>> found.summary["concepts"][0]["found"], round(found.value("linearity", "sex").value, 1)
        (True, 1.0)

    References:
        docs/theory, section 2; :cite:`park:24` for the causal inner product.
    """
    options = options or VectorsOptions()
    _check(inner, options)
    read = read_vectors(vectors, id_column=id_column, tensor=options.tensor)
    sample = join(read, attributes, id_column=id_column, columns=columns, match=match)
    second = None if other is None else _second(other, sample, read, id_column, options.tensor)
    given = _in_order(sample, second, inner)
    wanted = concepts(given.sample.attributes)
    # Checked before the work begins.
    chosen_axes(*_names(wanted), [NAN] * len(wanted), options.axes)
    most = _affordable(len(wanted), given.table.shape[1], options.most_pairs)
    draw = generator(seed, "pairs")
    plan = design(given.sample.attributes, fewest=options.fewest_pairs, most=most, generator=draw)
    found = _measured(given, plan, options, seed)
    summary = {
        "linrep": linrep.__version__,
        "seed": seed,
        "options": asdict(options),
        "vectors": {"source": read.source, "rows": len(given.table), "dim": given.table.shape[1]},
        **_summary(given, plan, found, options),
        "notes": notes(given.sample, plan, most, given.gauge),
    }
    names, _ = _names(wanted)
    return VectorsResult(
        summary=plain(summary),
        rows=tuple(tidy_rows(plan, found.ruled, found.stable, found.carried)),
        matrices={name: Matrix.of(name, names, names, each) for name, each in found.ruled.matrices.items()},
        points=map_points(given.sample, found.drawn),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """Vectors with attributes, in an order of their own and in their gauge."""

    sample: Sample
    second: Tensor | None
    """Other vectors of the same rows."""
    table: Tensor
    """The vectors as cosines are to see them."""
    gauge: dict[str, Any]
    """What was done to them."""
    second_table: Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """All that is measured of them."""

    axes: Tensor
    ruled: Ruled
    stable: list[Stability]
    carried: Transfer | None
    drawn: ConceptMap


def _measured(given: _Given, plan: Design, options: VectorsOptions, seed: int) -> _Found:
    """Directions, the ruler's numbers, stability, transfer and map, each from a stream of its own."""
    table = given.table
    axes = directions(table, plan)
    ruled = rule(table, given.sample.attributes, plan, seed=seed)
    stable = _stable(table, plan, axes, options.draws, seed)
    carried = None
    if given.second_table is not None:
        carried = transfer(table, given.second_table, plan, generator=generator(seed, "transfer"))
    names, owners = _names(plan.concepts)
    strength = [float(each.halves.mean()) - (0 if each.p <= FOUND else 2) for each in stable]
    chosen = chosen_axes(names, owners, strength, options.axes)
    drawn = concept_map(
        table,
        axes[chosen],
        [names[i] for i in chosen],
        most=options.map_rows,
        generator=generator(seed, "map"),
    )
    return _Found(axes=axes, ruled=ruled, stable=stable, carried=carried, drawn=drawn)


def _summary(given: _Given, plan: Design, found: _Found, options: VectorsOptions) -> dict[str, Any]:
    """What the summary says of what was given and of what was found in it."""
    drawn = found.drawn
    return {
        "data_hash": _data_hash(given.sample, given.second),
        "attributes": given.sample.about,
        "inner": given.gauge,
        "other": None if given.second is None else {"dim": given.second.shape[1]},
        "concepts": [concept_record(plan, i, each) for i, each in enumerate(found.stable)],
        "measures": found.ruled.measures,
        "additive_share": found.ruled.additive,
        "anomalies": anomaly_record(given.table, given.sample, plan, found.axes, options.anomalies),
        "transfer": transfer_record(found.carried, plan),
        "map": {"axes": drawn.axes, "tilt": drawn.tilt, "rows": len(drawn.rows)},
    }


def _names(wanted: Sequence[Concept]) -> tuple[list[str], list[int]]:
    """Of concepts, and which attribute each belongs to."""
    return [each.name for each in wanted], [each.attribute for each in wanted]


def _stable(table: Tensor, plan: Design, axes: Tensor, draws: int, seed: int) -> list[Stability]:
    """Every concept's stability, each from a stream of its own."""
    spread = _spread(table)
    return [
        stability(table, plan, i, axis, spread, draws=draws, generator=generator(seed, "stability", i))
        for i, axis in counted(enumerate(axes), "stability: concepts", len(axes))
    ]


def _data_hash(sample: Sample, second: Tensor | None) -> str:
    """Of the numbers measured: equal hashes and options give equal results."""
    digest = hashlib.sha256()
    given = sample.attributes
    for each in (sample.table, second, given.codes, given.match):
        if each is not None:
            for part in each.split(CHUNK_ROWS):
                digest.update(part.contiguous().numpy().tobytes())
    digest.update(repr((given.names, given.values)).encode())
    return digest.hexdigest()[:16]


def _check(inner: str, options: VectorsOptions) -> None:
    if inner not in ("euclid", "causal"):
        raise InputError(f'inner: expected "euclid" or "causal", got "{inner}"; choose one')
    for name, least in (
        ("fewest_pairs", 2),
        ("most_pairs", 2),
        ("draws", 20),
        ("map_rows", 1),
        ("anomalies", 0),
    ):
        if getattr(options, name) < least:
            raise InputError(f"{name}: expected at least {least}, got {getattr(options, name)}; raise it")


def _second(
    other: VectorsInput, sample: Sample, first: Vectors, id_column: str | None, tensor: str | None
) -> Tensor:
    """The other vectors' rows, in the order of the sample."""
    read = read_vectors(other, id_column=id_column, tensor=tensor, name="other")
    if sample.about["joined_by"] == "id":
        called = "other" if read.called == "vectors" else read.called
        joined = join_rows(
            sample.labels, read.ids, (len(sample.labels), len(read.table)), (first.called, called)
        )
        missing = sorted({*range(len(sample.labels))} - {*joined.first})
        if missing:
            raise InputError(
                f"other: expected vectors for the same ids, {len(missing)} of {len(sample.labels)} miss, "
                f"such as {sample.labels[missing[0]]!r}; add them or drop them from the attributes"
            )
        return read.table[torch.tensor(joined.second)]
    joined = join_rows(
        first.ids,
        read.ids,
        (len(first.table), len(read.table)),
        (first.called, "other"),
        by_order=id_column == BY_ORDER,
    )
    if joined.left_out != (0, 0):
        raise InputError(
            f"other: expected {len(sample.table)} rows with the same ids, {joined.said}; give all"
        )
    return read.table[torch.tensor(joined.second)]


def _gauge(table: Tensor, inner: str) -> tuple[Tensor, dict[str, Any]]:
    """The vectors as cosines are to see them, and what was done."""
    if inner == "euclid":
        return table, {"inner": "euclid", "clamped_modes": 0}
    map_ = whiten(table, centre=True)
    parts = [(part.to(torch.float64) - map_.mean) @ map_.matrix for part in table.split(CHUNK_ROWS)]
    return torch.cat(parts), {"inner": "causal", "clamped_modes": map_.clamped, "centred": True}


def _in_order(sample: Sample, second: Tensor | None, inner: str) -> _Given:
    """Rows in an order of their own, so that what deals, halves or draws rows gives equal numbers wherever
    they stood; and in their gauge.

    Without ids that order is their distance from the mean, which is not changed either by what leaves cosines
    as they are: a rotation, a shift, a scale, and under the causal inner product any invertible map.
    """
    order = sample.rank()
    sample, second = sample.at(order), None if second is None else second[order]
    table, gauge = _gauge(sample.table, inner)
    if sample.about["joined_by"] != "id":
        mean = class_mean(table, torch.arange(len(table)))
        away = [torch.linalg.vector_norm(part - mean, dim=1) for part in table.split(CHUNK_ROWS)]
        order = torch.cat(away).argsort(stable=True)
        sample, second = sample.at(order), None if second is None else second[order]
        table = table[order]
    second_table = None if second is None else _gauge(second, inner)[0]
    return _Given(sample=sample, second=second, table=table, gauge=gauge, second_table=second_table)


def _affordable(concepts: int, dim: int, most: int) -> int:
    """Pairs of each concept that keep the second moments of all null draws within `WORK`."""
    wide = WORK / (42 * concepts * dim**2)
    narrow = (WORK / (42 * concepts**2 * dim)) ** 0.5
    return max(min(most, int(max(wide, narrow))), min(most, 100))


def _spread(table: Tensor) -> float:
    """Root mean square deviation from the mean, by coordinate."""
    mean = class_mean(table, torch.arange(len(table)))
    total = sum(float((part.to(torch.float64) - mean).square().sum()) for part in table.split(CHUNK_ROWS))
    return (total / table.numel()) ** 0.5
