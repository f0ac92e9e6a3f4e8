"""Worlds of concepts with several values, flat and nested: simplices, and parents above their children.

Where the values of a concept are alike, any solution that keeps their symmetry has both: a Gram matrix that
no permutation of them changes makes their vertices a regular simplex and puts them at right angles to their
parent. In "nested twice" they are not alike, and nothing forces the right angle.
"""

import math
from collections.abc import Iterator, Sequence

import torch

from linrep.intervals import ANYWHERE
from linrep.laboratory.shapes import DEVIATION, OVERLAP, SHARE, hierarchies
from linrep.page import axis_words
from linrep.page.chart import Series, chart, colour, numeric
from linrep.page.numbers import cosine, listed, short
from linrep.page.shell import Block
from linrep.paper.effects import UNIT, Held, below, judged
from linrep.paper.ended import mean_over
from linrep.paper.orthogonality import inner_products
from linrep.paper.own_control import less
from linrep.paper.record import EXCESS, LINEARITY_G, Answer, Column, Experiment, nothing, percent
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.sweeps.numbers import At, Numbers, Row, Spread, Words

WORLD, K = "world", "model.dim"
G, F, CAUSAL = "unembedding", "embedding", "unembedding, causal"
RANK = 6
"""Affine rank of the tokens of every world in the sweep."""
REGULAR = 3.0
"""Degrees: the angle whose sine is SMALL, rounded."""
SMALL = 0.05
HALF = 0.5
DEALS = 5
RULE = (
    f"In g, in every world and at every width from k = {RANK} on, the affine rank of every world's tokens: "
    f"simplices are off the regular angles by less than {REGULAR:g}° (root mean square), a parent's mean "
    f"|cosine| with child minus parent lies below {SMALL}, and each below {percent(HALF)} of the same "
    "measure on dealt labels (the table's rows shuffled), run by run. “Yes” if all of it holds, “no” if some "
    "of it fails. In the causal inner product the overlap is zero for any labels from k = tokens − 1 on, for "
    "dealt ones too: there it is no evidence, and it does not enter."
)


def answer(numbers: Numbers) -> Answer:
    """Regular, orthogonal, and more so than dealt labels, in every cell where they exist."""
    simplices, parents = (_held(numbers, measure) for measure in (DEVIATION, OVERLAP))
    effects = [held for _, pair in (*simplices, *parents) for held in pair]
    if not simplices or not parents:
        return nothing(RULE)
    said = (
        f"vertices form regular simplices in {_holding(simplices)} (farthest: {_farthest(simplices, '°')}), "
        f"and a parent is orthogonal to child minus parent in {_holding(parents)} (|cosine|, farthest: "
        f"{_farthest(parents)}){_causal(numbers)}."
    )
    return Answer(
        standing=judged(effects),
        finding=said,
        rule=RULE,
        effects=tuple(effects),
        would_change="A world whose values are alike and whose vertices are not, or the other way round.",
    )


Cells = Sequence[tuple[str, tuple[Held, Held]]]
"""Where, and what is held there: the measure itself, and beside dealt labels."""


def _held(numbers: Numbers, measure: str) -> Cells:
    """A measure of g in every cell from the rank on where it exists."""
    write, limit = (short, REGULAR) if measure == DEVIATION else (cosine, SMALL)
    words = "simplices off by degrees" if measure == DEVIATION else "parent and child − parent"
    found: list[tuple[str, tuple[Held, Held]]] = []
    for world, part in numbers.each(WORLD):
        for k, cell in part.each(K):
            if int(k) < RANK or not len(cell.values(measure, G)):
                continue
            where = f"{world}, k = {k}"
            own = mean_over(cell, measure, G, ANYWHERE if measure == DEVIATION else UNIT)
            beside = less(cell, (measure, G), (measure, G), share=HALF, kind="null")
            pair = (
                below(f"{words}, {where}", own, limit, write),
                below(f"{words}, less half of dealt labels, {where}", beside, 0.0, write),
            )
            found.append((where, pair))
    return found


def _holding(cells: Cells) -> str:
    """In how many worlds both hold, width by width."""
    widths: dict[str, list[bool]] = {}
    for where, pair in cells:
        widths.setdefault(where.partition(", ")[2], []).append(all(each.standing == "yes" for each in pair))
    return listed([f"{sum(held)} of {len(held)} worlds at {k}" for k, held in widths.items()])


def _farthest(cells: Cells, unit: str = "") -> str:
    sure = [(own.effect.value, where) for where, (own, _) in cells if not math.isnan(own.effect.value)]
    return f"{short(max(sure)[0])}{unit} for {max(sure)[1]}" if sure else "nowhere measured"


def _causal(numbers: Numbers) -> str:
    """The causal inner product's, at every width; nothing where it was not measured."""
    said = [
        f"{cosine(value)} at k = {k} (dealt labels {cosine(part.mean(OVERLAP, CAUSAL, kind='null'))})"
        for k, part in numbers.each(K)
        if not math.isnan(value := part.mean(OVERLAP, CAUSAL, ended="converged"))
    ]
    return f"; in the causal inner product it is {listed(said)}" if said else ""


def figures(numbers: Numbers) -> list[Block]:
    """Deviation and overlap of g against k; overlap of f, and in the causal product."""
    blocks = [
        _chart("simplices", "Simplices of g", numbers, DEVIATION, G),
        _chart("overlap-g", "Parent and child − parent, g", numbers, OVERLAP, G),
        _chart("overlap-f", "Parent and child − parent, f", numbers, OVERLAP, F),
        _chart("overlap-causal", "Parent and child − parent, g, causal", numbers, OVERLAP, CAUSAL),
    ]
    return [block for block in blocks if (block.spec or {})["data"]]


def _chart(name: str, title: str, numbers: Numbers, measure: str, table: str) -> Block:
    """One line a world, beside all worlds' dealt labels and tables before training."""
    lines = [
        _line(world, colour(index), part, measure, table)
        for index, (world, part) in enumerate(numbers.each(WORLD))
    ]
    lines += [
        _line("dealt labels", "--null", numbers, measure, table, kind="null", control=True),
        _line("wide start", "--predicted", numbers, measure, table, at="start", control=True),
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
        caption=f"The tokens of each world span {RANK} dimensions. Runs that converged, or all if none did. "
        "Controls are means over the worlds.",
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
    """A measure over k, where there is any: of the runs that converged, or of all where none did."""

    def spread(cell: Numbers) -> Spread:
        ended: Words | None = "converged" if cell.runs(ended="converged") else None
        return cell.spread(measure, table, at=at, kind=kind, ended=ended)

    found = [(k, spread(cell)) for k, cell in numbers.each(K)]
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
    """The overlap in the causal inner product, before training and after, and on dealt labels."""
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
