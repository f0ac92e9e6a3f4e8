"""Results in a terminal: one table for a run, one for many."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from linrep.result import Result

if TYPE_CHECKING:
    from rich.table import Table

MISSING = "—"


def overview(result: Result) -> "Iterator[Table | str]":
    """What was trained and every measure of it, for a terminal.

    Args:
        result: A finished run.

    Yields:
        Things that rich prints.
    """
    from rich.table import Table

    summary, config = result.summary, result.config
    counts, final, stuck = summary["counts"], summary["final"], summary["stuck"]
    yield (
        f"{len(summary['concepts'])} concepts, {counts['contexts']} contexts "
        f"({counts['dropped_contexts']} impossible ones dropped), "
        f"{counts['tokens']} tokens, dimension {config.model.dim}; "
        f"{config.runs} runs of {config.training.optimizer}, {config.training.steps} steps"
    )
    table = Table("measure", "table", "mean", "median", "95 % interval", "null (95 %)", "pairs", box=None)
    for name, side, record in similarity_rows(final):
        table.add_row(name, side, *_cells(record))
    yield table
    loss, gap = final["excess_loss_nats"], final["log_odds_gap_nats"]
    yield (
        f"excess loss {_number(loss['median'])} nats (median); "
        f"stuck: {_number(100 * stuck['share'])} % of runs ({stuck['criterion']})"
    )
    if gap is not None:
        yield (
            f"log-odds gap: RMSE {_number(gap['rmse'])} nats, against {_number(gap['rmse_of_zero'])} "
            f"for predicting zero; largest {_number(gap['max'])}"
        )


def similarity_rows(final: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """Every similarity of a summary as (measure, table, record)."""
    for side in ("unembedding", "embedding"):
        yield "linearity", side, final["linearity"][side]
    yield "alignment", "", final["alignment"]
    for form in ("mean_directions", "rms"):
        for side in ("unembedding", "embedding"):
            yield f"orthogonality, {form.replace('_', ' ')}", side, final["orthogonality"][side][form]
    for side in ("unembedding", "embedding"):
        yield "additive share", side, final["additive_share"][side]


def listing(rows: Sequence[Mapping[str, Any]]) -> "Table":
    """One line a run."""
    from rich.table import Table

    table = Table(box=None)
    table.add_column("run", no_wrap=True, min_width=max((len(row["run"]) for row in rows), default=0))
    for name in ("m", "contexts", "tokens", "excess", "lin g", "lin f", "align"):
        table.add_column(name)
    for row in rows:
        final = row["final"]
        table.add_row(
            row["run"],
            str(len(row["concepts"])),
            str(row["counts"]["contexts"]),
            str(row["counts"]["tokens"]),
            _number(final["excess_loss_nats"]["median"]),
            *(_median(final["linearity"][side]) for side in ("unembedding", "embedding")),
            _median(final["alignment"]),
        )
    return table


def _cells(record: Mapping[str, Any] | None) -> list[str]:
    if record is None or record["mean"] is None:
        return [MISSING] * 5
    low, high = record["interval95"] or (None, None)
    null = record["null"]
    return [
        _number(record["mean"]),
        _number(record["median"]),
        f"[{_number(low)}, {_number(high)}]",
        f"{_number(null['mean'])} ({_number(null['q95'])})" if null else MISSING,
        str(record["pairs"]),
    ]


def _median(record: Mapping[str, Any] | None) -> str:
    return _number(None if record is None else record["median"])


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3g}"
