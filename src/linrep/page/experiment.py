"""The page of an experiment (question, answer, effects, figures, table), and the page that links them all."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import linrep
from linrep.page import effects
from linrep.page.numbers import count, finite
from linrep.page.one_legend import with_one_legend
from linrep.page.shell import Block, Line, Page, Section
from linrep.runs.toml import as_toml

if TYPE_CHECKING:
    from linrep.paper.record import Answer
    from linrep.paper.report import Report

STEP_0 = "its value untrained, at step 0 (of a wide start: once it is cut to width k)"
"""What stands beside every number of an experiment, in words."""


def experiment_page(report: "Report") -> Page:
    """The page: question and answer, what it rests on, figures, table; what made it is folded away."""
    sweep, answer = report.sweep, report.answer
    runs = [report.converged, *(f"Not in the table: {text}" for text in report.failed)]
    lines = [
        Line(there=answer.standing, claim=_capital(answer.finding), detail=answer.few),
        *(Line(there="note", word="runs", claim=text) for text in runs if text),
    ]
    return Page(
        title=sweep.question or sweep.title,
        kicker=f"{sweep.title}{' (quick)' if sweep.quick else ''}",
        lines=lines,
        thresholds=[answer.rule] if answer.rule else [],
        sections=[*_effects(answer), _figure(report), _numbers(report), _again(report)],
        footer=f"linrep {linrep.__version__}. f is the embedding of contexts, g the unembedding of tokens.",
    )


def _effects(answer: "Answer") -> list[Section]:
    """What the answer rests on; nothing where it asks nothing."""
    if not answer.effects:
        return []
    rows = [
        effects.Row(
            name=each.name,
            value=finite(each.effect.value),
            interval=each.effect.interval95,
            claimed=each.claimed,
            measured=each.measured,
            bound=each.bound,
            count=each.count,
            standing=each.standing,
        )
        for each in answer.effects
    ]
    block = Block(
        id="effects-plot",
        kind="forest",
        title="Effects against what is claimed",
        drawing=effects.html(rows),
        caption="Over runs that converged. Yes: the whole 95 % interval lies where it is claimed (shaded); "
        "no: all of it lies elsewhere; else undecided. Each row has its own scale.",
    )
    said = [f"What would change the answer: {answer.would_change}"] if answer.would_change else []
    return [
        Section(id="effects", title="What the answer rests on", short="Effects", intro=said, blocks=[block])
    ]


def _figure(report: "Report") -> Section:
    blocks = [*report.experiment.figures(report.numbers), *report.ended_figure]
    return Section(id="figure", title="Figure", blocks=with_one_legend(blocks))


def _numbers(report: "Report") -> Section:
    columns, rows = report.grid()
    table = Block(
        id="table",
        kind="table",
        title="Every cell",
        caption="Mean over the runs that converged of each run's mean over concepts, with its 95 % interval; "
        "in brackets, over all runs, where none converged. The CSV has every measure with its null and "
        f"{STEP_0}.",
        columns=columns,
        rows=rows,
        download=(f"{report.experiment.name}.csv", report.csv()),
    )
    return Section(id="numbers", title="Numbers", blocks=[table])


def _again(report: "Report") -> Section:
    facts = Block(id="facts", kind="table", title="What was run", columns=["", ""], rows=_facts(report))
    command = Block(id="command", kind="code", title="Command", text=report.command)
    base = as_toml(report.outcomes[0].cell.config.model_dump(mode="json"))
    config = Block(id="config", kind="code", title="Config of the first cell", text=base)
    return Section(id="again", title="How it was made", blocks=[facts, command, config], folded=True)


def _facts(report: "Report") -> list[list[str]]:
    axes = [
        (
            axis.name if "." in axis.name else _capital(axis.name),
            ", ".join(point.label for point in axis.points),
        )
        for axis in report.sweep.axes
    ]
    runs = sum(each.cell.config.runs for each in report.outcomes)
    counts = [("Cells", count(len(report.outcomes))), ("Runs", count(runs))]
    compute = ("Compute", f"{count(round(report.seconds))} s of training and measuring, added over cells")
    return [list(each) for each in (*axes, *counts, compute)]


def index_page(answers: Sequence[Mapping[str, Any]]) -> Page:
    """One sentence for each experiment, linked to its page.

    Args:
        answers: Records of :class:`linrep.paper.report.Report`.
    """
    words = {"yes": "yes", "no": "no", "undecided": "undecided", "note": "without a question"}
    table = Block(
        id="all",
        kind="table",
        title="What was run",
        columns=["Experiment", "answer", "effect [95 %], claimed", "converged", "compute (s)"],
        rows=[
            [
                each["title"] + (" (quick)" if each["quick"] else ""),
                words[each["standing"]],
                each["deciding"],
                each["share"],
                count(round(each["seconds"])),
            ]
            for each in answers
        ],
        caption="The effect that decides, over runs that converged.",
    )
    counts = {word: sum(each["standing"] == word for each in answers) for word in words}
    said = ", ".join(f"{number} {words[word]}" for word, number in counts.items() if number)
    commands = Block(
        id="commands",
        kind="code",
        title="Commands",
        text="\n".join(each["command"] for each in answers),
        size="wide",
    )
    return Page(
        title=f"{len(answers)} experiment{'' if len(answers) == 1 else 's'}: {said}",
        kicker="On the origins of linear representations, run again",
        lines=[
            Line(
                there=each["standing"],
                claim=each["question"],
                detail=_capital(
                    each["answer"].partition(": ")[2] if each["standing"] != "note" else each["answer"]
                ),
                href=each["page"],
            )
            for each in answers
        ],
        thresholds=[f"{each['title']}. {each['rule']}" for each in answers],
        sections=[
            Section(id="runs", title="Effects and runs", blocks=[table]),
            Section(id="again", title="How it was made", blocks=[commands], folded=True),
        ],
        footer=f"linrep {linrep.__version__}.",
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
