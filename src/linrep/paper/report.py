"""A finished experiment on disk: its page, its table as CSV, its answer as JSON; and the index of all."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from linrep.files import make_folder, one_line_errors, write_file
from linrep.page.experiment import experiment_page, index_page
from linrep.page.numbers import count
from linrep.page.print_plot import figure, thumbnail
from linrep.page.print_style import STYLE, as_svg, save
from linrep.page.shell import Block, assemble
from linrep.paper.catalogue import NAMES
from linrep.paper.ended import CONVERGED, how_runs_ended
from linrep.paper.record import Answer, Experiment
from linrep.paper.table import Line, Measured, as_csv, grid, lines, measured
from linrep.paper.yardsticks import ended_everywhere
from linrep.runs.store import ANSWER, read_json
from linrep.sweeps.file import Sweep
from linrep.sweeps.numbers import Numbers
from linrep.sweeps.sweep import Outcome

THUMBNAILS = "thumbnails"
"""Folder of small figures, an SVG a page."""
ENDINGS = (".csv", ".html", ANSWER)
"""Of what is written of an experiment: its table, page and answer."""
BEFORE: dict[str, Any] = {"effects": [], "would_change": "", "converged": "", "ended": {}}
"""What answers of earlier versions do not say."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """An experiment with its numbers; what pages, tables and answers say of them is worked out once."""

    experiment: Experiment
    sweep: Sweep
    numbers: Numbers
    outcomes: Sequence[Outcome]
    """Their results may have been let go."""
    seconds: float
    """Training and measuring, added over cells, when they were first run."""
    command: str

    @cached_property
    def answer(self) -> Answer:
        """Computed from the numbers."""
        return self.experiment.answer(self.numbers)

    @cached_property
    def figures(self) -> list[Block]:
        """The experiment's own, drawn from the numbers."""
        return self.experiment.figures(self.numbers)

    @property
    def converged(self) -> str:
        """How many runs converged and how the others ended, in one sentence; empty without runs."""
        return how_runs_ended(self.numbers) if self.experiment.trains else "Nothing is trained."

    @property
    def ended_figure(self) -> list[Block]:
        """How the runs of every cell ended, unless all converged or the experiment draws it itself."""
        drawn = ended_everywhere(self.numbers) if self.experiment.trains else None
        own = any(block.id.endswith("ended") for block in self.figures)
        return [] if drawn is None or own else [drawn]

    @property
    def failed(self) -> list[str]:
        """What became of cells without a result, one line each."""
        return [f"{each.cell.label}: {each.error}" for each in self.outcomes if each.error]

    @cached_property
    def _measured(self) -> list[Measured]:
        return measured(self.numbers, self.experiment.columns)

    def lines(self) -> list[Line]:
        """The table."""
        return lines(self._measured, trained=self.experiment.trains)

    @cached_property
    def grid(self) -> tuple[list[str], list[list[str]]]:
        """The table as text: titles of its columns, and its rows."""
        study = self.experiment
        return grid(self.numbers, self.lines(), study.columns, trained=study.trains)

    @cached_property
    def csv(self) -> str:
        """The table with every digit."""
        return as_csv(self.numbers, self._measured)

    def record(self) -> dict[str, Any]:
        """The JSON object of ``linrep reproduce --json``."""
        answer = self.answer
        return {
            "name": self.experiment.name,
            "title": self.sweep.title,
            "question": self.sweep.question,
            "standing": answer.standing,
            "answer": answer.sentence,
            "rule": answer.rule,
            "effects": [each.record() for each in answer.effects],
            "would_change": answer.would_change,
            "converged": self.converged,
            "quick": self.sweep.quick,
            "cells": len(self.outcomes),
            "runs": sum(each.cell.config.runs for each in self.outcomes),
            "ended": self.numbers.counts() if self.experiment.trains else {},
            "failed": self.failed,
            "seconds": round(self.seconds, 1),
            "command": self.command,
            "page": f"{self.experiment.name}.html",
            "table": f"{self.experiment.name}.csv",
            "run_keys": [each.cell.key for each in self.outcomes],
        }


def write(report: Report, folder: Path) -> Path:
    """Write page, CSV, answer and thumbnail; returns the page."""
    name = report.experiment.name
    drawn = picture(report)
    with one_line_errors(folder):
        make_folder(folder / THUMBNAILS)
        if drawn:
            write_file(folder / THUMBNAILS / f"{name}.svg", drawn.encode())
        csv, page, answer = (folder / f"{name}{ending}" for ending in ENDINGS)
        write_file(csv, report.csv.encode())
        write_file(page, assemble(experiment_page(report)).encode())
        text = json.dumps(report.record(), indent=1, ensure_ascii=False, allow_nan=False)
        write_file(answer, (text + "\n").encode())
    return page


def picture(report: Report) -> str:
    """The experiment's first plot as a small SVG; empty where it has no numbers to draw."""
    from matplotlib import rc_context

    with rc_context(STYLE):
        drawn = thumbnail(report.figures)
    return "" if drawn is None else as_svg(drawn)


def pictures(folder: Path) -> dict[str, str]:
    """The thumbnails of a folder, by name; none in one of before there were any."""
    return {path.stem: path.read_text(encoding="utf-8") for path in (folder / THUMBNAILS).glob("*.svg")}


def save_figures(report: Report, folder: Path, formats: Sequence[str] = ()) -> list[Path]:
    """Save the experiment's plots for a paper, as panels of one figure.

    Args:
        report: Its figure takes the experiment's name.
        folder: Made if it is not there.
        formats: Of ``pdf``, ``svg``, ``png``; none means all.

    Returns:
        The files written, one for each format; none where the experiment has no numbers to draw.
    """
    from matplotlib import rc_context

    with rc_context(STYLE):
        drawn = figure(report.figures)
    with one_line_errors(folder):
        return save({} if drawn is None else {report.experiment.name: drawn}, folder, formats)


def records(folder: Path) -> list[dict[str, Any]]:
    """The answers of all experiments that lie in a folder, in their order."""
    paths = [folder / f"{name}{ANSWER}" for name in NAMES]
    return [BEFORE | read_json(path) for path in paths if path.is_file()]


def write_index(folder: Path) -> Path:
    """Write the page that links every experiment's page in the folder."""
    found = [each | {"deciding": deciding(each), "share": share(each)} for each in records(folder)]
    path = folder / "index.html"
    with one_line_errors(folder):
        write_file(path, assemble(index_page(found, pictures(folder))).encode())
    return path


def deciding(record: Mapping[str, Any]) -> str:
    """The first effect that stands as the answer does, written out.

    Example:
        >>> effect = {"name": "gain", "measured": "0.2 [0.1, 0.3]", "bound": "above 0", "standing": "yes"}
        >>> deciding({"standing": "yes", "effects": [effect]})
        'gain: 0.2 [0.1, 0.3], above 0'
    """
    effects = record["effects"]
    chosen = next((each for each in effects if each["standing"] == record["standing"]), None)
    return "–" if chosen is None else f"{chosen['name']}: {chosen['measured']}, {chosen['bound']}"


def share(record: Mapping[str, Any]) -> str:
    """How many runs of a record converged, as in "18 of 20"; a dash where none is trained."""
    ended: Mapping[str, int] = record["ended"]
    return f"{count(ended[CONVERGED])} of {count(sum(ended.values()))}" if ended else "–"
