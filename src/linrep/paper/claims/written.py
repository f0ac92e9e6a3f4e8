"""The ledger for a folder of results: one Markdown page, its forest plot, and every number as CSV."""

from collections.abc import Sequence
from pathlib import Path

from linrep.files import one_line_errors, write_file
from linrep.page.claims import READING, groups, headline
from linrep.page.print_forest import forest_figure
from linrep.page.print_style import save
from linrep.paper.claims.ledger import Ledger
from linrep.paper.table import as_markdown
from linrep.runs.spreadsheet import to_csv

NAME = "claims"
COLUMNS = ("id", "role", "name", "quantity", "mean", "low95", "high95", "seeds", "rule", "outcome")


def write_claims(ledger: Ledger, folder: Path) -> Path:
    """Write claims.md, claims.svg and claims.csv; returns the page.

    Args:
        ledger: Judged.
        folder: Made if it is not there.
    """
    with one_line_errors(folder):
        save_forest(ledger, folder, ["svg"])
        write_file(folder / f"{NAME}.csv", _csv(ledger).encode())
        write_file(folder / f"{NAME}.md", claims_text(ledger).encode())
    return folder / f"{NAME}.md"


def save_forest(ledger: Ledger, folder: Path, formats: Sequence[str] = ()) -> list[Path]:
    """Save the forest plot for a paper; returns the files written.

    Args:
        ledger: Judged.
        folder: Made if it is not there.
        formats: Of ``pdf``, ``svg``, ``png``; none means all.
    """
    with one_line_errors(folder):
        return save({NAME: forest_figure(groups(ledger))}, folder, formats)


def claims_text(ledger: Ledger) -> str:
    """The Markdown of the ledger.

    Args:
        ledger: Judged.
    """
    claims = [
        (f"{claim.id} {claim.title}", f"**{claim.verdict}**", "; ".join(claim.conditions) or "–")
        for claim in ledger.claims
    ]
    tests = [
        (
            f"{claim.id}.{number}",
            f"{trial.role}: {trial.name}",
            trial.measured.numbers,
            trial.rule.text,
            trial.count,
            trial.outcome,
        )
        for claim in ledger.claims
        for number, trial in enumerate(claim.trials, start=1)
    ]
    quick = " --quick" if ledger.scale == "quick" else ""
    parts = [
        f"# Claims{' (quick)' if quick else ''}",
        f"{headline(ledger)}.",
        as_markdown(("claim", "verdict", "conditions it was seen to need"), claims),
        *(f"{claim.id}: {claim.reason}." for claim in ledger.claims if claim.reason),
        f"![Every test and control against its rule]({NAME}.svg)",
        READING,
        "## Every test, and where it must fail",
        as_markdown(("", "what", "mean [95 %]", "rule", "of", "outcome"), tests),
        f"*Rule.* {ledger.rule}",
        f"Every number: [{NAME}.csv]({NAME}.csv). Made by `linrep claims{quick} --results docs/results`.",
    ]
    return "\n\n".join(parts) + "\n"


def _csv(ledger: Ledger) -> str:
    rows = [
        (
            f"{claim.id}.{number}",
            trial.role,
            trial.name,
            trial.quantity,
            trial.measured.mean,
            *(trial.measured.interval95 or (None, None)),
            trial.measured.seeds,
            trial.rule.text,
            trial.outcome,
        )
        for claim in ledger.claims
        for number, trial in enumerate(claim.trials, start=1)
    ]
    return to_csv(COLUMNS, rows)
