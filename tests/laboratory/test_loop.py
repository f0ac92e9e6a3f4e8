"""The ruler in one's own loop says what a run's trace says, and what measuring the tables says."""

import pytest
import torch

import linrep
from linrep.errors import InputError


def test_it_says_what_the_trace_of_a_run_says() -> None:
    result = linrep.run(world="cancer", runs=1, seed=3, training={"steps": 50, "snapshots": 4})
    ruler = linrep.Ruler(result.worlds[0], seed=3)
    values = ruler(result.embedding[0], result.unembedding[0], step=50)
    rows = result.trace[(result.trace["step"] == 50) & (result.trace["measure"] != "step_size")]
    seen = ruler.trace
    key = ["measure", "table", "concept", "kind"]
    assert seen.set_index(key)["value"].to_dict() == rows.set_index(key)["value"].to_dict()
    found = linrep.measure(result.embedding[0], result.unembedding[0], world=result.worlds[0])
    for (measure, table), value in values.items():
        own = found.measures[measure, table]
        assert value == pytest.approx(own.rmse if measure == "log_odds_gap_nats" else own.mean, abs=1e-12)


def test_a_planted_linear_table_is_seen_and_a_random_one_is_not() -> None:
    world = linrep.world(linrep.load_network("cancer"))
    ruler = linrep.Ruler(world)
    torch.manual_seed(0)
    directions = torch.randn(5, 8)
    planted = ruler(torch.randn(len(world.codes), 8), world.token_codes.float() @ directions)
    random = ruler(torch.randn(len(world.codes), 8), torch.randn(len(world.tokens), 8))
    assert planted["linearity", "unembedding"] == pytest.approx(1)
    assert random["linearity", "unembedding"] < 0.3
    assert random["linearity", "embedding"] < 0.3
    assert ruler.plot().data[0].x == (0, 1)
    with pytest.raises(InputError, match="this has additive_share, alignment"):
        ruler.plot("nothing")


def test_several_runs_at_once_and_wrong_calls() -> None:
    world = linrep.world(linrep.load_network("cancer"))
    f, g = torch.randn(2, len(world.codes), 3), torch.randn(2, len(world.tokens), 3)
    ruler = linrep.Ruler("cancer")
    values = ruler(f, g, step=10)
    found = linrep.measure(f, g, world=world)
    assert values["linearity", "embedding"] == found.measures["linearity", "embedding"].mean
    with pytest.raises(InputError, match="expected one after 10"):
        ruler(f, g, step=10)
    with pytest.raises(InputError, match="F and G are swapped"):
        ruler(g, f)
    with pytest.raises(InputError, match="nothing was looked at"):
        _ = linrep.Ruler(world).trace
    with pytest.raises(InputError, match="expected a concept model"):
        linrep.Ruler(3)
    assert repr(ruler).startswith("Ruler(243 contexts, 32 tokens")


def test_what_a_look_keeps_may_meet_gradients_later() -> None:
    world = linrep.world(linrep.load_network("cancer"))
    ruler = linrep.Ruler(world)
    f, g = torch.randn(len(world.codes), 3), torch.randn(len(world.tokens), 3, requires_grad=True)
    for _ in range(2):
        ruler(f, g)
    linrep.geometry.energy_by_degree(g[None], world.model.sizes).sum().backward()
    assert g.grad is not None
    assert bool(g.grad.isfinite().all())
