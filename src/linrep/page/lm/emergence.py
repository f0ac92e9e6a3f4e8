"""The page of emergence: what becomes a direction when, against how often it occurs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import linrep
from linrep.files import one_line_errors, write_file
from linrep.llm import EmergenceResult
from linrep.llm.history.emerged import WORDS, Emerged, Look, Quantity, contexts
from linrep.page.lm import emergence_figures as figures
from linrep.page.lm.emergence_words import THRESHOLDS, kicker, lines, step_words, title
from linrep.page.numbers import ABSENT, cosine, count, short
from linrep.page.shell import Block, Page, Section, assemble
from linrep.runs.spreadsheet import frame_to_csv

AXIS = (
    "Steps stand on a logarithmic axis, which has no 0: step 0 stands left of the dotted line, not to "
    "scale. Bands are "
    "95 % intervals; the dotted level is what random pairs reach (97.5 %, the highest of all concepts)."
)


def save(result: EmergenceResult, out: Path) -> Path:
    """Write `result.json`, `table.parquet`, `table.csv` and `page.html`; returns the page."""
    with one_line_errors(out):
        result.save(out)
        write_file(out / "page.html", render(result).encode())
    return out / "page.html"


def render(result: EmergenceResult) -> str:
    """One HTML file that opens offline, its first figure the linearity of words over training."""
    return assemble(page(result))


def page(result: EmergenceResult) -> Page:
    """All that the page of emergence says, its first figure the linearity of words over training."""
    main, names = _main(result), _names(result)
    steps = [figures.by_step(result.looks, quantity, names, wide=quantity == WORDS) for quantity in main]
    sections = [
        Section(id="emergence", title="Emergence", intro=[AXIS], blocks=[*steps, _when(result)]),
        Section(
            id="frequency",
            title="How often words occur",
            short="Frequency",
            intro=_frequency_words(result),
            blocks=_frequency(result),
        ),
        Section(
            id="laboratory",
            title="Laboratory",
            intro=_laboratory_words(result),
            blocks=_laboratory(result),
            folded=True,
        ),
        Section(
            id="measures",
            title="Other measures",
            short="Measures",
            blocks=figures.others(result.looks, names),
            folded=True,
        ),
        Section(id="depth", title="Depth", blocks=_depth(result), folded=True),
        Section(id="checkpoints", title="Checkpoints", blocks=[_checkpoints(result)], folded=True),
    ]
    return Page(
        title=title(result),
        kicker=kicker(result),
        lines=lines(result),
        thresholds=THRESHOLDS,
        facts=_facts(result),
        sections=[section for section in sections if section.blocks],
        footer=f"linrep {linrep.__version__}. Similarities are cosines; log-odds are in nats.",
    )


def _names(result: EmergenceResult) -> list[str]:
    """All concepts, in one order for every figure."""
    return list(
        dict.fromkeys(row.concept for look in result.looks for row in look.rows if " × " not in row.concept)
    )


def _place(result: EmergenceResult) -> str:
    """Where contexts are read first of all: the head, or the one layer asked for."""
    layers = [quantity.layer for quantity in result.quantities if quantity.table == "embedding"]
    return layers[0] if layers else "head"


def _facts(result: EmergenceResult) -> list[tuple[str, str]]:
    data, looks = result.summary["data"], result.looks
    tokens = looks[-1].tokens
    read = (
        ""
        if tokens is None
        else f", {short(tokens / 1e9)} billion tokens"
        if tokens >= 1e9
        else f", {count(round(tokens))} tokens"
    )
    return [
        ("Model", str(result.summary["model"])),
        ("Checkpoints", f"{len(looks)}, step {count(looks[0].step)} to {count(looks[-1].step)}{read}"),
        ("Inner product", str(result.summary["inner"])),
        ("Data", ", ".join(f"{name} {data[name]}" for name in ("pairs", "contexts", "winograd"))),
        ("Counts", str(data["counts"])),
        ("Seed", str(result.summary["seed"])),
    ]


def when_rows(result: EmergenceResult) -> tuple[tuple[str, ...], list[list[str]]]:
    """Columns and rows: when each concept emerged, the commonest first where counts were given."""
    main = _main(result)
    found = {(each.quantity, each.concept): each for each in result.emerged}
    names = list(dict.fromkeys(each.concept for each in result.emerged if each.quantity in main))
    names.sort(key=lambda name: -result.frequencies[name].count if name in result.frequencies else 0.0)
    rows = [
        [
            name,
            count(round(result.frequencies[name].count)) if name in result.frequencies else ABSENT,
            *(_bracket(found.get((quantity, name))) for quantity in main),
            _last(result.looks[-1], name),
        ]
        for name in names
    ]
    heads = (
        "Concept",
        "occurrences",
        *(f"{quantity.words}, step" for quantity in main),
        "at the end",
    )
    return heads, rows


def _when(result: EmergenceResult) -> Block:
    columns, rows = when_rows(result)
    return Block(
        id="when",
        kind="table",
        title="When each concept emerged",
        caption="The first checkpoint from which on the interval stays beyond random pairs; in brackets the "
        "one before it. Occurrences: of the concept's words, in the counts that were given.",
        columns=columns,
        rows=rows,
        download=("table.csv", frame_to_csv(result.table)),
    )


def _main(result: EmergenceResult) -> list[Quantity]:
    """Words, contexts where they are read first of all, and alignment."""
    return [quantity for quantity in result.quantities if quantity.layer in ("", _place(result))]


def _bracket(each: Emerged | None) -> str:
    if each is None:
        return ABSENT
    if each.step is None:
        return "not yet"
    return (
        f"{count(each.step)} (by the first)"
        if each.after is None
        else f"{count(each.step)} ({count(each.after)})"
    )


def _last(look: Look, concept: str) -> str:
    row = look.row(WORDS, concept)
    return ABSENT if row is None else cosine(row.value)


def _frequency_words(result: EmergenceResult) -> list[str]:
    if not result.frequencies:
        return []
    said = [
        "A concept occurs as often as its rarer side: the words of its pairs, all together, or the words "
        "in which "
        "its contexts differ. Met by a step: that count times the share of training done, which is right "
        "where "
        "the counts are of what was read up to the last checkpoint."
    ]
    missing = sum(len(each.missing) for each in result.frequencies.values())
    if missing:
        said.append(
            f"{count(missing)} of the concepts' words are not in the counts, and are taken never to occur."
        )
    return said


def _frequency(result: EmergenceResult) -> list[Block]:
    found = result.by()
    if found is None:
        return []
    rows: list[list[str]] = []
    for each in found.checkpoints:
        cut = each.threshold
        p = "" if cut.p != cut.p else f", p {short(cut.p)}"
        rows.append(
            [
                count(each.step),
                f"{cut.directions} of {cut.concepts}",
                cosine(each.rank.value),
                _range(each.rank.interval95, cosine),
                ABSENT if cut.count is None else f"{count(round(cut.count))}{p}",
                ABSENT if cut.count is None else _range(cut.interval95, _whole),
            ]
        )
    table = Block(
        id="thresholds",
        kind="table",
        title="Linearity of words against occurrences, by checkpoint",
        caption="Rank: Spearman's correlation of linearity with the count. Threshold: the count at which "
        "a concept is as "
        "likely a direction as not, by logistic regression with Jeffreys' penalty; its interval by profile "
        "likelihood, “…” where the concepts leave an end open; p: how often counts dealt anew part "
        "directions "
        "from the others as well.",
        columns=("Step", "directions", "rank", "95 %", "threshold", "95 %"),
        rows=rows,
    )
    return [figures.by_count(result), figures.against_count(result), table]


def _whole(value: Any) -> str:
    return count(round(value))


def _range(ends: Sequence[float | None] | None, write: Any) -> str:
    if ends is None:
        return ABSENT
    low, high = ("…" if end is None else write(end) for end in ends)
    return f"[{low}, {high}]"


def _laboratory_words(result: EmergenceResult) -> list[str]:
    found = result.laboratory
    if found is None:
        return []
    return [
        f"Tables of width {found.dim}, trained by the paper's sampled descent on {found.world}, with "
        f"{len(found.concepts)} concepts known in {cosine(min(found.shares))} to "
        f"{cosine(max(found.shares))} of "
        "contexts, their unembeddings measured by the same ruler. The shape of a rise and the order of "
        "concepts "
        "can be compared with the model's; steps cannot: a step of tables reads 100 words, each with its "
        "context."
    ]


def _laboratory(result: EmergenceResult) -> list[Block]:
    found = result.laboratory
    if found is None:
        return []
    rows = [
        [name, cosine(share), step_words(found.looks, name)]
        for share, name in sorted(zip(found.shares, found.concepts, strict=True), reverse=True)
    ]
    table = Block(
        id="laboratory-table",
        kind="table",
        title="When concepts of the tables emerged",
        columns=("Concept", "known in", "step"),
        rows=rows,
    )
    own = _names(result)
    names = own if set(found.concepts) <= set(own) else found.concepts
    return [
        figures.by_step(
            found.looks, WORDS, names, title="The laboratory's tables", name="laboratory-linearity"
        ),
        table,
    ]


def _depth(result: EmergenceResult) -> list[Block]:
    layers = [quantity.layer for quantity in result.quantities if quantity.table == "embedding"]
    if len(layers) < 2:
        return []
    places = sorted((layer for layer in layers if layer != "head"), key=int)
    return [
        figures.by_depth(
            result.looks, [contexts(layer) for layer in (*places, *(["head"] if "head" in layers else []))]
        )
    ]


def _checkpoints(result: EmergenceResult) -> Block:
    rows = [
        [
            str(each["name"]),
            count(each["step"]),
            ABSENT if each["tokens"] is None else count(round(each["tokens"])),
            str(each["revision"] or "local"),
            "; ".join([*each["notes"], *each["warnings"]]) or ABSENT,
        ]
        for each in result.summary["measured"]
    ]
    return Block(
        id="measured",
        kind="table",
        title="What was measured",
        columns=("Checkpoint", "step", "tokens", "revision", "notes"),
        rows=rows,
    )
