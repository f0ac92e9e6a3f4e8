"""The ledger end to end at a size too small to decide anything: shape, honesty, resumption."""

import json
import tomllib
from pathlib import Path

import pytest
import torch

from linrep.laboratory import run as experiment
from linrep.page.claims import render, write_page
from linrep.paper.claims import bench, c1, c2, c4
from linrep.paper.claims.bench import FULL, QUICK, Scale, configs
from linrep.paper.claims.ledger import JSON_FILE, Ledger, make_ledger, trial_rows, verdict_rows
from linrep.paper.claims.verdict import LEAST_SEEDS
from linrep.paper.claims.written import write_claims
from linrep.runs.toml import parse
from linrep.theory.additive import additive_logits
from linrep.theory.factors import balanced_factors
from linrep.worlds.concepts import independent, random_dag
from linrep.worlds.contexts import World, world

TINY = Scale(
    name="tiny",
    concepts=3,
    wide=8,
    narrow_runs=3,
    seeds=2,
    narrow_steps=20,
    descent_steps=20,
    wide_steps=20,
    few_steps=20,
    late=10.0,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ledger]:
    out = tmp_path_factory.mktemp("claims")
    return out, make_ledger(out, scale=TINY)


def test_every_claim_has_tests_controls_and_a_verdict_by_the_rule(made: tuple[Path, Ledger]) -> None:
    found = json.loads((made[0] / JSON_FILE).read_text())
    assert found == json.loads(json.dumps(made[1].as_json()))
    assert [claim["id"] for claim in found["claims"]] == ["C1", "C2", "C3", "C4", "C5", "C6"]
    for claim in found["claims"]:
        roles = {row["role"] for row in claim["rows"]}
        assert {"test", "control"} <= roles
        assert all(row["outcome"] == "undecided" for row in claim["rows"]), "2 seeds decide nothing"
        assert claim["verdict"] == "undecided"
        assert "seeds have a value" in claim["reason"]
        for row in claim["rows"]:
            assert set(row["experiments"]) <= set(found["experiments"])
            assert row["runs_trained"] is None or row["seeds"] <= row["runs_trained"]
    assert len(trial_rows(made[1])) == sum(len(claim["rows"]) for claim in found["claims"])
    assert len(verdict_rows(made[1])) == 6


def test_configs_are_plain_files_that_anyone_can_run(made: tuple[Path, Ledger]) -> None:
    for name, config in made[1].configs.items():
        path = made[0] / "configs" / "tiny" / f"{name}.toml"
        assert parse(tomllib.loads(path.read_text())) == parse(config)


@pytest.mark.parametrize("scale", [QUICK, FULL])
def test_real_scales_train_enough_seeds_on_one_thread(scale: Scale) -> None:
    for config in configs(scale).values():
        checked = parse(config)
        assert checked.runs >= LEAST_SEEDS
        assert checked.compute.threads == 1


def test_a_second_call_trains_and_computes_nothing(
    made: tuple[Path, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object) -> None:
        raise AssertionError("done before")

    monkeypatch.setattr(experiment, "trajectory", never)
    for module, name in ((c2, "_fixed"), (c2, "_joint"), (c1, "context_gap"), (c1, "agreement")):
        monkeypatch.setattr(module, name, never)
    again = make_ledger(made[0], scale=TINY)
    assert again.as_json() == made[1].as_json()


def test_a_stopped_ledger_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = bench.Bench(out=tmp_path, scale=TINY, configs=configs(TINY), say=lambda words: None)
    asked = bench.Bench(out=tmp_path, scale=TINY, configs={}, say=lambda words: None, stop=lambda: True)
    with pytest.raises(KeyboardInterrupt):
        asked.compute("numbers", 2, float)
    assert kept.compute("numbers", 2, float) == [0.0, 1.0]
    assert asked.compute("numbers", 2, float) == [0.0, 1.0]
    assert kept.compute("numbers", 2, lambda seed: seed + 1.0, "other settings") == [1.0, 2.0]


def test_the_page_is_one_forest_plot_of_every_trial(made: tuple[Path, Ledger]) -> None:
    page = write_page(made[1], made[0]).read_text()
    assert page == render(made[1])
    assert "0 of 6 claims hold, 6 are undecided" in page
    assert page.count('<table class="forest">') == 1
    assert page.count('<details class="folded">') == 3
    for claim in made[1].claims:
        assert claim.title in page
        for number, trial in enumerate(claim.trials, start=1):
            assert page.count(f'<td class="id">{claim.id}.{number}</td>') == 1
            assert trial.measured.numbers in page
    assert "edge_probability = 0.8" in page
    assert "partly" not in page.partition("<style>")[0] + page.partition("</style>")[2]
    assert "data-figure=" not in page, "nothing that needs a library to be drawn"


def test_the_ledger_is_a_page_of_results_too_with_equal_bytes(
    made: tuple[Path, Ledger], tmp_path: Path
) -> None:
    kept = [
        {path.name: path.read_bytes() for path in write_claims(made[1], tmp_path / n).parent.iterdir()}
        for n in ("1", "2")
    ]
    assert kept[0] == kept[1]
    assert sorted(kept[0]) == ["claims.csv", "claims.md", "claims.svg"]
    text = kept[0]["claims.md"].decode()
    assert "0 of 6 claims hold, 6 are undecided." in text
    assert max(line.count("|") for line in text.splitlines() if line.startswith("|")) <= 7
    trials = [trial for claim in made[1].claims for trial in claim.trials]
    assert len(kept[0]["claims.csv"].decode().splitlines()) == 1 + len(trials)
    for trial in trials:
        assert trial.measured.numbers in text


@pytest.fixture
def exact() -> tuple[torch.Tensor, torch.Tensor, World]:
    toy = world(independent(3, probability_range=(0.3, 0.7), generator=torch.Generator().manual_seed(0)))
    embedding, unembedding, _ = balanced_factors(additive_logits(toy.codes, toy.token_codes), tolerance=1e-9)
    return embedding, unembedding, toy


def test_a_linear_table_has_no_constant_gap_and_a_wrong_gauge_keeps_its_logits(
    exact: tuple[torch.Tensor, torch.Tensor, World],
) -> None:
    embedding, unembedding, toy = exact
    assert c1.context_gap(toy, embedding, unembedding, constant=True) < 1e-9
    moved = c4.wrong_gauge(embedding, unembedding, 0)
    torch.testing.assert_close(moved[0] @ moved[1].T, embedding @ unembedding.T)
    assert not torch.allclose(moved[0].T @ moved[0], embedding.T @ embedding)


def test_the_gap_is_zero_only_for_the_form_that_is_true() -> None:
    """Tables that match the log-odds of a graph exactly: f picks out the log of the joint."""
    model = random_dag(
        3, edge_probability=1.0, probability_range=(0.1, 0.9), generator=torch.Generator().manual_seed(1)
    )
    toy = world(model)
    embedding = torch.ones(len(toy.codes), 1, dtype=torch.float64)
    unembedding = toy.joint[toy.tokens].log()[:, None]
    assert c1.context_gap(toy, embedding, unembedding, constant=False) < 1e-9
    assert c1.context_gap(toy, embedding, unembedding, constant=True) > 0.1
