"""Index pairs: which two rows of a table are subtracted to give one steering vector, and of which concept."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from jaxtyping import Float64, Int, Int64
from torch import Tensor

from linrep.errors import InputError


def over_contrasts(
    values: Float64[Tensor, "rows contrasts"], concept_of: Int64[Tensor, " contrasts"] | None
) -> Float64[Tensor, "rows concepts"]:
    """Mean over the contrasts of each concept that have a value; NaN where none has.

    Naively: ``torch.stack([values[:, concept_of == i].nanmean(1) for i in range(concepts)], 1)``.

    Args:
        values: One number per contrast; NaN marks what does not exist.
        concept_of: The concept of each contrast, every concept at least once; None = each is its own.

    Example:
        >>> values = torch.tensor([[0.5, 1.0, torch.nan]], dtype=torch.float64)
        >>> over_contrasts(values, torch.tensor([0, 1, 1]))
        tensor([[0.5000, 1.0000]], dtype=torch.float64)
    """
    if concept_of is None:
        return values
    members = _members(concept_of, values)
    present = ~values.isnan()
    return (values.nan_to_num() @ members) / (present.to(values.dtype) @ members)


def matrix_over_contrasts(
    matrix: Float64[Tensor, "rows contrasts contrasts"],
    concept_of: Int64[Tensor, " contrasts"] | None,
    *,
    squared: bool = False,
) -> Float64[Tensor, "rows concepts concepts"]:
    """Mean over every two contrasts of two concepts; on the diagonal, of each contrast with itself.

    Two contrasts of one concept share a value, so what they say of each other is no property of the concept.

    Args:
        matrix: Contrast × contrast; NaN marks what does not exist.
        concept_of: As for :func:`over_contrasts`.
        squared: Root of the mean square instead of the mean.
    """
    if concept_of is None:
        return matrix
    members = _members(concept_of, matrix)
    same = concept_of[:, None] == concept_of
    same.fill_diagonal_(False)
    known = matrix.masked_fill(same, torch.nan)
    known = known.square() if squared else known
    total = members.mT @ known.nan_to_num() @ members
    mean = total / (members.mT @ (~known.isnan()).to(matrix.dtype) @ members)
    return mean.sqrt() if squared else mean


def _members(concept_of: Int64[Tensor, " contrasts"], like: Tensor) -> Float64[Tensor, "contrasts concepts"]:
    return torch.nn.functional.one_hot(concept_of).to(like)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Pairs of rows, told apart by group: one group per concept, or per (run, concept) once stacked.

    Example:
        >>> pairs = pairs_from_lists([[(0, 1)], []])
        >>> pairs.groups, pairs.counts()
        (2, tensor([1, 0]))
    """

    low: Int64[Tensor, " pairs"]
    """The row that is subtracted: the concept's value is `low` there."""
    high: Int64[Tensor, " pairs"]
    """The row it is subtracted from."""
    group: Int64[Tensor, " pairs"]
    """The group of each pair, ascending."""
    groups: int
    """How many groups there are, those without a pair included."""
    draws: int = 1
    """Of so many sets of groups, one behind the other: each has the counts of the first."""

    def counts(self) -> Int64[Tensor, " groups"]:
        """The number of pairs in each group."""
        return torch.bincount(self.group, minlength=self.groups)

    def to(self, device: torch.device | str) -> "Pairs":
        """The same pairs, their indices on another device."""
        return Pairs(
            low=self.low.to(device),
            high=self.high.to(device),
            group=self.group.to(device),
            groups=self.groups,
            draws=self.draws,
        )


def pairs_from_lists(pairs: Sequence[Sequence[tuple[int, int]]]) -> Pairs:
    """Pairs from plain lists of (low row, high row), one list per concept; a list may be empty.

    Example:
        >>> pairs_from_lists([[(0, 1), (2, 3)], [], [(0, 2)]]).counts()
        tensor([2, 0, 1])
    """
    flat = [(low, high, group) for group, rows in enumerate(pairs) for low, high in rows]
    table = torch.tensor(flat, dtype=torch.int64).reshape(-1, 3)
    return Pairs(low=table[:, 0], high=table[:, 1], group=table[:, 2], groups=len(pairs))


