"""The page of the ledger: verdicts first, then every number beside its prediction and its control."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import linrep
from linrep.files import one_line_errors, write_file
from linrep.page.interval import bars
from linrep.page.shell import Block, Line, Page, Section, assemble, label
from linrep.runs.toml import as_toml

if TYPE_CHECKING:
    from linrep.paper.claims.ledger import Ledger
    from linrep.paper.claims.verdict import Claim, Trial

PAGE_FILE = "claims.html"
COLOURS = {"test": "--unembedding", "control": "--null", "conjecture": "--embedding"}
WIDEST = 50.0
"""Ratio of values from which an axis becomes logarithmic."""
PLAIN = 5
"""Numbers on an axis are written out up to so many powers of ten: 0.0002, not 200µ."""


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
    claims = ledger.claims
    shown = [claim for claim in claims if claim.verdict != "fails"]
    limited = sum(bool(claim.conditions) for claim in shown)
    title = f"{len(shown)} of {len(claims)} claims hold"
    if limited:
        title += f", {'each' if limited == len(shown) else f'{limited} of them'} under conditions"
    return assemble(
        Page(
            title=title,
            kicker=f"The claims of the paper, tested: the {ledger.scale} ledger",
            lines=[_line(claim) for claim in claims],
            thresholds=[ledger.rule, "“yes” holds, “partly” holds under conditions, “no” fails."],
            sections=[
                Section(id="ledger", title="Ledger", blocks=[_overview(ledger)]),
                *(_section(claim) for claim in claims),
                _experiments(ledger),
            ],
            footer=f"linrep {linrep.__version__}. Intervals: 95 %, Student's t of the mean over seeds.",
        )
    )


def _line(claim: "Claim") -> Line:
    standing: Literal["yes", "partly", "no"] = "partly" if claim.conditions else "yes"
    if claim.verdict == "fails":
        standing = "no"
    detail = f"{claim.verdict[0].upper()}{claim.verdict[1:]}."
    if claim.reason:
        detail += f" {claim.reason}."
    return Line(standing=standing, claim=f"{claim.id} {claim.title}.", detail=detail)


def _overview(ledger: "Ledger") -> Block:
    rows = [
        (
            claim.id,
            claim.title,
            claim.verdict,
            _count(claim, "test", "holds"),
            _count(claim, "control", "fails"),
        )
        for claim in ledger.claims
    ]
    return Block(
        id="verdicts",
        kind="table",
        title="Verdicts",
        columns=("", "claim", "verdict", "tests that hold", "controls that fail"),
        rows=rows,
        caption=ledger.rule,
        download=("ledger.json", _json(ledger)),
    )


def _json(ledger: "Ledger") -> str:
    import json

    return json.dumps(ledger.as_json(), indent=1, ensure_ascii=False, allow_nan=False)


def _count(claim: "Claim", role: str, wanted: str) -> str:
    mine = [trial for trial in claim.trials if trial.role == role]
    return f"{sum(trial.outcome == wanted for trial in mine)} of {len(mine)}"


def _section(claim: "Claim") -> Section:
    quantities = list(dict.fromkeys(trial.quantity for trial in claim.trials))
    figures = [
        _figure(claim, number, quantity, [t for t in claim.trials if t.quantity == quantity])
        for number, quantity in enumerate(quantities, start=1)
    ]
    verdict = f"Verdict: {claim.verdict}."
    return Section(
        id=claim.id.lower(),
        title=f"{claim.id} {claim.short}",
        intro=[f"{claim.title}. {claim.statement}", verdict + (f" {claim.reason}." if claim.reason else "")],
        blocks=[*figures, _table(claim)],
    )


def _figure(claim: "Claim", number: int, quantity: str, trials: "Sequence[Trial]") -> Block:
    """Measured with interval, test above control, the predicted value as a line and the rule as a band."""
    present = [trial for trial in trials if trial.measured.mean is not None]
    names = [f"{trial.role} {claim.id}.{claim.trials.index(trial) + 1}" for trial in present]
    data = [_marks(trial, name) for trial, name in zip(present, names, strict=True)]
    ends = [x for trial in present for x in (trial.measured.interval95 or ()) if math.isfinite(x)]
    targets = [trial.prediction for trial in present if trial.prediction is not None]
    spread = [*ends, *targets]
    log = bool(spread) and min(spread) > 0 and max(spread) / min(spread) > WIDEST
    axis: dict[str, Any] = {"minexponent": PLAIN}
    if log:
        axis |= {"type": "log", "nticks": 6}
    elif spread:
        room = 0.08 * (max(spread) - min(spread) or 1.0)
        axis |= {"range": [min(spread) - room, max(spread) + room]}
    layout: dict[str, Any] = {
        "xaxis": axis,
        "yaxis": {"autorange": "reversed", "type": "category"},
        "shapes": [_target(value) for value in dict.fromkeys(targets)],
        "margin": {"l": 90, "r": 12, "t": 12, "b": 30},
    }
    said = "; ".join(
        f"{trial.role}, {trial.name}: {trial.measured.text}, {trial.outcome}" for trial in trials
    )
    rules = list(dict.fromkeys(trial.rule.text for trial in trials))
    expected = (
        f" Predicted (dashed): {', '.join(f'{v:.4g}' for v in dict.fromkeys(targets))}." if targets else ""
    )
    return Block(
        id=f"{claim.id.lower()}-{number}",
        kind="plot",
        title=quantity[0].upper() + quantity[1:],
        caption=f"Rule: {', '.join(rules)}.{expected}",
        alt=f"{quantity}. {said}.",
        spec={"data": data, "layout": layout},
        size="half",
    )


def _marks(trial: "Trial", name: str) -> dict[str, Any]:
    mean = trial.measured.mean
    assert mean is not None, "only estimates with a value are drawn"
    low, high = trial.measured.interval95 or (mean, mean)
    colour = COLOURS[trial.role]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [mean],
        "y": [name],
        "error_x": bars([mean], [low], [high], colour, thickness=2, width=4),
        "marker": {"color": colour, "size": 10, "symbol": "diamond" if trial.role == "control" else "circle"},
        "hovertemplate": f"{label(trial.name)}: %{{x:.4g}}, {trial.outcome}<extra></extra>",
    }


def _target(value: float) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": value,
        "x1": value,
        "y0": 0,
        "y1": 1,
        "line": {"color": "--predicted", "width": 2, "dash": "dash"},
    }


def _table(claim: "Claim") -> Block:
    """Every number; a column that would be empty is left out."""
    rows = [
        {
            "": f"{claim.id}.{number}",
            "role": trial.role if not trial.condition else f"control: without {trial.condition}",
            "where": trial.name,
            "measured": trial.quantity,
            "mean [95 %]": trial.measured.text.replace("-", "−"),
            "random pairs": "–" if trial.null is None else f"{trial.null:.3g}",
            "predicted": "–" if trial.prediction is None else f"{trial.prediction:.4g}",
            "rule": trial.rule.text,
            "outcome": trial.outcome,
            "experiment": ", ".join(trial.experiments) or "computed",
        }
        for number, trial in enumerate(claim.trials, start=1)
    ]
    columns = [name for name in rows[0] if any(row[name] != "–" for row in rows)]
    return Block(
        id=f"{claim.id.lower()}-numbers",
        kind="table",
        title="Numbers",
        columns=columns,
        rows=[[row[name] for name in columns] for row in rows],
    )


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
    )
