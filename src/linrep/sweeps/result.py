"""``linrep.sweep``: a grid of configs from plain data, and the table it leaves.

Nothing heavy is imported before it is called.
"""

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd
    import plotly.graph_objects as go

    from linrep.runs.result import Result
    from linrep.sweeps.file import Sweep
    from linrep.sweeps.grid import Cell
    from linrep.sweeps.numbers import Numbers, Row
    from linrep.sweeps.sweep import Outcome, Watch


def sweep(
    base: "Mapping[str, Any] | Path | str | None" = None,
    axes: Mapping[str, Any] | None = None,
    *,
    world: Any = None,
    name: str = "sweep",
    title: str = "",
    question: str = "",
    out: Path | str | None = None,
    executor: "Executor | str | None" = None,
    workers: int | None = None,
    scheduler: str | None = None,
    slurm: Mapping[str, str] | None = None,
    retry: bool = False,
    progress: bool = True,
    stop: Callable[[], bool] = lambda: False,
) -> "SweepResult":
    """Run every combination of some values over a config: finished cells are found again, others go on.

    Args:
        base: The config that all cells share, as plain data (or its TOML file); or the path of a sweep's
            file, and then no axes.
        axes: What varies: a dotted key of the config and its values, ``{"model.dim": [2, 4, 8]}``; or a name
            and, under a label for each point, the keys it changes, ``{"optimizer": {"GD":
            {"training.optimizer": "gd"}, …}}``.
        world: Instead of the base's, as in :func:`linrep.run`.
        name: What pages and tables call it.
        title: Of its page.
        question: Of its page.
        out: Folder of runs, which all workers must see. Without it nothing is kept but the numbers.
        executor: Workers: "processes", "dask", "slurm" or any ``concurrent.futures.Executor``. Without it,
            and without the following, cells run here, one after another.
        workers: How many.
        scheduler: Address of a Dask scheduler that runs already, such as "tcp://node1:8786".
        slurm: Of a SLURM job: queue, account, walltime, memory, cores, …
        retry: Train again what diverged or is damaged.
        progress: Whether to show how far it is, in a terminal or a notebook.
        stop: Asked between steps; when true, cells at work are left resumable, and KeyboardInterrupt raised.

    Returns:
        The numbers of every cell. A cell that fails is named in ``failed``; the rest go on.

    Raises:
        InputError: An unknown key or a bad value in any cell, before anything is trained.
        LostError: The executor is gone, or its workers do not see the folder.
        KeyboardInterrupt: When stopped; the same call goes on.

    Example:
        >>> import linrep
        >>> base = {"runs": 2, "training": {"steps": 5}}
        >>> found = linrep.sweep(base, {"model.dim": [3, 5]}, world="cancer")
        >>> found.table["model.dim"].unique().tolist(), found.failed
        ([3, 5], [])
    """
    import tempfile

    from linrep.sweeps.grid import cells
    from linrep.sweeps.sweep import run_cells

    asked = _asked(base, axes, world, {"title": title, "question": question}, name)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()) if out is None else out)
        chosen = _engine(executor, workers, scheduler, slurm)
        grid = cells(asked, threads=None if chosen is None else chosen.share)
        pool = executor if not isinstance(executor, str) else None
        if chosen is not None:
            from linrep.sweeps.engines import executor as started

            threads = max(cell.config.compute.threads or 1 for cell in grid)
            pool = stack.enter_context(started(chosen, threads, out=folder))
        watch = stack.enter_context(_watched(progress))
        outcomes = run_cells(grid, out=folder, watch=watch, stop=stop, executor=pool, retry=retry)
        stack.enter_context(contextlib.closing(outcomes))
        found = collected(asked, grid, outcomes)
    return replace(found, out=None if out is None else folder)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SweepResult:
    """A sweep, finished: a table of every number, and the page that draws it.

    Example:
        >>> import linrep
        >>> found = linrep.sweep({"runs": 2, "training": {"steps": 5}}, {"model.dim": [3, 5]}, world="cancer")
        >>> found
        SweepResult(sweep: 2 cells of model.dim, 4 runs)
    """

    sweep: "Sweep"
    numbers: "Numbers"
    """Every number, with the questions that answers and figures put to it."""
    outcomes: "tuple[Outcome, ...]"
    """What became of each cell; results themselves are let go."""
    seconds: float
    """Training and measuring, added over cells, when they were first run."""
    out: Path | None = None
    """Where the runs lie."""

    @property
    def table(self) -> "pd.DataFrame":
        """Tidy, at the last step: a column for each axis, then run, measure, table, kind, value and ended.

        An axis of numbers is a column of numbers, any other one of its labels.
        """
        frame: Any = self.trace
        last = self.numbers.frame["last"]
        return frame[last].drop(columns="step").reset_index(drop=True)

    @property
    def trace(self) -> "pd.DataFrame":
        """The same at every step that was measured."""
        import pandas as pd

        from linrep.sweeps.gathering import in_words

        frame: Any = in_words(self.numbers.frame.drop(columns="last"))
        for axis in self.numbers.axes:
            with contextlib.suppress(ValueError):
                frame[axis] = frame[axis].cat.rename_categories(pd.to_numeric).astype(float).convert_dtypes()
        return frame

    @property
    def failed(self) -> list[str]:
        """What became of cells without a result, one line each."""
        return [f"{each.cell.label}: {each.error}" for each in self.outcomes if each.error]

    def result(self, **labels: Any) -> "Result":
        """The one run of a cell, read from the folder of runs.

        Args:
            **labels: By axis; dotted ones as ``result(**{"model.dim": 3})``.

        Raises:
            InputError: No such cell, several, or nothing was kept.
        """
        from linrep.errors import InputError, short
        from linrep.runs import folder as run_folder

        wanted = {axis: str(label) for axis, label in labels.items()}
        cells = [each.cell for each in self.outcomes if wanted.items() <= dict(each.cell.coordinates).items()]
        if len(cells) != 1:
            axes = short(", ".join(f"{axis} of {', '.join(own)}" for axis, own in self.numbers.axes.items()))
            raise InputError(f"result: expected one cell, got {len(cells)} for {wanted}; choose {axes}")
        if self.out is None:
            raise InputError("result: no run was kept; give the sweep a folder: linrep.sweep(…, out='runs')")
        return run_folder.read(self.out / cells[0].key)

    def page(self, path: Path | str) -> Path:
        """Write the page: what is largest and smallest, figures over the axes, the table; returns its path.

        Raises:
            InputError: The file cannot be written.
        """
        from linrep.files import write_text
        from linrep.runs.drawing import drawing

        return write_text(path, drawing("sweep page")(self))

    def plot(self, kind: str | None = None) -> "go.Figure":
        """One figure of the page as a plotly figure; by default the first. A wrong kind names all.

        Raises:
            InputError: No such figure.
        """
        from linrep.runs.drawing import drawing

        return drawing("sweep plot")(self, kind)

    def __repr__(self) -> str:
        from linrep.errors import many

        cells, axes = len(self.outcomes), ", ".join(axis.name for axis in self.sweep.axes)
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return (
            f"SweepResult({self.sweep.name}: {many(cells, 'cell')} of {axes}, "
            f"{many(self.numbers.runs(), 'run')}{failed})"
        )

    def _repr_html_(self) -> str:
        from html import escape

        frame: Any = self.table
        shown = frame[(frame["kind"] == "value") & frame["measure"].isin(["linearity", "alignment"])]
        columns = [*self.numbers.axes, "measure", "table"]
        means = (
            shown.groupby(columns, observed=True, sort=False)["value"].mean().unstack(["measure", "table"])
        )
        return f"<p>{escape(repr(self))}, means over runs:</p>{means.to_html(border=0, float_format='%.3g')}"