Contrast = tuple[int, int, int]
"""(concept, low, high): two values of a concept, whose difference is one kind of steering vector."""


def contrasts(sizes: Sequence[int]) -> tuple[Contrast, ...]:
    """Every two values of every concept, one contrast for a binary one, s(s-1)/2 for one of s values.

    Example:
        >>> contrasts([2, 3])
        ((0, 0, 1), (1, 0, 1), (1, 0, 2), (1, 1, 2))
    """
    return tuple(
        (concept, low, high)
        for concept, size in enumerate(sizes)
        for low, high in combinations(range(size), 2)
    )


def counterfactual_pairs(codes: Int[Tensor, "rows concepts"], *, low: int = 0, high: int = 1) -> Pairs:
    r"""All pairs of rows that are equal but in concept i, `low` in one and `high` in the other; group = i.

    Naively: ``[(a, b) for i in range(m) for a in rows for b in rows if a[i] == 0 and b == flip(a, i)]``.

    Args:
        codes: One row of digits per token or context. Any other digit (such as that of "unknown") never makes
            a pair in its own concept, and must be equal in both rows elsewhere.
        low: The digit of the row that is subtracted.
        high: The digit of the row it is subtracted from.

    Returns:
        The pairs, by concept, within a concept in the order of the `low` rows. O(rows · concepts · log rows).

    Raises:
        InputError: If two rows are equal (which one is meant is undecided).

    Example:
        >>> pairs = counterfactual_pairs(torch.tensor([[0, 0], [0, 1], [1, 0]]))
        >>> pairs.low.tolist(), pairs.high.tolist(), pairs.group.tolist()
        ([0, 0], [2, 1], [0, 1])

    References:
        docs/theory, section 2, "Steering vectors".
    """
    return contrast_pairs(codes, [(concept, low, high) for concept in range(codes.shape[1])])


def contrast_pairs(codes: Int[Tensor, "rows concepts"], wanted: Sequence[Contrast]) -> Pairs:
    r"""All pairs of rows that are equal but in one concept, for each contrast; group = place of the contrast.

    Naively: ``[(a, b) for i, u, v in wanted for a in rows for b in rows if (a[i], b) == (u, put(a, i, v))]``.

    Args:
        codes: As for :func:`counterfactual_pairs`.
        wanted: The contrasts, such as all of :func:`contrasts`.

    Returns:
        The pairs, by contrast. O(rows · contrasts · log rows).

    Raises:
        InputError: As :func:`counterfactual_pairs`.

    Example:
        >>> contrast_pairs(torch.tensor([[0], [1], [2]]), contrasts([3])).high.tolist()
        [1, 2, 2]
    """
    key, strides = row_keys(codes)
    ordered, order = torch.sort(key)
    if bool((ordered[1:] == ordered[:-1]).any()):
        where = int((ordered[1:] == ordered[:-1]).nonzero()[0, 0])
        first, second = sorted((int(order[where]), int(order[where + 1])))
        raise InputError(f"codes: expected distinct rows, got rows {first} and {second} equal; drop one")
    lows: list[Tensor] = []
    highs: list[Tensor] = []
    for concept, low, high in wanted:
        candidates = (codes[:, concept] == low).nonzero()[:, 0]
        partner = key[candidates] + (high - low) * strides[concept]
        at = torch.searchsorted(ordered, partner).clamp(max=max(len(key) - 1, 0))
        # One stride away may lie another row, where the digit leaves the column's range: look at the digit.
        found = (ordered[at] == partner) & (codes[order[at], concept] == high)
        lows.append(candidates[found])
        highs.append(order[at[found]])
    sizes = torch.tensor([len(rows) for rows in lows], dtype=torch.int64, device=codes.device)
    group = torch.repeat_interleave(torch.arange(len(wanted), device=codes.device), sizes)
    return Pairs(low=torch.cat(lows), high=torch.cat(highs), group=group, groups=len(wanted))


