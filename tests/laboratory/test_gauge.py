"""Tables of training that does not keep the balance are turned before their cosines are read."""

from pathlib import Path

import pytest
import torch

import linrep
from linrep.cli.views.runs import overview
from linrep.laboratory.gauge import gauge_record, keeps_gauge
from linrep.laboratory.held_out import HeldOut
from linrep.laboratory.ruler import BatchRuler
from linrep.page.rendering import run_page
from linrep.runs.config import Config
from linrep.runs.result import Result
from linrep.runs.summary import Cosines
from linrep.runs.trace import AS_TRAINED
from linrep.seeds import generator
from linrep.theory.gauge import balanced_gauge, regauge
from linrep.training.encoder import Table
from linrep.training.state import State
from linrep.worlds.concepts import random_dag
from linrep.worlds.contexts import world


def trained(optimizer: str = "adam", **more: object) -> Result:
    size = {"gd": "auto", "sgd": 2.0, "adam": 0.02}[optimizer]
    sections: dict[str, object] = {
        "runs": 3,
        "training": {"optimizer": optimizer, "step_size": size, "steps": 150, "snapshots": 4},
        "measure": {"null_draws": 2},
        "compute": {"threads": 1},
    }
    return linrep.run(world={"kind": "random", "concepts": 3}, progress=False, **(sections | more))


def numbers(read: Cosines) -> list[float | None]:
    return [
        read.alignment.mean,
        *(each.mean for each in read.linearity.values()),
        *(each.mean for each in read.orthogonality.values()),
    ]


def by_hand(result: Result, *, turned: bool) -> list[float | None]:
    """Oracle: one run at a time, turned by theory's own function, read by ``linrep.measure``."""
    tables = [(f.double(), g.double()) for f, g in zip(result.embedding, result.unembedding, strict=True)]
    if turned:
        both = [balanced_gauge(*each) for each in tables]
        tables = [(each.embedding, each.unembedding) for each in both]
    f, g = (torch.stack(side) for side in zip(*tables, strict=True))
    found = linrep.measure(f, g, world=list(result.worlds), draws=2).measures
    keys = [
        ("alignment", ""),
        *((name, table) for name in ("linearity", "orthogonality.mean_directions")
          for table in ("embedding", "unembedding")),
    ]  # fmt: skip
    return [found[key].mean for key in keys]  # pyright: ignore


@pytest.mark.parametrize("optimizer", ["adam", "gd"])
def test_both_readings_are_those_made_by_hand_and_the_summary_takes_the_right_one(optimizer: str) -> None:
    result = trained(optimizer)
    gauge, final = result.summary.gauge, result.summary.final
    assert gauge is not None
    assert gauge.read == ("balanced" if optimizer == "adam" else "as trained")
    assert numbers(gauge.as_trained) == pytest.approx(by_hand(result, turned=False), abs=1e-9)
    assert numbers(gauge.balanced) == pytest.approx(by_hand(result, turned=True), abs=1e-6)
    chosen = gauge.balanced if optimizer == "adam" else gauge.as_trained
    assert final.alignment.mean == pytest.approx(chosen.alignment.mean)
    assert final.linearity["unembedding"].mean == pytest.approx(chosen.linearity["unembedding"].mean)
    apart = abs((gauge.balanced.alignment.mean or 0) - (gauge.as_trained.alignment.mean or 0))
    assert apart > 1e-3 if optimizer == "adam" else apart < 1e-2


def test_the_trace_has_both_and_the_page_says_so() -> None:
    result = trained()
    gauge = result.summary.gauge
    assert gauge is not None
    last = result.trace[(result.trace["step"] == 150) & (result.trace["concept"] == "")]
    read = last[last["measure"] == "alignment"].groupby("kind")["value"].mean()
    assert read[AS_TRAINED] == pytest.approx(gauge.as_trained.alignment.mean)
    assert read["value"] == pytest.approx(gauge.balanced.alignment.mean)
    imbalance = last[last["measure"] == "gauge_imbalance"]["value"].mean()
    assert imbalance == pytest.approx(result.summary.gauge_imbalance.mean)
    assert imbalance > 0.05
    assert "Cosines are read in the balanced gauge." in run_page(result)
    assert any(str(line).startswith("Cosines are read in the balanced gauge.") for line in overview(result))
    kept = trained("gd")
    assert AS_TRAINED not in set(kept.trace["kind"])
    assert "Cosines are read in the balanced gauge." not in run_page(kept)


def test_what_the_gauge_does_not_touch_is_the_same_in_both() -> None:
    """The balanced reading forgets in which gauge a state lies; losses and log-odds never knew."""
    model = random_dag(3, edge_probability=0.5, probability_range=(0.3, 0.7), generator=generator(0, "w"))
    worlds = [world(model)] * 2
    draw = generator(0, "tables")
    f, g = (torch.randn(2, rows, 3, generator=draw, dtype=torch.float64) for rows in (27, 8))
    moved = [
        regauge(one, other + 5.0, torch.diag(torch.tensor([3.0, 1.0, 0.2]).double()))
        for one, other in zip(f, g, strict=True)
    ]
    ruler = BatchRuler(worlds, seed=0, balanced=True)
    first = gauge_record(ruler, state_of(f, g))
    second = gauge_record(ruler, state_of(*(torch.stack(side) for side in zip(*moved, strict=True))))
    assert numbers(second.balanced) == pytest.approx(numbers(first.balanced), abs=1e-8)
    assert numbers(second.as_trained) != pytest.approx(numbers(first.as_trained), abs=1e-2)


def state_of(f: torch.Tensor, g: torch.Tensor) -> State:
    return State(
        step=0,
        encoder=Table(f.shape[1], f.shape[2], init_scale=1.0),
        parameters=[f],
        unembedding=g,
        moments=[],
        order=torch.Generator(),
        order_before=torch.Generator().get_state(),
        diverged_at=torch.full((len(f),), -1),
    )


def test_networks_do_not_keep_it_and_are_turned() -> None:
    settings = {"world": {"kind": "chain", "concepts": 3}, "model": {"encoder": "mlp", "width": 8}}
    assert not keeps_gauge(Config.model_validate(settings))
    assert keeps_gauge(Config.model_validate({"world": {"kind": "chain", "concepts": 3}}))


def test_held_out_contexts_are_read_in_the_same_gauge() -> None:
    result = trained(contexts={"held_out": 0.2}, model={"encoder": "mlp", "width": 8})
    summary = result.summary
    assert summary.held_out is not None
    both = [
        HeldOut(result.worlds, result.config).summarise(
            BatchRuler(result.worlds, seed=0, settings=result.config.measure, balanced=turned),
            state_of(result.embedding, result.unembedding),
        )
        for turned in (True, False)
    ]
    for part in ("training", "held_out"):
        turned, lies = (each.alignment[part].mean for each in both)
        assert summary.held_out.alignment[part].mean == pytest.approx(turned)
        assert summary.held_out.alignment[part].mean != pytest.approx(lies, abs=1e-3)


def test_a_run_is_the_same_whether_it_was_stopped(tmp_path: Path) -> None:
    whole = trained()
    seen: list[int] = []

    def stop() -> bool:
        seen.append(0)
        return len(seen) == 2

    with pytest.raises(KeyboardInterrupt):
        trained(out=tmp_path, stop=stop)
    resumed = trained(out=tmp_path)
    assert resumed.trace.equals(whole.trace)
    assert resumed.summary == whole.summary