def collected(
    asked: "Sweep",
    grid: "Sequence[Cell]",
    outcomes: "Iterable[Outcome]",
    extra: "Callable[[Result], Iterable[Row]] | None" = None,
) -> SweepResult:
    """The numbers of cells as they end; of each result nothing else is kept.

    Args:
        asked: The sweep.
        grid: Its cells.
        outcomes: At least as many, in the order of the grid; what follows them is left there.
        extra: More numbers, measured on each result.
    """
    from linrep.errors import DamagedError
    from linrep.progress import counted
    from linrep.sweeps.gathering import Part, gather, tidy
    from linrep.sweeps.sweep import as_error

    parts: list[Part] = []
    ended: list[Outcome] = []
    seconds = 0.0
    for _, outcome in counted(zip(grid, outcomes, strict=False), f"cells of {asked.name}", len(grid)):
        if outcome.finished is not None:
            try:
                result = None if extra is None else outcome.result
            except DamagedError as damage:
                ended.append(replace(outcome, folder=None, finished=None, error=as_error(damage)))
                continue
            more = () if extra is None or result is None else extra(result)
            parts.append(tidy(outcome.cell, outcome.finished, more))
            seconds += outcome.finished.seconds
        ended.append(replace(outcome, finished=None))
    return SweepResult(sweep=asked, numbers=gather(grid, parts), outcomes=tuple(ended), seconds=seconds)