def row_keys(
    codes: Int[Tensor, "rows concepts"],
) -> tuple[Int64[Tensor, " rows"], Int64[Tensor, " concepts"]]:
    """One integer per row of digits, equal only for equal rows, and what a step in each column adds to it.

    Raises:
        InputError: If there is no column.
    """
    if codes.shape[1] == 0:
        raise InputError("codes: expected at least one concept, got none; give one column per concept")
    strides = key_strides([int(each) + 1 for each in codes.amax(0)] if len(codes) else [1] * codes.shape[1])
    strides = strides.to(codes.device)
    # A sum of products, since integer matrix products do not exist on every device.
    return (codes.to(torch.int64) * strides).sum(1), strides


def key_strides(widths: Sequence[int]) -> Int64[Tensor, " columns"]:
    r"""What each column's digit is multiplied by, so that sums of rows of digits are keys of them.

    Mixed radix where the widths multiply to no more than :math:`2^{62}`. More columns get fixed random
    multipliers and sums wrap at :math:`2^{64}`: two given rows, or some columns of them, then share a key
    with probability below :math:`2^{-57}`, that is one chance in :math:`10^8` for all of the :math:`10^9`
    comparisons that a world of thousands of tokens takes.

    Naively: ``[prod(widths[i + 1 :]) for i in range(len(widths))]``.

    Args:
        widths: Digits of each column, 0 to width - 1.

    Example:
        >>> key_strides([2, 3, 2]).tolist()
        [6, 2, 1]
    """
    strides = [1] * len(widths)
    for i in reversed(range(len(widths) - 1)):
        strides[i] = strides[i + 1] * max(widths[i + 1], 1)
    if strides[0] * max(widths[0], 1) <= 2**62:
        return torch.tensor(strides)
    draw = torch.Generator().manual_seed(len(widths))
    return torch.randint(-(2**63), 2**63 - 1, (len(widths),), generator=draw)


def stack(pairs_per_run: Sequence[Pairs], rows: int) -> Pairs:
    """The pairs of a batch of runs as pairs of one flat table: run r's rows and groups are offset by r.

    Args:
        pairs_per_run: One `Pairs` per run, all with the same number of groups.
        rows: Rows per run in the table ``[runs, rows, dim]``, padding included.

    Returns:
        Pairs of rows of ``table.flatten(0, 1)``; group = run · groups + concept.

    Raises:
        InputError: If runs differ in the number of groups, or there is no run.

    Example:
        >>> one = pairs_from_lists([[(0, 1)], [(0, 2)]])
        >>> stack([one, one], rows=3).low.tolist(), stack([one, one], rows=3).group.tolist()
        ([0, 0, 3, 3], [0, 1, 2, 3])
    """
    groups = {pairs.groups for pairs in pairs_per_run}
    if len(groups) != 1:
        raise InputError(
            f"pairs_per_run: expected one number of groups, got {sorted(groups)}; align the concepts"
        )
    concepts = groups.pop()
    return Pairs(
        low=torch.cat([pairs.low + run * rows for run, pairs in enumerate(pairs_per_run)]),
        high=torch.cat([pairs.high + run * rows for run, pairs in enumerate(pairs_per_run)]),
        group=torch.cat([pairs.group + run * concepts for run, pairs in enumerate(pairs_per_run)]),
        groups=len(pairs_per_run) * concepts,
    )


def repeat(pairs: Pairs, runs: int, rows: int) -> Pairs:
    """`stack([pairs] * runs, rows)`: one set of pairs shared by all runs.

    Example:
        >>> repeat(pairs_from_lists([[(0, 1)]]), 3, 2).high.tolist()
        [1, 3, 5]
    """
    return stack([pairs] * runs, rows)


