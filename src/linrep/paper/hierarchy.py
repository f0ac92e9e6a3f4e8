"""Worlds of concepts with several values, flat and nested: simplices, and parents above their children.

Where the values of a concept are alike, any solution that keeps their symmetry has both: a Gram matrix that
no permutation of them changes makes their vertices a regular simplex and puts them at right angles to their
parent. In "nested twice" they are not alike, and nothing forces the right angle.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from linrep.laboratory.shapes import DEVIATION, OVERLAP, SHARE, hierarchies
from linrep.page.chart import Series, chart, colour, numeric
from linrep.page.numbers import cosine, listed, short
from linrep.page.shell import Block
from linrep.paper import axis_words
from linrep.paper.former import MATCHED, SMALL
from linrep.paper.orthogonality import inner_products
from linrep.paper.record import EXCESS, LINEARITY_G, Answer, Column, Experiment, nothing, percent
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.sweeps.numbers import At, Numbers, Row

METHOD, WORLD, K = "method", "world", "model.dim"
G, F, CAUSAL = "unembedding", "embedding", "unembedding, causal"
RANK = 6
"""Affine rank of the tokens of every world in the sweep."""
REGULAR = 3.0
"""Degrees: the angle whose sine is SMALL, rounded."""
DEALS = 5
RULE = (
    f"A cell is a method, a world and a width from k = {RANK} on, the affine rank of every world's tokens. "
    "In g, simplices count as regular in a cell when their angles are off by at most "
    f"{REGULAR:g}° (root mean square), a parent as orthogonal to child minus parent up to a mean |cosine| "
    f"of {SMALL}; and each must be at most {percent(MATCHED)} of the same measure untrained, and on dealt "
    "labels (the table's rows shuffled). “Yes” if both hold in every cell where they exist, “undecided” if "
    "one of them does in some cell, else “no”. In the causal inner product the overlap is zero for any "
    "labels from k = tokens − 1 on, for dealt ones too: there it is no evidence, and it does not enter."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A measure in one cell, with its controls."""

    where: str
    value: float
    null: float
    untrained: float

    def holds(self, limit: float) -> bool:
        """Whether it is small by itself and beside both controls; never without one of them."""
        shares = (MATCHED * self.null, MATCHED * self.untrained)
        return self.value <= limit and all(self.value <= share for share in shares)


def answer(numbers: Numbers) -> Answer:
    """In how many cells each of the two holds, and the cell farthest off."""
    simplices, parents = (_found(numbers, measure) for measure in (DEVIATION, OVERLAP))
    if not simplices or not parents:
        return nothing(RULE)
    regular = sum(each.holds(REGULAR) for each in simplices)
    straight = sum(each.holds(SMALL) for each in parents)
    every = regular == len(simplices) and straight == len(parents)
    finding = (
        f"vertices form regular simplices in {regular} of {len(simplices)} cells "
        f"(off by {_typical(numbers, DEVIATION, '°')}; farthest {_farthest(simplices, '°')}), and a parent "
        f"is orthogonal to child minus parent in {straight} of {len(parents)} (|cosine| "
        f"{_typical(numbers, OVERLAP)}; farthest {_farthest(parents)}){_causal(numbers)}."
    )
    standing = "yes" if every else "undecided" if regular or straight else "no"
    return Answer(standing=standing, finding=finding, rule=RULE)


def _found(numbers: Numbers, measure: str) -> list[Found]:
    """A measure of g in every cell from the rank on where it exists."""
    found: list[Found] = []
    for method, one in numbers.each(METHOD):
        for world, two in one.each(WORLD):
            for k, cell in two.each(K):
                value = cell.mean(measure, G)
                if int(k) >= RANK and not math.isnan(value):
                    controls = cell.mean(measure, G, kind="null"), cell.mean(measure, G, at="start")
                    where = f"{world}, {method}, k = {k}"
                    found.append(Found(where=where, value=value, null=controls[0], untrained=controls[1]))
    return found


def _farthest(found: Sequence[Found], unit: str = "") -> str:
    worst = max(found, key=lambda each: each.value)
    return f"{short(worst.value)}{unit} for {worst.where}, where dealt labels have {short(worst.null)}{unit}"


