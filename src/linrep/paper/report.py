"""A finished experiment on disk: its page, its table as CSV, its answer as JSON; and the index of all."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import linrep
from linrep.files import one_line_errors, write_file
from linrep.page.numbers import count
from linrep.page.print_plot import figure
from linrep.page.print_style import STYLE, save
from linrep.page.shell import Block, Page, Section, assemble
from linrep.page.shell import Line as Sentence
from linrep.paper.catalogue import NAMES
from linrep.paper.record import Answer, Experiment
from linrep.paper.table import Line, as_csv, grid, lines
from linrep.runs.store import ANSWER, read_json
from linrep.runs.toml import as_toml
from linrep.sweeps.file import Sweep
from linrep.sweeps.numbers import Numbers
from linrep.sweeps.sweep import Outcome

STUCK_SHARE = (
    " Stuck: the share of runs whose excess loss ended at the threshold or above; a cell with free and stuck "
    "runs is followed by each kind apart."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An experiment with its numbers."""

    experiment: Experiment
    sweep: Sweep
    numbers: Numbers
    outcomes: Sequence[Outcome]
    """Their results may have been let go."""
    seconds: float
    """Training and measuring, added over cells, when they were first run."""
    command: str

    @property
    def answer(self) -> Answer:
        """Computed from the numbers."""
        return self.experiment.answer(self.numbers)

    @property
    def stuck(self) -> str:
        """How many runs are stuck, in one sentence; empty where free and stuck runs are not told apart."""
        runs, held = self.numbers.runs(), self.numbers.runs(free=False)
        if not self.experiment.split or not runs:
            return ""
        levels = {each.cell.config.measure.free_threshold_nats for each in self.outcomes}
        level = f"{levels.pop():g} nats" if len(levels) == 1 else "its cell's measure.free_threshold_nats"
        if not held:
            return f"No run is stuck: the excess loss of each ended below {level}."
        are, loss = ("is", "its excess loss") if held == 1 else ("are", "the excess loss of each")
        return f"{count(held)} of {count(runs)} runs {are} stuck: {loss} ended at {level} or above."

    @property
    def failed(self) -> list[str]:
        """What became of cells without a result, one line each."""
        return [f"{each.cell.label}: {each.error}" for each in self.outcomes if each.error]

    def lines(self) -> list[Line]:
        """The table."""
        return lines(self.numbers, self.experiment.columns, split=self.experiment.split)

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
            "quick": self.sweep.quick,
            "cells": len(self.outcomes),
            "runs": sum(each.cell.config.runs for each in self.outcomes),
            "stuck_runs": self.numbers.runs(free=False),
            "failed": self.failed,
            "seconds": round(self.seconds, 1),
            "command": self.command,
            "page": f"{self.experiment.name}.html",
            "table": f"{self.experiment.name}.csv",
            "run_keys": [each.cell.key for each in self.outcomes],
        }


def write(report: Report, folder: Path) -> Path:
    """Write page, CSV and answer; returns the page."""
    name = report.experiment.name
    with one_line_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / f"{name}.csv", as_csv(report.numbers, report.lines()).encode())
        write_file(folder / f"{name}.html", assemble(page(report)).encode())
        text = json.dumps(report.record(), indent=1, ensure_ascii=False, allow_nan=False)
        write_file(folder / f"{name}{ANSWER}", (text + "\n").encode())
    return folder / f"{name}.html"


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
        drawn = figure(report.experiment.figures(report.numbers))
    with one_line_errors(folder):
        return save({} if drawn is None else {report.experiment.name: drawn}, folder, formats)


