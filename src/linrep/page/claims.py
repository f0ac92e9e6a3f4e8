"""The page of the ledger: one forest plot of every test beside its control, the rest folded away."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import linrep
from linrep.files import one_line_errors, write_file
from linrep.page import forest
from linrep.page.shell import Block, Page, Section, assemble
from linrep.runs.toml import as_toml

if TYPE_CHECKING:
    from linrep.paper.claims.ledger import Ledger
    from linrep.paper.claims.verdict import Claim, Trial

PAGE_FILE = "claims.html"
VERDICTS = ("holds", "fails", "undecided")
READING = (
    "Across: how far the mean over seeds lies from its predicted value, divided by how far the rule lets it "
    "lie, with its 95 % interval (logarithmic; an arrow lies beyond the axis). So each row has its own scale "
    "and one line is the rule of all: tests (●) must lie left of it; controls (◇), where one condition is "
    "taken away, right of it; conjectures (○) do not count. Of: seeds, or converged runs of those trained."
)


def write_page(ledger: "Ledger", out: Path) -> Path:
    """Write claims.html into a folder and return its path.

    Args:
        ledger: Judged.
        out: Folder that exists.

    Raises:
        InputError: If it cannot be written.
    """
    path = out / PAGE_FILE
    with one_line_errors(out):
        write_file(path, render(ledger).encode())
    return path


def render(ledger: "Ledger") -> str:
    """One HTML file that opens offline.

    Args:
        ledger: Judged.
    """
    return assemble(page(ledger))


def page(ledger: "Ledger") -> Page:
    """All that the page of the claims says.

    Args:
        ledger: Judged.
    """
    return Page(
        title=headline(ledger),
        kicker=f"The claims of the paper, tested: the {ledger.scale} ledger",
        thresholds=[ledger.rule],
        sections=[
            Section(id="ledger", title="Every test, and where it must fail", blocks=[_forest(ledger)]),
            Section(id="claims", title="What each claim says", blocks=[_statements(ledger)], folded=True),
            Section(id="numbers", title="Every number", blocks=[_numbers(ledger)], folded=True),
            _experiments(ledger),
        ],
        footer=f"linrep {linrep.__version__}. Intervals: 95 %, Student's t of the mean over seeds.",
    )


def headline(ledger: "Ledger") -> str:
    """How many of the claims have each verdict."""
    verdicts = [claim.verdict for claim in ledger.claims]
    hold, fail, undecided = (verdicts.count(verdict) for verdict in VERDICTS)
    title = f"{hold} of {len(verdicts)} claims hold"
    others = [f"{fail} fail{'s' if fail == 1 else ''}"] if fail else []
    others += [f"{undecided} {'is' if undecided == 1 else 'are'} undecided"] if undecided else []
    return ", ".join([title, *others])


def _forest(ledger: "Ledger") -> Block:
    return Block(
        id="forest",
        kind="forest",
        title="Tests and controls of each claim against their rules",
        drawing=forest.html(groups(ledger)),
        caption=READING,
        download=("ledger.json", json.dumps(ledger.as_json(), indent=1, ensure_ascii=False, allow_nan=False)),
        size="wide",
    )


def groups(ledger: "Ledger") -> list[forest.Group]:
    """The rows of the plot, claim by claim.

    Args:
        ledger: Judged.
    """
    return [_group(claim) for claim in ledger.claims]


def _group(claim: "Claim") -> forest.Group:
    notes = [f"{claim.reason[0].upper()}{claim.reason[1:]}."] if claim.reason else []
    if claim.conditions:
        notes.append(f"Fails without: {'; '.join(claim.conditions)}.")
    rows: list[forest.Row] = []
    for number, trial in enumerate(claim.trials, start=1):
        same = number > 1 and claim.trials[number - 2].quantity == trial.quantity
        rows.append(_row(f"{claim.id}.{number}", trial, same=same))
    return forest.Group(id=claim.id, verdict=claim.verdict, title=claim.title, notes=notes, rows=rows)


def _row(name: str, trial: "Trial", *, same: bool) -> forest.Row:
    measured, rule = trial.measured, trial.rule
    return forest.Row(
        id=name,
        mark=trial.role,
        name=trial.name,
        quantity="" if same else trial.quantity,
        measured=measured.numbers,
        count=trial.count,
        rule=rule.text,
        outcome=trial.outcome,
        doubt=not trial.as_wanted,
        distance=None if measured.mean is None else rule.distance(measured.mean),
        interval=None if measured.interval95 is None else rule.distances(*measured.interval95),
    )


def _statements(ledger: "Ledger") -> Block:
    rows = [
        (claim.id, claim.verdict, f"{claim.title}. {claim.statement}", "; ".join(claim.conditions) or "–")
        for claim in ledger.claims
    ]
    return Block(
        id="statements",
        kind="table",
        title="Claims",
        columns=("", "verdict", "claim", "conditions it was seen to need"),
        rows=rows,
    )


def _numbers(ledger: "Ledger") -> Block:
    """What the plot leaves out: predictions, random pairs, conditions, experiments."""
    rows = [
        (
            f"{claim.id}.{number}",
            trial.role,
            trial.name,
            trial.quantity,
            trial.measured.numbers,
            "–" if trial.null is None else f"{trial.null:.3g}",
            "–" if trial.prediction is None else f"{trial.prediction:.4g}",
            trial.condition or "–",
            ", ".join(trial.experiments) or "computed",
        )
        for claim in ledger.claims
        for number, trial in enumerate(claim.trials, start=1)
    ]
    names = (
        "",
        "role",
        "where",
        "measured",
        "mean [95 %]",
        "random pairs",
        "predicted",
        "without",
        "experiment",
    )
    return Block(id="all-numbers", kind="table", title="Numbers", columns=names, rows=rows)


def _experiments(ledger: "Ledger") -> Section:
    return Section(
        id="experiments",
        title="Experiments",
        intro=["Every experiment is a plain config: save it and run it with linrep run."],
        blocks=[
            Block(
                id=f"config-{name}",
                kind="code",
                title=name,
                text=as_toml(config),
                download=(f"{name}.toml", as_toml(config)),
            )
            for name, config in ledger.configs.items()
        ],
        folded=True,
    )
