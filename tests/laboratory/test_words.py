"""Runs whose tokens are words: made of a config, measured against enumeration, kept, drawn and made again."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

import linrep
from linrep.errors import DamagedError, InputError
from linrep.laboratory.build import resolve
from linrep.laboratory.ruler import BatchRuler
from linrep.laboratory.shapes import ShapeRows, shapes
from linrep.runs import folder
from linrep.runs.keys import run_key
from linrep.runs.store import Store
from linrep.runs.toml import parse
from linrep.theory.limits import predict_world
from linrep.theory.price import price_of_linearity
from linrep.theory.width import least_excess
from linrep.worlds import conditional, known, say, tell
from linrep.worlds.categories import categorical
from linrep.worlds.concepts import chain, from_tables
from linrep.worlds.truth import World

CONFIG: dict[str, Any] = {
    "seed": 3,
    "runs": 2,
    "world": {"kind": "random", "concepts": 4},
    "contexts": {"kind": "known", "at_least": 1, "at_most": 2, "of": "C1, C2, C4"},
    "tokens": {"kind": "words", "merged": 0.5, "synonyms": [0.7, 0.3]},
    "training": {"optimizer": "gd", "steps": 20},
    "measure": {"null_draws": 2},
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: Any) -> Any:
    return folder.write(Store(tmp_path_factory.mktemp("words")), linrep.run(parse(CONFIG)))


def test_a_run_is_kept_whole_and_drawn(result: Any) -> None:
    again = folder.read(result.folder)
    for one, other in zip(result.worlds, again.worlds, strict=True):
        assert one.words.names == other.words.names
        for name in ("word", "vector", "share"):
            assert torch.equal(getattr(one.words, name), getattr(other.words, name))
        assert torch.equal(one.token_codes, other.token_codes)
    assert result.worlds[0].words.names != result.worlds[1].words.names, "each run draws its own pairs"
    assert result.summary.counts.tokens == 24
    assert result.config.model.dim == 4
    assert result.summary.price_of_linearity_nats is None
    html = linrep.page.render(again)
    assert " or " in html
    assert "expected tokens of one concept vector" not in html


def test_contexts_know_what_they_may_only(result: Any) -> None:
    codes = result.worlds[0].codes
    assert len(codes) == 6 + 12
    assert (codes[:, 2] == 2).all()
    assert torch.equal(
        codes.sort(0).values, known((2,) * 4, at_least=1, at_most=2, of=[3, 0, 1]).sort(0).values
    )


def test_keys_that_came_later_leave_old_keys_alone() -> None:
    spanned = {"kind": "known", "at_least": 1, "at_most": 2}
    config = parse({"world": {"kind": "chain", "concepts": 2}, "model": {"dim": 2}, "contexts": spanned})
    fewer = parse(
        {
            "world": {"kind": "chain", "concepts": 2},
            "model": {"dim": 2},
            "contexts": {**spanned, "of": "C1, C2"},
        }
    )
    assert run_key(config, None) == "chain-k2-sgd-cdf29b174c5e"
    assert run_key(config, None) != run_key(fewer, None)


def royal() -> World:
    tables = {"rules": [[0.6, 0.4]], "gender": [[0.3, 0.7], [0.8, 0.2]], "old": [[0.5, 0.5], [0.1, 0.9]]}
    model = from_tables(["rules", "gender", "old"], tables, parents={"gender": ["rules"], "old": ["gender"]})
    said = {
        "rules=1 gender=0": {"king": 0.7, "monarch": 0.3},
        "rules=1 gender=1": {"queen": 0.6, "monarch": 0.4},
        "rules=0 gender=0": {"man": 1.0},
        "rules=0 gender=1": {"woman": 1.0},
    }
    return linrep.world(model, tokens=say(model, said))


def test_log_odds_are_those_of_each_context_and_margins_know_the_right_word() -> None:
    """Tables whose logits are ln p(word | context) have no gap; a shift of one word has one of its size."""
    world = royal()
    ruler = BatchRuler([world], seed=0)
    p = conditional(world)
    f, g = p.clamp_min(1e-30).log()[None], torch.eye(5, dtype=torch.float64)[None]
    gap = ruler.log_odds(f, g, contexts=10_000, points=0)
    assert gap.rmse.item() < 1e-12
    # king–queen and man–woman where gender is open, man–king and woman–queen where rules is.
    wanted = 0
    rows = {name: i for i, name in enumerate(world.token_labels())}
    pairs = {1: [("king", "queen"), ("man", "woman")], 0: [("man", "king"), ("woman", "queen")]}
    for row, code in enumerate(world.codes.tolist()):
        for concept, names in pairs.items():
            for low, high in names:
                both = p[row, rows[low]] > 0 and p[row, rows[high]] > 0
                wanted += bool(both and code[concept] == 2)
    assert gap.triples == wanted
    shifted = g.clone()
    shifted[0, rows["king"]] *= 0
    assert ruler.log_odds(f, shifted, contexts=10_000, points=0).rmse.item() > 0.1
    _, least, triples = ruler.margin(f, g, contexts=10_000)
    assert least.item() > 60
    assert triples > 0


def test_planted_directions_are_read_off_words() -> None:
    world = royal()
    g = torch.tensor([[1.0, 0, 0], [0.3, 0.4, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]], dtype=torch.float64)[None]
    ruler = BatchRuler([world], seed=0)
    cosines = ruler.cosines(torch.randn(1, len(world.codes), 3, dtype=torch.float64), g)
    by_concept = cosines.concepts["linearity", "unembedding"][0]
    torch.testing.assert_close(by_concept[:2], torch.ones(2, dtype=torch.float64))
    assert math.isnan(by_concept[2]), "no word tells whether they are old"
    share = ruler.additive("unembedding", g)
    assert share.method == "least squares"
    torch.testing.assert_close(share.share, torch.ones(1, dtype=torch.float64))


def test_a_world_in_memory_is_written_out_and_made_again(tmp_path: Any) -> None:
    given = royal()
    made = linrep.run(world=given, out=tmp_path, runs=1, training={"optimizer": "gd", "steps": 2})
    world = made.worlds[0]
    assert world.words is not None
    order = [world.words.names.index(name) for name in given.token_labels()]
    torch.testing.assert_close(conditional(world)[:, order], conditional(given), rtol=0, atol=1e-15)
    values = linrep.Ruler(given)(torch.randn(27, 2), torch.randn(5, 2))
    assert math.isfinite(values["linearity", "unembedding"])


def test_theory_that_needs_a_concept_vector_a_token_says_so() -> None:
    for asked in (price_of_linearity, predict_world):
        with pytest.raises(InputError, match="every token is one concept vector"):
            asked(royal())
    assert least_excess(royal(), 1).verdict is None


def test_simplices_of_several_states_are_measured_where_words_tell_them() -> None:
    model = categorical([3, 2], generator=torch.Generator().manual_seed(0))
    world = linrep.world(model, tokens=tell(model, merge=[["?1"]], synonyms=[0.5, 0.5]))
    draw = torch.Generator().manual_seed(1)
    f, g = (torch.randn(1, len(rows), 3, generator=draw).double() for rows in (world.codes, world.tokens))
    found = shapes(ShapeRows.of(world), f, g)
    assert bool(found["simplex_share", "unembedding"][0, 0].isfinite())


def test_all_on_one_word_has_nothing_to_learn(tmp_path: Any) -> None:
    """k beyond the number of words, and no concept that any word tells."""
    model = chain(2, generator=torch.Generator().manual_seed(0))
    world = linrep.world(model, tokens=tell(model, merge=[["??"]]))
    made = linrep.run(
        world=world, out=tmp_path, runs=2, model={"dim": 3}, training={"optimizer": "gd", "steps": 3}
    )
    assert made.summary.measures["linearity", "unembedding"].mean is None
    assert resolve(replace_dim(made.config), made.worlds).model.dim == 1
    assert made.summary.final.excess_loss_nats.mean == pytest.approx(0, abs=1e-12)
    assert "has no counterfactual pair" in linrep.page.render(made)


def replace_dim(config: Any) -> Any:
    return config.model_copy(update={"model": config.model.model_copy(update={"dim": None})})


def test_what_is_said_and_what_makes_words_exclude_each_other() -> None:
    with pytest.raises(InputError, match=r"^config: tokens: expected what is said, or merged to .* got both"):
        parse(
            {
                "world": {"kind": "chain", "concepts": 2},
                "tokens": {"kind": "words", "merged": 0.5, "said": {}},
            }
        )


def test_damaged_words_are_told_from_whole_ones(result: Any, tmp_path: Any) -> None:
    words = result.worlds[0].words
    for field, damaged in {
        "vector": words.vector.flip(0),
        "share": words.share * 0.5,
        "word": words.word.clamp_max(3),
        "names": words.names[:-1],
    }.items():
        broken = tuple(
            replace(world, words=replace(world.words, **{field: damaged})) for world in result.worlds
        )
        kept = folder.write(Store(tmp_path / field), replace(result, worlds=broken))
        with pytest.raises(DamagedError):
            folder.read(kept.folder)
