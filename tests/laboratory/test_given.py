"""Worlds in memory become configs that make the same worlds again; keywords win over what they lie on."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import linrep
from linrep.errors import InputError
from linrep.laboratory import worlds
from linrep.laboratory.given import checked, world_fields
from linrep.worlds import known, random_dag

SHORT = {"runs": 2, "training": {"steps": 5}}


def model(seed: int, concepts: int = 3) -> linrep.ConceptModel:
    return random_dag(concepts, generator=torch.Generator().manual_seed(seed))


@given(
    st.integers(0, 10**6), st.integers(1, 2), st.integers(2, 3), st.sampled_from(["uniform", "occurrence"])
)
def test_a_world_in_memory_is_made_again_from_its_config(
    seed: int, least: int, most: int, weighting: str
) -> None:
    tokens = torch.randperm(8, generator=torch.Generator().manual_seed(seed))[:5]
    codes = known([2] * 3, at_least=least, at_most=most)
    for chosen in ({}, {"codes": codes}, {"codes": codes[::2]}, {"tokens": tokens}):
        world = linrep.world(model(seed), weighting=weighting, **chosen)
        again = worlds(checked(world=world))[0]
        for field in ("codes", "weights", "tokens", "token_codes", "joint"):
            assert torch.equal(getattr(again, field), getattr(world, field))
        assert again.model.names == world.model.names


def test_a_model_in_memory_trains_to_the_bits_of_its_file(tmp_path: Path) -> None:
    linrep.write_bif(model(1), tmp_path / "m.bif")
    inside = linrep.run(SHORT, world=model(1), out=tmp_path / "runs")
    outside = linrep.run(SHORT, world=tmp_path / "m.bif")
    assert torch.equal(inside.unembedding, outside.unembedding)
    began: list[int] = []
    found = linrep.run(
        SHORT, world=model(1), out=tmp_path / "runs", progress=lambda done, *_: began.append(done)
    )
    assert found.key == inside.key
    assert not began, "it was found again"
    assert linrep.run(SHORT, world=model(2)).key != inside.key


def test_keywords_win(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('runs = 3\n[world]\nkind = "chain"\nconcepts = 4\n[training]\nsteps = 7\nsnapshots = 5\n')
    config = checked(file, dim=3, runs=2, training={"steps": 9}, world="cancer")
    assert (config.runs, config.model.dim, config.training.steps, config.training.snapshots) == (2, 3, 9, 5)
    assert config.world.kind == "network"
    kinds = checked({"world": {"kind": "chain", "concepts": 3}, "contexts": {"kind": "known", "at_most": 2}})
    assert checked(kinds, contexts={"kind": "complete"}).contexts.kind == "complete"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"world": 3}, "expected a concept model, a world"),
        ({}, r"linrep\.run\(world="),
        ({"config": model(0)}, r"give it by name: linrep\.run\(world="),
        ({"world": "nowhere"}, "there is no such file"),
        ({"world": "asia", "dims": 3}, "unknown key 'dims'"),
        ({"world": "asia", "model": 3, "dim": 2}, "model: expected a table"),
        ({"config": 3}, "expected plain data or the path"),
    ],
)
def test_what_cannot_be_used_is_one_line(wrong: dict, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        linrep.run(**wrong)
    assert "\n" not in str(caught.value)


def test_worlds_that_a_config_cannot_hold_are_refused() -> None:
    nested = linrep.worlds.categorical([2, 2], nests=[(0, 1, 1)], generator=torch.Generator())
    with pytest.raises(InputError, match="no nested concepts"):
        world_fields(nested)
    held = linrep.worlds.hold_out(linrep.world(model(0)), 0.2, generator=torch.Generator())
    with pytest.raises(InputError, match="holds contexts out"):
        world_fields(held)


def test_predictions_of_a_world_a_network_and_a_config_agree() -> None:
    cancer = linrep.load_network("cancer")
    asked = [cancer, linrep.world(cancer), "cancer", {"world": {"kind": "network", "network": "cancer"}}]
    found = [linrep.predict(each, dim=5) for each in asked]
    assert all(each == found[0] for each in found)
    assert linrep.predict(cancer).status == "optimal"
    few = linrep.world(cancer, codes=known(cancer.sizes, at_least=1, at_most=2))
    assert linrep.predict(few).geometry.linearity_unembedding == pytest.approx(1)
    assert linrep.predict(cancer).geometry.linearity_unembedding < 0.5
