"""The page of an experiment (question, answer, effects, figures, table), and the page that links them all."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import linrep
from linrep.errors import many
from linrep.page import effects
from linrep.page.cards import Card
from linrep.page.numbers import count, finite
from linrep.page.one_legend import with_one_legend
from linrep.page.scale import Standing
from linrep.page.shell import Block, Line, Page, Section, first_of
from linrep.runs.toml import as_toml

if TYPE_CHECKING:
    from linrep.paper.record import Answer
    from linrep.paper.report import Report

STEP_0 = "its value untrained, at step 0 (of a wide start: once it is cut to width k)"
"""What stands beside every number of an experiment, in words."""
AGAINST: tuple[Standing, ...] = ("no", "undecided", "note", "yes")
"""Standings of effects, those first that keep an answer from being yes."""


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
    # Where they are many, those that speak against it are seen first.
    ordered = sorted(answer.effects, key=lambda each: AGAINST.index(each.standing))
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
        for each in (ordered if first_of(len(ordered)) < len(ordered) else answer.effects)
    ]
    block = Block(
        id="effects-plot",
        kind="forest",
        title="Effects against what is claimed",
        drawing=effects.html(rows),
        drawn_rows=len(rows),
        caption="Over runs that converged. Yes: the whole 95 % interval lies where it is claimed (shaded); "
        "no: all of it lies elsewhere; else undecided. Each row has its own scale.",
    )
    said = [f"What would change the answer: {answer.would_change}"] if answer.would_change else []
    return [
        Section(id="effects", title="What the answer rests on", short="Effects", intro=said, blocks=[block])
    ]


def _figure(report: "Report") -> Section:
    blocks = [*report.figures, *report.ended_figure]
    return Section(id="figure", title="Figure", blocks=with_one_legend(blocks))


def _numbers(report: "Report") -> Section:
    columns, rows = report.grid
    table = Block(
        id="table",
        kind="table",
        title="Every cell",
        caption="Mean over the runs that converged of each run's mean over concepts, with its 95 % interval; "
        "in brackets, over all runs, where none converged. The CSV has every measure with its null and "
        f"{STEP_0}.",
        columns=columns,
        rows=rows,
        download=(f"{report.experiment.name}.csv", report.csv),
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


WORDS: Mapping[Standing, str] = {
    "yes": "yes",
    "no": "no",
    "undecided": "undecided",
    "note": "without a question",
}
"""Answers as they are counted."""


def counted(answers: Sequence[Standing]) -> str:
    """How many experiments there are, and how they came out.

    Example:
        >>> counted(["yes", "no", "yes"])
        '3 experiments: 2 yes, 1 no'
    """
    counts = {said: answers.count(word) for word, said in WORDS.items()}
    said = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    return f"{many(len(answers), 'experiment')}: {said}"


def card(answer: Mapping[str, Any], page: str, picture: str) -> Card:
    """An experiment among others: its question and its answer.

    Args:
        answer: Record of :class:`linrep.paper.report.Report`.
        page: Where its page lies, from the one that holds the card.
        picture: Its thumbnail.
    """
    title = f"{answer['title']}{' (quick)' if answer['quick'] else ''}"
    return Card(
        title=title, sentence=answer["question"], href=page, there=answer["standing"], picture=picture
    )


def index_page(answers: Sequence[Mapping[str, Any]], pictures: Mapping[str, str]) -> Page:
    """A card for each experiment, linked to its page.

    Args:
        answers: Records of :class:`linrep.paper.report.Report`.
        pictures: Thumbnails by the name of the experiment, where there are any.
    """
    found = Block(
        id="found",
        kind="table",
        title="What was found",
        columns=["Experiment", "answer"],
        rows=[[each["title"], each["answer"]] for each in answers],
    )
    table = Block(
        id="all",
        kind="table",
        title="What was run",
        columns=["Experiment", "answer", "effect [95 %], claimed", "converged", "compute (s)"],
        rows=[
            [
                each["title"] + (" (quick)" if each["quick"] else ""),
                WORDS[each["standing"]],
                each["deciding"],
                each["share"],
                count(round(each["seconds"])),
            ]
            for each in answers
        ],
        caption="The effect that decides, over runs that converged.",
    )
    cards = Block(
        id="experiments",
        kind="cards",
        title="Experiments",
        cards=[card(each, each["page"], pictures.get(each["name"], "")) for each in answers],
    )
    commands = Block(
        id="commands",
        kind="code",
        title="Commands",
        text="\n".join(each["command"] for each in answers),
        size="wide",
    )
    return Page(
        title=counted([each["standing"] for each in answers]),
        kicker="On the origins of linear representations, run again",
        thresholds=[f"{each['title']}. {each['rule']}" for each in answers],
        sections=[
            Section(id="questions", title="Questions", blocks=[cards]),
            Section(id="answers", title="Answers", blocks=[found], folded=True),
            Section(id="runs", title="Effects and runs", blocks=[table], folded=True),
            Section(id="again", title="How it was made", blocks=[commands], folded=True),
        ],
        footer=f"linrep {linrep.__version__}.",
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
