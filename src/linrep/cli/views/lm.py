"""A language model measured, or steered, in a terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from linrep.page.lm.view import View
from linrep.page.numbers import ABSENT, cosine, short

if TYPE_CHECKING:
    from linrep.llm import EmergenceResult, LMPaper, LMResult, SteerResult
    from linrep.llm.source import Source


def show_measurement(result: "LMResult", page: Path | None) -> None:
    """One line for each concept, then the verdict."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from linrep.cli.views.answers import say
    from linrep.page.lm.verdict import lines, title

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
                *(view.cell(measure, name) for measure in ("alignment_direction", "alignment_other")),
                view.rank(name),
            ]
        shown.add_row(*cells)
    console = Console()
    console.print(escape(title(view)), style="bold", highlight=False)
    console.print(shown)
    say(console, lines(view))
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True, highlight=False)


def show_paper(found: "LMPaper", written: Sequence[Path]) -> None:
    """The findings in the paper's order, one line each, and where page and figures lie."""
    from rich.console import Console
    from rich.markup import escape

    from linrep.cli.views.answers import say
    from linrep.page.lm.paper import Seen, lines, title

    console = Console()
    console.print(escape(title(Seen(found))), style="bold", highlight=False)
    say(console, lines(found))
    for path in written:
        kind = "page" if path.suffix == ".html" else "figure"
        console.print(f"{kind}  {path.resolve()}", soft_wrap=True, highlight=False)


def show_emergence(result: "EmergenceResult", page: Path) -> None:
    """When each concept emerged, then the verdict; the page's place, always."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from linrep.cli.views.answers import say
    from linrep.page.lm.emergence import when_rows
    from linrep.page.lm.emergence_words import lines, title

    shown = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    columns, rows = when_rows(result)
    for head in columns:
        shown.add_column(head, no_wrap=head != "Concept", min_width=12 if head == "Concept" else 5)
    for row in rows:
        shown.add_row(*map(escape, row))
    console = Console()
    console.print(escape(title(result)), style="bold", highlight=False)
    console.print(shown)
    say(console, lines(result))
    console.print(f"page  {page.resolve()}", soft_wrap=True, highlight=False)


def show_steering(result: "SteerResult", page: Path | None) -> None:
    """Shift of the target and of the others by strength, and the likeliest next tokens."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(escape(effect(result)), style="bold", highlight=False)
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
        console.print(escape(prompt), highlight=False)
        console.print(shown)
    for note in result.summary["notes"]:
        console.print(escape(f"note: {note}"), highlight=False)
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True, highlight=False)


def effect(result: "SteerResult") -> str:
    """What a push did, in one sentence."""
    found = result.summary
    unit = "nat of strength" if found["unit"].startswith("nats") else "mean context difference"
    said = f"{found['concept']}: {short(found['target_shift_per_unit'])} nats a {unit}"
    if (passes := found["head"].get("passes")) is not None:
        said += (
            f" (the soft-cap at {found['head']['soft_cap']:g} lets {short(passes)} of a small push through)"
        )
    if found["other_shift_per_unit"] is None:
        return f"{said}; no other concept to watch"
    return (
        f"{said}; other concepts {short(found['other_shift_per_unit'])}, "
        f"{short(found['other_to_target'])} of the target's"
    )


def estimate(source: "Source", *, in_full: bool) -> str:
    """What is about to be read, before it is."""
    from linrep.llm.source import estimate_bytes

    weights = estimate_bytes(source)
    if in_full:
        return f"loading {source.name}: about {size(weights)} of weights"
    config = source.config.get_text_config()
    width = getattr(config, "hidden_size", None)
    rows = getattr(config, "vocab_size", None)
    if not width or not rows:
        return f"reading one table of {source.name}, out of {size(weights)}"
    half = str(getattr(config, "dtype", "")).endswith("16")
    return f"reading one table of {source.name}: about {size(rows * width * (2 if half else 4))}" + (
        f" of {size(weights)}" if weights else ""
    )


def size(count: int | None) -> str:
    """Bytes for a reader.

    Example:
        >>> size(262_144_000), size(13_476_831_232), size(None)
        ('262 MB', '13.5 GB', 'an unknown number of bytes')
    """
    if count is None:
        return "an unknown number of bytes"
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{max(count / 1e6, 0.1):.3g} MB"
