"""All tables of a set of experiments as one Markdown file, with the machine and the commit that made them."""

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

import linrep
from linrep.laboratory.machine import processor
from linrep.page.numbers import count
from linrep.paper.report import Report
from linrep.paper.table import as_markdown


def results_text(reports: Sequence[Report], command: str) -> str:
    """The file's text.

    Args:
        reports: Finished experiments, in order.
        command: That made them.
    """
    seconds = sum(report.seconds for report in reports)
    parts = [
        "# Results",
        f"Written by `{command}`; not edited by hand.",
        f"- Version: linrep {linrep.__version__}, {commit()}\n- Machine: {machine()}\n"
        f"- Compute: {count(round(seconds))} s, added over cells",
        "Each cell of a table holds the mean over the runs that converged with its 95 % interval; in "
        "brackets, "
        "over all runs, where none converged.",
    ]
    for report in reports:
        answer = report.answer
        titles, body = report.grid()
        parts += [
            f"## {report.sweep.title}",
            f"**{report.sweep.question}** {answer.sentence}",
            report.converged,
            f"Rule: {answer.rule}",
            as_markdown(titles, body),
            *(f"- Not in the table: {text}" for text in report.failed),
            f"`{report.command}`",
        ]
    return "\n\n".join(parts) + "\n"


def machine() -> str:
    """Processor, cores, system and torch, in a line."""
    import torch

    return (
        f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def commit() -> str:
    """The commit this package lies in, or that it is an installed copy."""
    try:
        found = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "an installed copy"
    return f"commit {found.stdout.strip()}"
