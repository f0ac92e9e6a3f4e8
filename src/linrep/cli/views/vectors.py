"""Measured vectors in a terminal."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from linrep.page.numbers import ABSENT, cosine, count, short

if TYPE_CHECKING:
    from linrep.laboratory import Reading
    from linrep.runs.row import Row
    from linrep.vectors import VectorsResult

SHOWN = (
    ("linearity", "unembedding"),
    ("linearity", "embedding"),
    ("alignment", "both"),
    ("orthogonality.mean_directions", "unembedding"),
    ("log_odds_gap_nats", "both"),
)
"""Means of a reading, each by measure and table."""


def show(result: "VectorsResult", page: Path | None) -> None:
    """One line for each concept."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from linrep.page.vectors import answer, title

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
    console.print(escape(title(result)), style="bold", highlight=False)
    console.print(shown)
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True)


def show_reading(reading: "Reading", page: Path | None) -> None:
    """Five means over concepts, with their intervals and nulls; all of them stand on the page."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from linrep.page.reading import row_name, title

    shown = Table("measure", "value", "95 % interval", "null (95 %)", "pairs", box=None, header_style="bold")
    means = {(row.measure, row.table): row for row in reading.rows if not row.concept}
    found = [means[key] for key in SHOWN if key in means]
    for row in found:
        shown.add_row(escape(row_name(row)), *_written(row), count(row.pairs) if row.pairs else ABSENT)
    console = Console()
    console.print(escape(title(reading)), style="bold", highlight=False)
    console.print(shown)
    if len(means) > len(found):
        console.print(f"{len(means) - len(found)} more measures stand on the page", highlight=False)
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True)


def _written(row: "Row") -> list[str]:
    write = short if row.measure.endswith("_nats") else cosine
    between = ABSENT if math.isnan(row.low) else f"\\[{write(row.low)}, {write(row.high)}]"
    high = "" if math.isnan(row.null.q95) else f" ({write(row.null.q95)})"
    return [write(row.value), between, ABSENT if math.isnan(row.null.mean) else write(row.null.mean) + high]
