"""Results in a terminal: one table for a run, one for many."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from linrep.geometry.record import Similarity
from linrep.page.gauge import gauge_words
from linrep.page.rising import rising_words
from linrep.runs.failures import FAILED, Failure

if TYPE_CHECKING:
    from rich.table import Table

    from linrep.runs.index import RunTable
    from linrep.runs.result import Result
    from linrep.runs.summary import Summary

MISSING = "—"
MOST_TOLD = 10


def show(result: "Result", page: Path | None) -> None:
    """What was trained and every measure of it, and where both lie."""
    from rich.console import Console

    console = Console()
    for part in overview(result):
        console.print(part)
    console.print(f"run   {result.folder}", soft_wrap=True)
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True)


def overview(result: "Result") -> "Iterator[Table | str]":
    """What was trained and every measure of it, for a terminal.

    Args:
        result: A finished run.

    Yields:
        Things that rich prints.
    """
    from rich.table import Table

    summary, config = result.summary, result.config
    counts, final = summary.counts, summary.final
    yield (
        f"{len(summary.concepts)} concepts, {counts.contexts} contexts ({counts.dropped_contexts} "
        f"impossible ones dropped), {counts.tokens} tokens, dimension {config.model.dim}; {config.runs} "
        f"run{'' if config.runs == 1 else 's'} of {config.training.optimizer}, {config.training.steps} steps"
    )
    table = Table("measure", "table", "mean", "median", "95 % interval", "null (95 %)", "pairs", box=None)
    for name, side, record in similarity_rows(summary):
        table.add_row(name, side, *_cells(record))
    yield table
    if (gauge := gauge_words(summary.gauge)) is not None:
        yield gauge[0]
    if (risen := rising_words(summary.rises, config.training.step_size)) is not None:
        yield risen[0]
    gap = final.log_odds_gap_nats
    yield f"excess loss {_number(final.excess_loss_nats.median)} nats (median); {summary.ended.words}"
    if len(summary.ended.medians) > 1:
        apart = [
            f"{_number(group.linearity_unembedding)} ({word})"
            for word, group in summary.ended.medians.items()
        ]
        yield f"the table above is over all runs; median linearity of g apart: {', '.join(apart)}"
    if gap is not None:
        yield (
            f"log-odds gap: RMSE {_number(gap.rmse)} nats, against {_number(gap.rmse_of_zero)} "
            f"for predicting zero; largest {_number(gap.max)}"
        )


SHOWN = {
    "linearity": "linearity",
    "alignment": "alignment",
    "orthogonality, mean directions": "orthogonality.mean_directions",
    "orthogonality, rms": "orthogonality.rms",
    "additive share": "additive_share",
}
"""Words and measures."""


def similarity_rows(summary: "Summary") -> Iterator[tuple[str, str, Similarity]]:
    """The similarities that are printed as (words, table, record)."""
    measures = summary.measures
    for words, name in SHOWN.items():
        for table in ("unembedding", "embedding", ""):
            found = measures.get((name, table))
            if isinstance(found, Similarity):
                yield words, table, found


LISTED = {
    "run": "run",
    "m": "concepts",
    "contexts": "counts.contexts",
    "tokens": "counts.tokens",
    "excess": "final.excess_loss_nats.median",
    "lin g": "final.linearity.unembedding.median",
    "lin f": "final.linearity.embedding.median",
    "align": "final.alignment.median",
    "converged": "ended.shares.converged",
}
"""Titles of the listing, and the columns of the table of runs behind them."""


def listing(table: "RunTable", more: Sequence[str] = ()) -> Iterator[str]:
    """One line a run, as plain text: there may be many thousands.

    Args:
        table: Of runs.
        more: Columns to show besides.
    """
    titles = LISTED | {name: name for name in more if name not in LISTED.values()}
    present = [(title, name) for title, name in titles.items() if name in table.column_names]
    columns = [[title, *map(_plain, table[name].to_pylist())] for title, name in present]
    widths = [max(map(len, column)) for column in columns]
    for line in zip(*columns, strict=True):
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


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


def _plain(value: object) -> str:
    return _number(value) if isinstance(value, float) else MISSING if value is None else str(value)


def _cells(record: Similarity) -> list[str]:
    if record.mean is None:
        return [MISSING] * 5
    low, high = record.interval95 or (None, None)
    null = record.null
    return [
        _number(record.mean),
        _number(record.median),
        f"[{_number(low)}, {_number(high)}]",
        f"{_number(null.mean)} ({_number(null.q95)})" if null else MISSING,
        str(record.pairs),
    ]


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3g}"
