"""Held-out contexts: never trained on, measured apart by the same ruler; a table knows nothing of them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import linrep
from linrep import geometry
from linrep.cli import execute
from linrep.errors import InputError
from linrep.laboratory.build import worlds
from linrep.laboratory.comparison import beside
from linrep.page import render
from linrep.runs.toml import parse
from linrep.runs.trace import Series, named_as_now
from linrep.seeds import generator
from linrep.theory.gauge import balanced_gauge
from linrep.worlds.concepts import random_dag
from linrep.worlds.contexts import hold_out, part, world

BASE: dict[str, Any] = {
    "runs": 2,
    "world": {"kind": "random", "concepts": 3},
    "contexts": {"kind": "complete", "held_out": 0.4},
    "training": {"optimizer": "adam", "step_size": 0.03, "steps": 120, "snapshots": 4},
    "measure": {"bootstrap": 100, "null_draws": 3},
    "compute": {"threads": 1, "dtype": "float64"},
}
SAID = ("excess_loss_nats", "log_odds_gap_nats", "linearity", "alignment")
NETWORK = {"encoder": "mlp", "width": 16, "layers": 1}


def with_(**sections: Any) -> dict[str, Any]:
    return {**BASE, **{name: {**BASE.get(name, {}), **value} for name, value in sections.items()}}


def measured(result: linrep.Result, measure: str, table: str = "", step: int | None = None) -> list[float]:
    rows: Any = result.trace
    rows = rows[
        (rows.measure == measure) & (rows.table == table) & (rows.concept == "") & (rows.kind == "value")
    ]
    return rows[rows.step == (rows.step.max() if step is None else step)].sort_values("run").value.tolist()


def test_weights_are_zero_there_and_keep_their_ratios_elsewhere() -> None:
    whole = world(random_dag(3, generator=generator(0, "w")), weighting="occurrence")
    held = hold_out(whole, 0.3, generator=generator(0, "h"))
    assert int(held.held_out.sum()) == round(0.3 * len(whole.codes))
    kept = ~held.held_out
    ratio = held.weights[kept] / whole.weights[kept]
    torch.testing.assert_close(ratio, torch.full_like(ratio, float(ratio[0])))
    assert float(held.weights.sum()) == pytest.approx(1.0)
    apart = part(held, held.held_out)
    torch.testing.assert_close(apart.weights, torch.full_like(apart.weights, 1 / len(apart.codes)))
    assert torch.equal(
        torch.cat([apart.codes, part(held, kept).codes]).unique(dim=0), whole.codes.unique(dim=0)
    )


def test_every_run_draws_its_own_whoever_stands_beside_it() -> None:
    shared = {"kind": "random", "concepts": 3, "per_run": False}
    two = worlds(parse(with_(world=shared)))
    three = worlds(parse({**with_(world=shared), "runs": 3}))
    assert not torch.equal(two[0].held_out, two[1].held_out)
    assert all(torch.equal(one.weights, other.weights) for one, other in zip(two, three[:2], strict=True))
    without = worlds(parse({**BASE, "contexts": {"kind": "complete"}}))
    assert torch.equal(without[0].joint, worlds(parse(BASE))[0].joint), "the world is drawn as ever"


@pytest.mark.parametrize("optimizer", ["gd", "sgd", "adam"])
def test_a_table_keeps_its_start_where_it_is_not_trained(optimizer: str) -> None:
    settings = with_(training={"optimizer": optimizer, "step_size": 0.03 if optimizer == "adam" else 1.0})
    before, after = linrep.run(with_(training={**settings["training"], "steps": 0})), linrep.run(settings)
    for run, each in enumerate(after.worlds):
        moved = (after.embedding[run] != before.embedding[run]).any(1)
        assert not moved[each.held_out].any()
        assert moved[~each.held_out].all()


def test_a_network_says_something_of_them_and_a_table_does_not() -> None:
    table, network = linrep.run(with_()), linrep.run(with_(model=NETWORK))
    for result, learns in ((table, False), (network, True)):
        start, end = (measured(result, "held_out.excess_loss_nats.held_out", step=step) for step in (0, None))
        assert (sum(end) < 0.6 * sum(start)) is learns
        assert sum(measured(result, "excess_loss_nats")) < 0.2 * sum(start)


def test_numbers_are_those_of_the_part_alone() -> None:
    """The slow way: a run at a time, on the rows of its own held-out contexts."""
    result = linrep.run(with_(model=NETWORK))
    record = result.summary.held_out
    assert sum(record.contexts.values()) == result.summary.counts.contexts
    pairs = 0
    for run, each in enumerate(result.worlds):
        f, g = result.embedding[run], result.unembedding[run]
        logs = each.joint.log()[each.tokens]
        squares: list[float] = []
        zeros: list[float] = []
        codes = {tuple(code): row for row, code in enumerate(each.token_codes.tolist())}
        for row in each.held_out.nonzero()[:, 0].tolist():
            context = each.codes[row].tolist()
            for token, c in codes.items():
                for i, digit in enumerate(context):
                    compatible = all(d in (2, t) for d, t in zip(context, token, strict=True))
                    if digit == 2 and token[i] == 0 and compatible:
                        up = codes[(*token[:i], 1, *token[i + 1 :])]
                        true = float(logs[up] - logs[c])
                        squares.append((float(f[row] @ (g[up] - g[c])) - true) ** 2)
                        zeros.append(true**2)
        gap = record.log_odds_gap_nats["held_out"].per_run[run]
        assert gap == pytest.approx((sum(squares) / len(squares)) ** 0.5)
        alone = each.codes[each.held_out]
        found = geometry.counterfactual_pairs(alone)
        pairs += len(found.low)
        linear = record.linearity["held_out"].per_run[run]
        turned = balanced_gauge(f.double(), g.double()).embedding  # as a network's tables are
        mine = geometry.linearity(geometry.steering_moments(turned[each.held_out], found))
        assert (linear is None) == bool(mine.isnan().all())
        if linear is not None:
            assert linear == pytest.approx(float(mine.nanmean()))
    assert record.linearity["held_out"].pairs == pairs
    assert record.linearity["training"].pairs > pairs
    assert record.log_odds_gap_nats["held_out"].per_run == pytest.approx(
        measured(result, "held_out.log_odds_gap_nats.held_out")
    )


def test_series_of_before_are_read_under_the_names_of_now() -> None:
    trace = linrep.run(with_(training={"steps": 2, "snapshots": 2})).trace
    now = {name for name in trace["measure"] if name.startswith("held_out.")}
    assert now == {f"held_out.{name}.{part}" for name in SAID for part in ("training", "held_out")}
    before = trace.assign(measure=trace["measure"].replace({
        f"held_out.{name}.{part}": f"{part}_{name}" for name in SAID for part in ("training", "held_out")
    }))  # fmt: skip
    assert not before["measure"].str.startswith("held_out.").any()
    assert named_as_now(before).equals(trace)
    assert named_as_now(trace).equals(trace)
    older = Series.parse("training_log_odds_rmse_nats||value")
    assert older.measure == "held_out.log_odds_gap_nats.training"


def test_concepts_of_several_values_are_measured_too() -> None:
    several = {"kind": "categorical", "concepts": 3, "states": 3, "nested": {"C3": "C1=1"}}
    network = {"encoder": "transformer", "width": 8, "layers": 1, "heads": 2}
    settings = with_(model=network, training={"steps": 30, "step_size": 0.01, "snapshots": 2})
    result = linrep.run({**settings, "world": several})
    assert result.summary.held_out.log_odds_gap_nats["held_out"].rmse > 0
    assert set(result.summary.held_out.linearity["training"].per_concept) == {"C1", "C2", "C3"}


def test_only_where_contexts_are_held_out_is_anything_said_of_them() -> None:
    plain = linrep.run({**BASE, "contexts": {"kind": "complete"}})
    assert "held_out" not in plain.summary.as_dict()
    assert not plain.trace.measure.str.startswith("held_out").any()
    assert "Held-out contexts" not in render(plain)


def test_command_line_page_and_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        'runs = 2\n[world]\nkind = "random"\nconcepts = 3\n[contexts]\nheld_out = 0.4\n'
        '[model]\nencoder = "transformer"\nwidth = 8\nlayers = 1\nheads = 2\n'
        '[training]\noptimizer = "adam"\nstep_size = 0.01\nsteps = 12\nsnapshots = 3\n'
        "[measure]\nbootstrap = 100\nnull_draws = 2\n[compute]\nthreads = 1\n"
    )
    out = str(tmp_path / "runs")
    assert execute(["run", str(path), "--out", out, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record["held_out"]["linearity"]) == {"training", "held_out"}
    page = (tmp_path / "runs" / record["run"] / "page.html").read_text()
    assert "Contexts held out of training" in page
    assert "transformer, width 8, 1 layers, 2 heads" in page

    asked = iter([True])
    with pytest.raises(KeyboardInterrupt):
        linrep.run(path, out=tmp_path / "again", stop=lambda: next(asked))
    again = linrep.run(path, out=tmp_path / "again")
    assert again.summary.without_figures() == record


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--set", "contexts.held_out=1.0"], "contexts.held_out: expected less than 1"),
        (["--set", "contexts.held_out=-0.1"], "contexts.held_out: expected greater than or equal to 0"),
        (["--set", "model.encoder=lstm"], "model.encoder: expected 'table', 'mlp' or 'transformer'"),
        (["--set", "model.encoder=transformer", "--set", "model.heads=3"], "heads: expected a divisor"),
        (
            ["--set", "contexts={kind='list', contexts=['000'], held_out=0.5}"],
            "held_out: expected at least two contexts",
        ),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    change: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.toml"
    path.write_text('runs = 2\n[world]\nkind = "random"\nconcepts = 3\n')
    assert execute(["run", str(path), "--out", str(tmp_path / "runs"), *change]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_the_share_must_be_a_share() -> None:
    whole = world(random_dag(2, generator=generator(0, "w")))
    for share in (0.0, 1.0):
        with pytest.raises(InputError, match="above 0 and below 1"):
            hold_out(whole, share, generator=generator(0, "h"))


def test_theory_is_not_laid_beside_what_it_does_not_speak_of() -> None:
    short = {"training": {"steps": 2}}
    assert "network is the encoder" in beside(linrep.run(with_(model=NETWORK, **short))).sentence
    assert "holds out contexts" in beside(linrep.run(with_(**short))).sentence
