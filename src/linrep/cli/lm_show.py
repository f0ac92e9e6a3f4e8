"""What the commands on language models print for a reader."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from linrep.page.lm.view import View
from linrep.page.numbers import ABSENT, cosine, count, short

if TYPE_CHECKING:
    from linrep.llm import LMResult, LoadOptions, SteerResult, TokenPolicy


def show_measurement(result: "LMResult", page: Path | None) -> None:
    """One line for each concept, then the verdict."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from linrep.page.lm.verdict import lines

    view = View(result)
    in_context = bool(view.context_concepts)
    heads = ["concept", "pairs", "linearity", "found"]
    heads[3:3] = [] if in_context else ["random"]
    shown = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for head in (*heads, "contexts", "alignment", "other", "rank") if in_context else heads:
        shown.add_column(head, no_wrap=head != "concept", min_width=12 if head == "concept" else len(head))
    for name in view.concepts:
        row = view.row("linearity", name, table="unembedding")
        pairs, value, null, found = view.linearity_cells(row, view.flag("found", name, table="unembedding"))
        cells = [escape(name), pairs, escape(value), null, found]
        if in_context:
            across = view.context_linearity(name)
            cells = [
                *(escape(name), pairs, cosine(row.value) if row else ABSENT, found),
                cosine(across.value) if across else ABSENT,
                *(view.cell(metric, name) for metric in ("alignment_direction", "alignment_other")),
                view.rank(name),
            ]
        shown.add_row(*cells)
    console = Console()
    console.print(shown)
    for line in lines(view):
        console.print(escape(f"{line.standing:>6}  {line.claim} {line.detail}".rstrip()), soft_wrap=True)
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True, highlight=False)


def show_steering(result: "SteerResult", page: Path | None) -> None:
    """Shift of the target and of the others by strength, and the likeliest next tokens."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    strengths = sorted({row.strength for row in result.rows})
    for prompt, tokens in result.tokens.items():
        shown = Table(box=None, header_style="bold")
        for head in ("strength", "target shift", "others, mean size", "likeliest next"):
            shown.add_column(head)
        for strength in strengths:
            rows = [row for row in result.rows if row.prompt == prompt and row.strength == strength]
            target = [row.shift for row in rows if row.target]
            others = [abs(row.shift) for row in rows if not row.target]
            mean = sum(others) / len(others) if others else None
            cells = [f"{strength:g}", short(target[0]), short(mean), " ".join(tokens[strength])]
            shown.add_row(*map(escape, cells))
        console.print(escape(prompt), soft_wrap=True, highlight=False)
        console.print(shown)
    console.print(escape(effect(result)), soft_wrap=True)
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True, highlight=False)


def effect(result: "SteerResult") -> str:
    """What a push did, in one sentence."""
    found = result.summary
    unit = "nat of strength" if found["unit"] == "nats" else "mean context difference"
    said = f"{found['concept']}: {short(found['target_shift_per_unit'])} nats a {unit}"
    if found["other_shift_per_unit"] is None:
        return f"{said}; no other concept to watch"
    return (
        f"{said}; other concepts {short(found['other_shift_per_unit'])}, "
        f"{short(found['other_to_target'])} of the target's"
    )


def builtin_record(tokenizer: str | None, load: "LoadOptions", policy: "TokenPolicy") -> dict[str, Any]:
    """Everything that ships, counted; with a tokenizer also the pairs that it keeps."""
    from linrep.llm.inputs import as_pairs
    from linrep.llm.loading import load_tokenizer
    from linrep.llm.paired_contexts import builtin_paired_contexts
    from linrep.llm.source import locate
    from linrep.llm.tokens import tokenise_pairs
    from linrep.llm.winograd import builtin_winograd
    from linrep.llm.word_pairs import builtin_word_pairs
    from linrep.llm.word_squares import builtin_word_squares

    contexts = {record.concept: record for record in builtin_paired_contexts()}
    twins = builtin_winograd()
    kept: dict[str, int] = {}
    reasons: dict[str, dict[str, int]] = {}
    space = None
    if tokenizer is not None:
        tokens = tokenise_pairs(load_tokenizer(locate(tokenizer, load)), as_pairs("builtin"), policy=policy)
        kept, space = tokens.counts(), tokens.leading_space
        for concept in tokens.concepts:
            reasons[concept] = dict(Counter(d.reason for d in tokens.dropped if d.concept == concept))
    concepts: list[dict[str, Any]] = []
    for pairs in builtin_word_pairs():
        own = contexts.get(pairs.concept)
        row: dict[str, Any] = {
            "concept": pairs.concept,
            "title": pairs.title,
            "pairs": len(pairs),
            "example": list(pairs.pairs[0]),
            "paired_contexts": len(own) if own else 0,
            "frames": len(own.frames) if own else 0,
            "provenance": pairs.provenance,
            "licence": pairs.licence,
            "note": pairs.note,
        }
        if tokenizer is not None:
            row |= {"kept": kept.get(pairs.concept, 0), "dropped": reasons.get(pairs.concept, {})}
        concepts.append(row)
    return {
        "tokenizer": tokenizer,
        "leading_space": space,
        "multi_token": policy.multi_token if tokenizer else None,
        "concepts": concepts,
        "squares": [
            {"first": each.first, "second": each.second, "squares": len(each), "provenance": each.provenance}
            for each in builtin_word_squares()
        ],
        "winograd": {"pairs": len(twins), "provenance": twins.provenance, "licence": twins.licence},
    }


def show_data(record: dict[str, Any]) -> None:
    """The built-in data as a table."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    counted = record["tokenizer"] is not None
    shown = Table(box=None, header_style="bold")
    for head in (
        "concept",
        "example",
        "pairs",
        *(("kept", "dropped") if counted else ()),
        "contexts",
        "frames",
    ):
        left = head in ("concept", "example", "dropped")
        shown.add_column(head, justify="left" if left else "right", no_wrap=head == "concept")
    for each in record["concepts"]:
        why = ", ".join(f"{number} {reason}" for reason, number in each.get("dropped", {}).items())
        contexts = [count(each[name]) if each[name] else ABSENT for name in ("paired_contexts", "frames")]
        own = [count(each["kept"]), escape(why)] if counted else []
        shown.add_row(
            escape(each["concept"]),
            escape(" / ".join(each["example"])),
            count(each["pairs"]),
            *own,
            *contexts,
        )
    console = Console()
    console.print(shown)
    pairs = sum(each["pairs"] for each in record["concepts"])
    squares = sum(each["squares"] for each in record["squares"])
    first = record["concepts"][0]
    said = f"{len(record['concepts'])} concepts, {count(pairs)} word pairs"
    if counted:
        said += f" ({count(sum(each['kept'] for each in record['concepts']))} kept by {record['tokenizer']}, "
        said += f"leading space: {record['leading_space']}, words of several tokens: {record['multi_token']})"
    said += f"; {squares} word squares; {record['winograd']['pairs']} Winograd pairs."
    console.print(escape(said), soft_wrap=True)
    typer.echo(f"All of it: {first['provenance']}, {first['licence']}.")
