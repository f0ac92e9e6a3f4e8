"""Measured vectors in a terminal."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linrep.laboratory import Reading
    from linrep.runs.row import Row
    from linrep.vectors import VectorsResult


def show(result: "VectorsResult", page: Path | None) -> None:
    """One line for each concept."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from linrep.page.numbers import cosine
    from linrep.page.vectors import answer

    carried = result.summary["transfer"] is not None
    shown = Table(box=None, header_style="bold")
    heads = ["concept", "found", "linearity", "chance", "measured on"]
    for head in [*heads, "carried"] if carried else heads:
        shown.add_column(head, no_wrap=head != "concept", min_width=18 if head == "concept" else None)
    for each in result.summary["concepts"]:
        name = each["name"]
        linear = result.value("linearity", name)
        bounds = "" if math.isnan(linear.low) else f" [{cosine(linear.low)}, {cosine(linear.high)}]"
        paired = each["method"] == "matched pairs"
        cells = [
            escape(name),
            answer(each["found"]),
            escape(cosine(linear.value) + bounds),
            cosine(linear.shuffled.q95 if math.isnan(linear.null.q95) else linear.null.q95),
            f"{each['pairs_used']:,} pairs" if paired else "class means",
        ]
        shown.add_row(*cells, *([cosine(result.value("transfer", name).value)] if carried else []))
    console = Console()
    console.print(shown)
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True)


def show_reading(reading: "Reading", page: Path | None) -> None:
    """Every mean over concepts, with its interval and its null."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("measure", "table", "value", "95 % interval", "null (95 %)", "pairs", box=None)
    for row in reading.rows:
        if not row.concept:
            shown.add_row(row.measure, row.table, *_written(row))
    console = Console()
    console.print(shown)
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True)


def _written(row: "Row") -> list[str]:
    from linrep.page.numbers import ABSENT, short

    between = ABSENT if math.isnan(row.low) else f"\\[{short(row.low)}, {short(row.high)}]"
    null = ABSENT if math.isnan(row.null.mean) else f"{short(row.null.mean)} ({short(row.null.q95)})"
    return [short(row.value), between, null, str(row.pairs or ABSENT)]
