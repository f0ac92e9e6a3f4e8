"""A run in a terminal, and what of a folder of runs is not in its listing."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from linrep.errors import many
from linrep.page.gauge import gauge_words
from linrep.page.numbers import short
from linrep.page.reduction import reduction_words
from linrep.page.rising import rising_words
from linrep.runs.failures import FAILED, Failure

if TYPE_CHECKING:
    from rich.table import Table

    from linrep.laboratory.comparison import Beside
    from linrep.runs.result import Result
    from linrep.runs.summary import Key

MOST_TOLD = 10


def show(result: "Result", beside: "Beside | None", page: Path | None) -> None:
    """The finding in one sentence, five measures of it, what was trained, and where it all lies."""
    from rich.console import Console

    console = Console()
    for part in overview(result, beside, console.width):
        console.print(part, highlight=False)
    console.print(f"run   {result.folder}", soft_wrap=True, highlight=False)
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True, highlight=False)


def overview(result: "Result", beside: "Beside | None" = None, width: int = 80) -> "Iterator[Table | str]":
    """The finding in one sentence, both answers for five measures, and what was trained, for a terminal.

    Args:
        result: A finished run.
        beside: What theory says of it: the ends of the scales.
        width: Of the terminal, in characters.

    Yields:
        Things that rich prints.
    """
    from rich.markup import escape

    from linrep.cli.views.answers import LEGEND, measures
    from linrep.page.verdict import scale, title
    from linrep.page.view import view

    seen = view(result, beside)
    summary, config = result.summary, result.config
    yield f"[bold]{escape(title(seen))}[/]"
    yield measures([scale(seen, key) for key in SHOWN], width)
    yield f"[dim]{LEGEND}[/]"
    yield f"{summary.ended.words}; excess loss {short(summary.final.excess_loss_nats.median)} nats (median)"
    counts = summary.counts
    dropped = f", {counts.dropped_contexts:,} impossible" if counts.dropped_contexts else ""
    yield (
        f"{many(len(summary.concepts), 'concept')}, {many(counts.contexts, 'context')}{dropped}, "
        f"{many(counts.tokens, 'token')}, dimension {config.model.dim}; {config.training.optimizer}, "
        f"{many(config.training.steps, 'step')}"
    )
    if (reduced := reduction_words(summary.reduction, len(summary.concepts))) is not None:
        yield reduced
    if (gauge := gauge_words(summary.gauge)) is not None:
        yield gauge[0]
    if (risen := rising_words(summary.rises, config.training.step_size)) is not None:
        yield risen[0]


SHOWN: tuple["Key", ...] = (
    ("linearity", "unembedding"),
    ("linearity", "embedding"),
    ("alignment", ""),
    ("orthogonality.mean_directions", "unembedding"),
    ("log_odds_gap_nats", ""),
)
"""Measures of a run."""


def listing_of_damaged(damaged: Sequence[str], out: Path) -> Iterator[str]:
    """The runs that cannot be read, and why.

    Args:
        damaged: A line for each.
        out: The folder of runs.

    Yields:
        Lines for the first ten, and how many there are in all.
    """
    for line in damaged[:MOST_TOLD]:
        yield f"{line}; left out"
    if len(damaged) > MOST_TOLD:
        yield f"damaged: {len(damaged):,} runs in all; `linrep validate {out}/*` names them"


def listing_of_failed(failed: Sequence[Failure], out: Path, *, condition: str | None) -> Iterator[str]:
    """The cells of sweeps that ended without a run, and why.

    Args:
        failed: Of a folder of runs.
        out: That folder.
        condition: By which runs were chosen. What failed has no fields to be chosen by: it is only counted.

    Yields:
        Lines for the first ten, and how many more there are.
    """
    if failed and condition is not None:
        yield f"failed, whatever --where asks: {len(failed):,}; `linrep runs --out {out}` names them"
        return
    for each in failed[:MOST_TOLD]:
        yield f"failed: {each.label} ({each.key}): {each.error}"
    if len(failed) > MOST_TOLD:
        yield f"failed: {len(failed):,} in all; {out / FAILED} has every error"