def _typical(numbers: Numbers, measure: str, unit: str = "") -> str:
    """A measure of g with its controls at the rank and at the widest, over methods and worlds."""
    cells = [(k, part) for k, part in numbers.each(K) if int(k) >= RANK and len(part.values(measure, G))]
    said: list[str] = []
    for k, part in (cells[0], *cells[1:][-1:]):
        null, start = part.mean(measure, G, kind="null"), part.mean(measure, G, at="start")
        controls = f"dealt labels {short(null)}{unit}, untrained {short(start)}{unit}"
        said.append(f"{short(part.mean(measure, G))}{unit} at k = {k} ({controls})")
    return f"on average {' and '.join(said)}"


def _causal(numbers: Numbers) -> str:
    """The causal inner product's, at every width; nothing where it was not measured."""
    said = [
        f"{cosine(value)} at k = {k} (dealt labels {cosine(part.mean(OVERLAP, CAUSAL, kind='null'))})"
        for k, part in numbers.each(K)
        if (value := part.mean(OVERLAP, CAUSAL)) == value
    ]
    return f"; in the causal inner product it is {listed(said)}" if said else ""


def figures(numbers: Numbers) -> list[Block]:
    """Deviation and overlap of g against k, for each method; overlap of f, and in the causal product."""
    blocks: list[Block] = []
    for method, part in numbers.each(METHOD):
        blocks += [
            _chart(f"simplices-{method}", f"Simplices of g, {method}", part, DEVIATION, G),
            _chart(f"overlap-{method}", f"Parent and child − parent, g, {method}", part, OVERLAP, G),
        ]
    blocks += [
        _chart("overlap-f", "Parent and child − parent, f", numbers, OVERLAP, F),
        _chart("overlap-causal", "Parent and child − parent, g, causal", numbers, OVERLAP, CAUSAL),
    ]
    return [block for block in blocks if (block.spec or {})["data"]]


def _chart(name: str, title: str, numbers: Numbers, measure: str, table: str) -> Block:
    """One line a world, beside all worlds' dealt labels and untrained tables."""
    lines = [
        _line(world, colour(index), part, measure, table)
        for index, (world, part) in enumerate(numbers.each(WORLD))
    ]
    lines += [
        _line("dealt labels", "--null", numbers, measure, table, kind="null", control=True),
        _line("untrained", "--predicted", numbers, measure, table, at="start", control=True),
    ]
    degrees = measure == DEVIATION
    return chart(
        name,
        title,
        [line for line in lines if line.x],
        x=axis_words.title(K),
        y="degrees off the regular angles" if degrees else "mean |cosine|",
        log_x=True,
        unit=False,
        caption=f"The tokens of each world span {RANK} dimensions. Controls are means over the worlds.",
    )


def _line(
    name: str,
    paint: str,
    numbers: Numbers,
    measure: str,
    table: str,
    *,
    at: At = "end",
    kind: str = "value",
    control: bool = False,
) -> Series:
    """A measure over k, where there is any."""
    found = [(k, cell.spread(measure, table, at=at, kind=kind)) for k, cell in numbers.each(K)]
    found = [(k, each) for k, each in found if each.runs]
    return Series(
        name=name,
        colour=paint,
        x=numeric([k for k, _ in found]),
        points=[each for _, each in found],
        dash="dot" if control else "solid",
        plain=control,
    )


def extra(result: Result) -> Iterator[Row]:
    """The overlap in the causal inner product, trained and untrained, and on dealt labels."""
    steps = result.snapshot_steps
    for run, world in enumerate(result.worlds):
        trained = result.unembedding[run].double()
        if not world.model.nests or not bool(trained.isfinite().all()):
            continue
        draw = generator(result.config.seed, "null", run, 5)
        tables = {steps[-1]: trained}
        if run < result.snapshots.shape[1]:
            tables[steps[0]] = result.snapshots[0, run].double()
        for step, table in tables.items():
            seen = inner_products(table, draw)["causal"]
            deals = [torch.randperm(len(seen), generator=draw) for _ in range(DEALS)]
            for kind, rows in (("value", seen[None]), ("null", torch.stack([seen[deal] for deal in deals]))):
                overlaps = hierarchies(world, rows, world.token_codes)
                yield step, run, OVERLAP, CAUSAL, kind, float(overlaps.nanmean())


EXPERIMENT = Experiment(
    name="hierarchy",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="simplices of g, off by degrees", measure=DEVIATION, table=G, write=short),
        Column(title="simplex share g", measure=SHARE, table=G),
        Column(title="parent and child − parent, g", measure=OVERLAP, table=G),
        Column(title="parent and child − parent, f", measure=OVERLAP, table=F),
        Column(title="parent and child − parent, g, causal", measure=OVERLAP, table=CAUSAL),
        LINEARITY_G,
        EXCESS,
    ),
    extra=extra,
)
