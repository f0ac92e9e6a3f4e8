"""``linrep.open``: a folder of runs, or one of them, as a result or as a table of results."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from linrep.runs.index import RunTable
    from linrep.runs.result import Result

SHOWN = {
    "run": "run",
    "concepts": "concepts",
    "contexts": "counts.contexts",
    "tokens": "counts.tokens",
    "dim": "model.dim",
    "optimizer": "training.optimizer",
    "excess loss (nats)": "final.excess_loss_nats.median",
    "linearity of g": "final.linearity.unembedding.median",
    "alignment": "final.alignment.median",
    "converged": "ended.shares.converged",
}
"""Titles of the table in a notebook, and the columns behind them."""
MOST_SHOWN = 20


def open(path: Path | str) -> "Result | Runs":  # noqa: A001 - a verb of the package, as `gzip.open` is
    """What a folder holds: one run as a :class:`Result`, or a folder of runs as :class:`Runs`.

    Args:
        path: A run's folder, or one that ``linrep.run``, ``linrep.sweep`` or the command line wrote runs to.

    Returns:
        The result, every number and tensor of it; or the runs, of which only an index is read.

    Raises:
        InputError: No such folder, or one without runs.
        DamagedError: A run that cannot be read.

    Example:
        >>> import linrep, tempfile
        >>> small = {"runs": 2, "world": {"kind": "chain", "concepts": 2}, "training": {"steps": 5}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     key = linrep.run(small, out=folder).key
        ...     len(linrep.open(folder)), linrep.open(f"{folder}/{key}").key == key
        (1, True)
    """
    from linrep.errors import InputError
    from linrep.runs import folder as run_folder
    from linrep.runs.index import run_index
    from linrep.runs.store import Store, holds_run

    path = Path(path)
    if (path / "table.csv").is_file() and not (path / "config.json").exists():
        raise InputError(
            f"{path}: expected a run, got a measurement; its numbers are in table.csv, result.json"
        )
    if holds_run(path):
        return run_folder.read(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; linrep.run(…, out={str(path)!r}) writes one")
    index = run_index(Store(path))
    if not len(index.table) and not index.damaged:
        raise InputError(f"{path}: no run in it; give a run's folder, or the one it lies in")
    return Runs(folder=path, rows=index.table, damaged=index.damaged)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Runs:
    """The runs of a folder: a table of their configs and final numbers; a run itself is read when asked for.

    Example:
        >>> import linrep, tempfile
        >>> small = {"runs": 2, "world": {"kind": "chain", "concepts": 2}, "training": {"steps": 5}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for dim in (1, 2):
        ...         _ = linrep.run(small, dim=dim, out=folder)
        ...     runs = linrep.open(folder)
        ...     wide = runs.where("model.dim > 1")
        ...     len(runs), len(wide), wide[0].config.model.dim
        (2, 1, 2)
    """

    folder: Path
    rows: "RunTable"
    """A pyarrow table; a run a row, dotted names as columns."""
    damaged: tuple[str, ...] = ()
    """One line for each folder that could not be read."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Of the runs, in the order of the table."""
        return tuple(self.rows["run"].to_pylist())

    @property
    def table(self) -> "pd.DataFrame":
        """A row a run: its config and its final numbers under dotted names."""
        return self.rows.to_pandas()

    def where(self, condition: str) -> "Runs":
        """Runs for which an expression is true, such as ``"model.dim > 4 and ended.shares.converged == 1"``.

        Raises:
            InputError: An expression that cannot be read, or a column that is not there.
        """
        from linrep.runs.query import where

        return Runs(folder=self.folder, rows=where(self.rows, condition), damaged=self.damaged)

    def sort(self, field: str, *, descending: bool = False) -> "Runs":
        """The runs by one column, missing values last.

        Raises:
            InputError: A column that is not there.
        """
        from linrep.runs.query import ordered

        rows = ordered(self.rows, field, descending=descending)
        return Runs(folder=self.folder, rows=rows, damaged=self.damaged)

    def page(
        self,
        path: Path | str,
        *,
        x: str | None = None,
        y: str = "final.linearity.unembedding.median",
        colour: str | None = None,
    ) -> Path:
        """Write the page that compares the runs, one dot a run.

        Args:
            path: Of the HTML file.
            x: Column across; by default the number of the config that takes the most values.
            y: Column up.
            colour: Column by which dots are coloured.

        Raises:
            InputError: No such column, or no run to draw.
        """
        from linrep.files import write_text
        from linrep.runs.drawing import drawing
        from linrep.runs.failures import kept

        return write_text(path, drawing("runs page")(self.rows, kept(self.folder), x=x, y=y, colour=colour))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> "Iterator[Result]":
        for key in self.keys:
            yield self[key]

    def __getitem__(self, which: int | str) -> "Result":
        """A run by its place, its key or hash, or the beginning of one."""
        from linrep.runs import folder as run_folder
        from linrep.runs.store import Store

        store = Store(self.folder)
        return run_folder.read(
            store.root / self.keys[which] if isinstance(which, int) else store.resolve(which)
        )

    def __repr__(self) -> str:
        from linrep.errors import many

        damaged = f", {len(self.damaged)} damaged" if self.damaged else ""
        return f"Runs({str(self.folder)!r}, {many(len(self), 'run')}{damaged})"

    def _repr_html_(self) -> str:
        from html import escape

        import pandas as pd

        columns = {title: self.rows[name] for title, name in SHOWN.items() if name in self.rows.column_names}
        frame: Any = pd.DataFrame({title: each[:MOST_SHOWN].to_pylist() for title, each in columns.items()})
        more = f", the first {MOST_SHOWN}:" if len(self) > MOST_SHOWN else ""
        table = frame.to_html(index=False, border=0, float_format="{:.3g}".format)
        return f"<p>{escape(repr(self))}{more}</p>{table}"