def _asked(base: Any, axes: Any, world: Any, words: Mapping[str, str], name: str) -> "Sweep":
    """The sweep that is meant."""
    from linrep.errors import InputError
    from linrep.laboratory.given import fields_of, world_fields
    from linrep.sweeps.file import load_sweep, parse_sweep

    if axes is None:
        if not isinstance(base, str | Path):
            raise InputError(
                'axes: missing; give what varies, such as linrep.sweep(base, {"model.dim": [2, 4, 8]})'
            )
        return load_sweep(base)
    fields = fields_of(base) | (world_fields(world) if world is not None else {})
    plain = {axis: _points(axis, each) for axis, each in axes.items()}
    return parse_sweep({"base": fields, "axes": plain, **words}, name=name)


def _points(axis: str, given: Any) -> Any:
    """An axis as a sweep's file has it: lists, and worlds written out."""
    from linrep.laboratory.given import world_fields

    if axis == "world" and not isinstance(given, Mapping):
        labels = [each if isinstance(each, str) else str(i + 1) for i, each in enumerate(given)]
        given = {label: {"world": each} for label, each in zip(labels, given, strict=True)}
    if not isinstance(given, Mapping):
        if hasattr(given, "tolist"):
            return given.tolist()
        return given if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    return {
        label: {**change, **world_fields(change["world"])}
        if isinstance(change, Mapping) and "world" in change
        else change
        for label, change in given.items()
    }


def _engine(
    executor: Any, workers: int | None, scheduler: str | None, slurm: Mapping[str, str] | None
) -> Any:
    from linrep.errors import InputError
    from linrep.sweeps.engines import engine

    asked = [f"{key}={value}" for key, value in (slurm or {}).items()]
    if executor is None or isinstance(executor, str):
        return engine(executor, workers=workers, scheduler=scheduler, slurm=asked)
    if workers is not None or scheduler is not None or asked:
        raise InputError(
            "executor: it brings its own workers; leave out workers, scheduler and slurm, or give no executor"
        )
    return None


@contextlib.contextmanager
def _watched(progress: bool) -> "Generator[Watch | None, None, None]":
    """A bar that follows a sweep: cells done, and those at work."""
    from linrep.progress import counting_bar

    with counting_bar("cells", quiet=not progress) as advance:
        yield (
            None
            if advance is None
            else lambda standing: advance(
                standing.done + standing.failed, standing.cells, ", ".join([*standing.running][:3])
            )
        )