def random_pairs(
    pairs: Pairs, *, rows: Int64[Tensor, " runs"], stride: int, generator: torch.Generator
) -> Pairs:
    """The null "random pairs": the same pairs after the rows of each run are dealt anew, at random.

    Every pair becomes two distinct random rows of its run; counts stay, and so does who shares a row with
    whom: with few rows that alone makes concepts look related, so pairs drawn one by one would mislead.

    Args:
        pairs: The pairs to imitate; their groups split evenly over the runs.
        rows: How many rows of each run are real: the first ones. Padding is never drawn.
        stride: Rows per run in the flat table, padding included.
        generator: Draws the permutation of each run.

    Example:
        >>> pairs = pairs_from_lists([[(0, 1), (2, 3)]])
        >>> drawn = random_pairs(pairs, rows=torch.tensor([4]), stride=6, generator=torch.Generator())
        >>> sorted(drawn.low.tolist() + drawn.high.tolist())
        [0, 1, 2, 3]
    """
    return pairs_of_dealt_rows(pairs, uniform(len(rows), stride, generator=generator)[None], rows=rows)


def pairs_of_dealt_rows(
    pairs: Pairs, noise: Float64[Tensor, "draws runs stride"], *, rows: Int64[Tensor, " runs"]
) -> Pairs:
    """:func:`random_pairs` of several draws.

    Args:
        pairs: As there.
        noise: By which the rows of each run are sorted.
        rows: As there.
    """
    device, (_, runs, stride) = pairs.group.device, noise.shape
    # Padding keeps its place behind the real rows, whose random keys are below 1.
    position = torch.arange(stride, device=device)
    key = torch.where(position < rows.to(device)[:, None], noise.to(device), 1.0 + position)
    dealt = (key.argsort(2) + stride * torch.arange(runs, device=device)[:, None]).flatten(1)
    return _drawn(pairs, dealt[:, pairs.low], dealt[:, pairs.high])


def shuffled_pairs(pairs: Pairs, *, generator: torch.Generator) -> Pairs:
    """The null "shuffled pairs": within each group the high rows are dealt anew to the low rows.

    It destroys who belongs to whom but keeps the difference between the two sides' means, so a concept that
    is a direction keeps part of its linearity here. Where that is not wanted, use `random_pairs`.

    Example:
        >>> pairs = pairs_from_lists([[(0, 1), (2, 3)]])
        >>> sorted(shuffled_pairs(pairs, generator=torch.Generator()).high.tolist())
        [1, 3]
    """
    return pairs_of_dealt_ends(pairs, uniform(len(pairs.group), generator=generator)[None])


def pairs_of_dealt_ends(pairs: Pairs, noise: Float64[Tensor, "draws pairs"]) -> Pairs:
    """:func:`shuffled_pairs` of several draws.

    Args:
        pairs: As there.
        noise: By which the high rows of each group are sorted.
    """
    # Group first, noise second: two stable sorts.
    order = torch.argsort(noise.to(pairs.group.device), dim=1)
    order = order.gather(1, torch.argsort(pairs.group[order], dim=1, stable=True))
    return _drawn(pairs, pairs.low.expand(len(noise), -1), pairs.high[order])


def uniform(*shape: int, generator: torch.Generator) -> Float64[Tensor, "..."]:
    """Random numbers in [0, 1), where the generator draws."""
    return torch.rand(*shape, dtype=torch.float64, generator=generator, device=generator.device)


def _drawn(pairs: Pairs, low: Int64[Tensor, "draws pairs"], high: Int64[Tensor, "draws pairs"]) -> Pairs:
    draws = len(low)
    offset = pairs.groups * torch.arange(draws, device=low.device)[:, None]
    return Pairs(
        low=low.flatten(),
        high=high.flatten(),
        group=(pairs.group + offset).flatten(),
        groups=draws * pairs.groups,
        draws=draws,
    )


def side_by_side(first: Pairs, second: Pairs) -> Pairs:
    """Two sets of pairs of the same counts, as two draws.

    Example:
        >>> one = pairs_from_lists([[(0, 1)], [(0, 2)]])
        >>> both = side_by_side(one, one)
        >>> both.group.tolist(), both.draws
        ([0, 1, 2, 3], 2)
    """
    return Pairs(
        low=torch.cat([first.low, second.low]),
        high=torch.cat([first.high, second.high]),
        group=torch.cat([first.group, second.group + first.groups]),
        groups=first.groups + second.groups,
        draws=first.draws + second.draws,
    )
