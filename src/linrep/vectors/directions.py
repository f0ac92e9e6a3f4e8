"""One direction for each concept: mean unit difference of its pairs, or difference of its class means."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from linrep.geometry import Pairs, steering_moments
from linrep.linalg import normalise
from linrep.vectors.pairs import Design, of_group

CHUNK_ROWS = 8192
CHUNK = 2**21
"""Numbers per working buffer of pairs."""


def class_mean(table: Float[Tensor, "rows dim"], rows: Int64[Tensor, " some"]) -> Float64[Tensor, " dim"]:
    """Mean of some rows in float64, chunk by chunk.

    Naively: `table[rows].double().mean(0)`.
    """
    total = torch.zeros(table.shape[1], dtype=torch.float64)
    for part in rows.split(CHUNK_ROWS):
        total += table[part].sum(0, dtype=torch.float64)
    return total / max(len(rows), 1)


def directions(
    table: Float[Tensor, "rows dim"], design: Design, pairs: Pairs | None = None
) -> Float64[Tensor, "concepts dim"]:
    """A unit vector for each concept; zeros where there is none.

    Args:
        table: The vectors.
        design: What each concept is measured on.
        pairs: Instead of the design's pairs, such as some of them.
    """
    found = steering_moments(table, pairs or design.pairs, second=False).direction
    for i, method in enumerate(design.methods):
        if method == "class means":
            low, high = design.classes[i]
            if len(low) and len(high):
                found[i] = class_mean(table, high) - class_mean(table, low)
    return normalise(found)


def with_class_means(
    table: Float[Tensor, "rows dim"], design: Design
) -> tuple[Float[Tensor, "more dim"], Pairs]:
    """What the ruler is given: where a concept has no pairs, one pair of rows that are its class means.

    One vector has a direction but no linearity, so the ruler says that linearity does not exist there.
    """
    means: list[Tensor] = []
    low, high, group = [design.pairs.low], [design.pairs.high], [design.pairs.group]
    for i, method in enumerate(design.methods):
        if method == "class means":
            at = len(table) + len(means)
            means += [class_mean(table, rows) for rows in design.classes[i]]
            low.append(torch.tensor([at]))
            high.append(torch.tensor([at + 1]))
            group.append(torch.tensor([i]))
    if not means:
        return table, design.pairs
    groups = torch.cat(group)
    order = torch.argsort(groups, stable=True)
    pairs = Pairs(
        low=torch.cat(low)[order],
        high=torch.cat(high)[order],
        group=groups[order],
        groups=design.pairs.groups,
    )
    return torch.cat([table, torch.stack(means).to(table.dtype)]), pairs


def unit_chunks(
    table: Float[Tensor, "rows dim"], pairs: Pairs
) -> Iterator[tuple[slice, Float64[Tensor, "some dim"]]]:
    """Unit steering vectors in the order of the pairs, with positions; a difference of zero stays zero."""
    step = max(CHUNK // table.shape[1], 1)
    for start in range(0, len(pairs.low), step):
        at = slice(start, min(start + step, len(pairs.low)))
        yield at, normalise(table[pairs.high[at]].to(torch.float64) - table[pairs.low[at]])


def units(table: Float[Tensor, "rows dim"], pairs: Pairs, group: int) -> Float64[Tensor, "pairs dim"]:
    """The unit steering vectors of one concept; a difference of zero is left out."""
    parts = [unit for _, unit in unit_chunks(table, of_group(pairs, group))]
    found = torch.cat(parts) if parts else torch.zeros(0, table.shape[1], dtype=torch.float64)
    return found[found.any(1)]
