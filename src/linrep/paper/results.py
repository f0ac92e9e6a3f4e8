"""A folder of Markdown that holds every answer: one page an experiment, its figure and its numbers, an index.

The same runs give the same bytes, so that what changes in a repository are numbers that changed.
"""

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import linrep
from linrep.errors import InputError
from linrep.files import one_line_errors, write_file
from linrep.laboratory.machine import processor
from linrep.page.experiment import STEP_0
from linrep.page.numbers import count
from linrep.page.print_plot import figure, first_row
from linrep.page.print_style import STYLE, save
from linrep.page.scale import Standing
from linrep.paper.catalogue import NAMES
from linrep.paper.record import WORDS
from linrep.paper.report import Report, deciding, records, share
from linrep.paper.table import as_markdown

INDEX = "README.md"
CLAIMS, GALLERY = "claims.md", "gallery.md"
QUICK = " (quick)"
"""Behind the title of an experiment that was cut down."""
MOST_ROWS = 16
"""Of a table that stands open."""
READING = (
    "Mean over the runs that converged of each run's mean over concepts, with its 95 % interval (Student's "
    "t); in brackets, over all runs, where none converged."
)


def write_results(report: Report, folder: Path) -> Path:
    """Write an experiment's page, figure and numbers; returns the page.

    Args:
        report: Finished.
        folder: Made if it is not there.
    """
    from matplotlib import rc_context

    name = report.experiment.name
    with one_line_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with rc_context(STYLE):
            drawn = figure(first_row(report.figures))
        save({} if drawn is None else {name: drawn}, folder, ["svg"])
        write_file(folder / f"{name}.csv", report.csv.encode())
        write_file(folder / f"{name}.md", page_text(report, drawn=drawn is not None).encode())
    return folder / f"{name}.md"


def page_text(report: Report, *, drawn: bool = True) -> str:
    """The Markdown of an experiment.

    Args:
        report: Finished.
        drawn: Whether its figure lies beside.
    """
    answer, name, sweep = report.answer, report.experiment.name, report.sweep
    titles, body = report.grid
    shown = first_row(report.figures) if drawn else []
    parts = [
        f"# {sweep.title}{_quick(sweep.quick)}",
        f"**{sweep.question}**",
        _emphasised(answer.sentence, WORDS[answer.standing]),
        report.converged,
        f"*What would change the answer:* {answer.would_change}" if answer.would_change else "",
        f"![{'; '.join(block.title for block in shown)}]({name}.svg)" if shown else "",
        " ".join(dict.fromkeys(block.caption for block in shown if block.caption)),
    ]
    if answer.effects:
        rests = [(each.name, each.measured, each.bound, each.count, each.standing) for each in answer.effects]
        parts += [
            "## What the answer rests on",
            _table(("effect", "mean [95 %]", "claimed", "runs", "as claimed"), rests, "effects"),
        ]
    parts += [
        f"*Rule.* {answer.rule}",
        "## Every cell",
        _table(titles, body, "cells"),
        f"{READING} Every measure, with its null and {STEP_0}: [{name}.csv]({name}.csv).",
        "\n".join(f"- Not in the table: {text}" for text in report.failed),
        f"Made by `linrep reproduce {name}{' --quick' if sweep.quick else ''}`. [All results]({INDEX})",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def told(page: Path) -> dict[str, Any]:
    """What the Markdown of an experiment says: title, question, answer and standing, as its record has them.

    Args:
        page: Written by :func:`write_results`.

    Raises:
        InputError: It is another page.
    """
    parts = page.read_text(encoding="utf-8").split("\n\n", 3)
    if len(parts) < 4 or not parts[0].startswith("# "):
        raise InputError(f"{page}: expected a page of results, got another; write it with `linrep reproduce`")
    title, question, answer, _ = parts
    quick = title.endswith(QUICK)
    standings: dict[str, Standing] = {f"**{words.strip()}**": word for word, words in WORDS.items() if words}
    lead = answer.partition(" ")[0]
    return {
        "title": title.removeprefix("# ").removesuffix(QUICK),
        "question": question.strip("*"),
        "standing": standings.get(lead, "note"),
        "quick": quick,
    }


def write_results_index(folder: Path, out: Path) -> Path:
    """Write the index of all pages that lie in a folder; returns it.

    Args:
        folder: Where pages were written.
        out: Where ``linrep reproduce`` left the answers.
    """
    found = [each for each in records(out) if (folder / f"{each['name']}.md").is_file()]
    path = folder / INDEX
    with one_line_errors(folder):
        beside = {name for name in (CLAIMS, GALLERY) if (folder / name).is_file()}
        write_file(path, index_text(found, claims=CLAIMS in beside, gallery=GALLERY in beside).encode())
    return path


def index_text(found: Sequence[Mapping[str, Any]], *, claims: bool = False, gallery: bool = False) -> str:
    """The index: for each experiment question, answer, the effect that decides it, and converged runs.

    Args:
        found: Records of :class:`linrep.paper.report.Report`.
        claims: Whether the page of the claims lies beside.
        gallery: Whether that of the gallery does.
    """
    quick = any(each["quick"] for each in found)
    rows = [
        (
            f"[{each['title']}]({each['name']}.md). {each['question']}",
            f"**{each['standing']}**" if each["standing"] != "note" else "–",
            deciding(each),
            share(each),
        )
        for each in found
    ]
    names = [each["name"] for each in found]
    chosen = "--all" if tuple(names) == NAMES else " ".join(names)
    command = f"linrep reproduce {chosen}{' --quick' if quick else ''} --results docs/results"
    seconds = sum(each["seconds"] for each in found)
    parts = [
        f"# Results{_quick(quick)}",
        "Each answer follows from effects, each a mean with its 95 % interval (Student's t), held against a "
        "bound that the experiment claims: *yes* if every interval lies where it is claimed, *no* if one "
        "lies wholly elsewhere, else *undecided*. Only runs that converged count; how many did stands "
        "beside. The effect shown is the one that decides.",
        as_markdown(("question", "answer", "effect [95 %], claimed", "converged"), rows),
        f"The claims of the paper, each with tests and controls: [claims]({CLAIMS})." if claims else "",
        f"A page of each kind, to look at: [gallery]({GALLERY})." if gallery else "",
        f"Made by `{command}` with linrep {linrep.__version__}, {count(round(seconds))} s of one core "
        f"({machine()}).",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def machine() -> str:
    """Processor, system and torch, in a line."""
    import torch

    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{processor()}, {system}, torch {torch.__version__}"


def _table(titles: Sequence[str], body: Sequence[Sequence[str]], what: str) -> str:
    """A Markdown table; a long one is folded away."""
    text = as_markdown(titles, body)
    if len(body) <= MOST_ROWS:
        return text
    return f"<details>\n<summary>All {len(body)} {what}</summary>\n\n{text}\n\n</details>"


def _quick(quick: bool) -> str:
    return QUICK if quick else ""


def _emphasised(sentence: str, lead: str) -> str:
    """The standing in bold."""
    if not lead:
        return sentence
    return f"**{lead.strip()}** {sentence.removeprefix(lead)}"
