"""The page of an experiment (question, answer, figures, table, command), and the page that links them all."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import linrep
from linrep.page.numbers import count
from linrep.page.shell import Block, Line, Page, Section
from linrep.runs.toml import as_toml

if TYPE_CHECKING:
    from linrep.paper.report import Report


def experiment_page(report: "Report") -> Page:
    """The page: question, answer, figures, table, command."""
    sweep, experiment, answer = report.sweep, report.experiment, report.answer
    columns, rows = report.grid()
    table = Block(
        id="table",
        kind="table",
        title="Every cell",
        caption="Mean over the runs that converged of each run's mean over concepts, with its 95 % interval; "
        "in brackets, over all runs, where none converged. The CSV has every measure with its null and "
        "before training.",
        columns=columns,
        rows=rows,
        download=(f"{experiment.name}.csv", report.csv()),
    )
    blocks = [Block(id="command", kind="code", title="Command", text=report.command, size="half")]
    base = as_toml(report.outcomes[0].cell.config.model_dump(mode="json"))
    blocks.append(Block(id="config", kind="code", title="Config of the first cell", text=base, size="half"))
    return Page(
        title=sweep.question or sweep.title,
        kicker=f"{sweep.title}{' (quick)' if sweep.quick else ''}",
        facts=_facts(report),
        lines=[
            Line(standing=answer.standing, claim=_capital(answer.finding)),
            *([Line(standing="note", claim=report.converged)] if report.converged else []),
            *(Line(standing="note", claim=f"Not in the table: {text}") for text in report.failed),
        ],
        thresholds=[answer.rule] if answer.rule else [],
        sections=[
            Section(id="figure", title="Figure", blocks=experiment.figures(report.numbers)),
            Section(id="numbers", title="Numbers", blocks=[table]),
            Section(id="again", title="How it was made", blocks=blocks),
        ],
        footer=f"linrep {linrep.__version__}. f is the embedding of contexts, g the unembedding of tokens.",
    )


def _facts(report: "Report") -> list[tuple[str, str]]:
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


def index_page(answers: Sequence[Mapping[str, Any]]) -> Page:
    """One sentence for each experiment, linked to its page.

    Args:
        answers: Records of :class:`linrep.paper.report.Report`.
    """
    words = {"yes": "yes", "no": "no", "undecided": "undecided", "note": "no answer"}
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
            for each in answers
        ],
    )
    counts = {word: sum(each["standing"] == word for each in answers) for word in words}
    said = ", ".join(f"{number} {words[word]}" for word, number in counts.items() if number)
    return Page(
        title=f"{len(answers)} experiment{'' if len(answers) == 1 else 's'}: {said}",
        kicker="On the origins of linear representations, run again",
        lines=[
            Line(
                standing=each["standing"],
                claim=each["question"],
                detail=_capital(
                    each["answer"].partition(": ")[2] if each["standing"] != "note" else each["answer"]
                ),
                href=each["page"],
            )
            for each in answers
        ],
        thresholds=[f"{each['title']}. {each['rule']}" for each in answers],
        sections=[Section(id="runs", title="Runs", blocks=[table])],
        footer=f"linrep {linrep.__version__}.",
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