def page(report: Report) -> Page:
    """The page: question, answer, figures, table, command."""
    sweep, experiment, answer = report.sweep, report.experiment, report.answer
    found = report.lines()
    titles, body = grid(report.numbers, found, experiment.columns, split=experiment.split)
    table = Block(
        id="table",
        kind="table",
        title="Every cell",
        caption="Mean over runs of each run's mean over concepts, with its 10 to 90 %. Null: the same "
        "measure on random pairs (log-odds: predicting zero; simplices and hierarchies: rows dealt anew). "
        f"Untrained: before the first step.{STUCK_SHARE if experiment.split else ''}",
        columns=titles,
        rows=body,
        download=(f"{experiment.name}.csv", as_csv(report.numbers, found)),
    )
    blocks = [Block(id="command", kind="code", title="Command", text=report.command, size="half")]
    base = as_toml(report.outcomes[0].cell.config.model_dump(mode="json"))
    blocks.append(Block(id="config", kind="code", title="Config of the first cell", text=base, size="half"))
    return Page(
        title=sweep.question or sweep.title,
        kicker=f"{sweep.title}{' (quick)' if sweep.quick else ''}",
        facts=_facts(report),
        lines=[
            Sentence(standing=answer.standing, claim=_capital(answer.finding)),
            *([Sentence(standing="note", claim=report.stuck)] if report.stuck else []),
            *(Sentence(standing="note", claim=f"Not in the table: {text}") for text in report.failed),
        ],
        thresholds=[answer.rule] if answer.rule else [],
        sections=[
            Section(id="figure", title="Figure", blocks=experiment.figures(report.numbers)),
            Section(id="numbers", title="Numbers", blocks=[table]),
            Section(id="again", title="How it was made", blocks=blocks),
        ],
        footer=f"linrep {linrep.__version__}. f is the embedding of contexts, g the unembedding of tokens.",
    )


def _facts(report: Report) -> list[tuple[str, str]]:
    axes = [
        (
            axis.name if "." in axis.name else _capital(axis.name),
            ", ".join(point.label for point in axis.points),
        )
        for axis in report.sweep.axes
    ]
    runs = sum(each.cell.config.runs for each in report.outcomes)
    counts = [("Cells", count(len(report.outcomes))), ("Runs", count(runs))]
    return [*axes, *counts, ("Compute", f"{count(round(report.seconds))} s")]


def records(folder: Path) -> list[dict[str, Any]]:
    """The answers of all experiments that lie in a folder, in their order."""
    paths = [folder / f"{name}{ANSWER}" for name in NAMES]
    return [read_json(path) for path in paths if path.is_file()]


def write_index(folder: Path) -> Path:
    """Write the page that links every experiment's page in the folder."""
    found = records(folder)
    path = folder / "index.html"
    with one_line_errors(folder):
        write_file(path, assemble(index(found)).encode())
    return path


def index(found: Sequence[Mapping[str, Any]]) -> Page:
    """One sentence for each experiment, linked to its page."""
    words = {"yes": "yes", "partly": "in part", "no": "no", "note": "no answer"}
    table = Block(
        id="all",
        kind="table",
        title="What was run",
        columns=["Experiment", "answer", "cells", "runs", "compute (s)", "command"],
        rows=[
            [
                each["title"] + (" (quick)" if each["quick"] else ""),
                words[each["standing"]],
                count(each["cells"]),
                count(each["runs"]),
                count(round(each["seconds"])),
                each["command"],
            ]
            for each in found
        ],
    )
    answers = {word: sum(each["standing"] == word for each in found) for word in words}
    said = ", ".join(f"{number} {words[word]}" for word, number in answers.items() if number)
    return Page(
        title=f"{len(found)} experiment{'' if len(found) == 1 else 's'}: {said}",
        kicker="On the origins of linear representations, run again",
        lines=[
            Sentence(
                standing=each["standing"],
                claim=each["question"],
                detail=_capital(
                    each["answer"].partition(": ")[2] if each["standing"] != "note" else each["answer"]
                ),
                href=each["page"],
            )
            for each in found
        ],
        thresholds=[f"{each['title']}. {each['rule']}" for each in found],
        sections=[Section(id="runs", title="Runs", blocks=[table])],
        footer=f"linrep {linrep.__version__}.",
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
