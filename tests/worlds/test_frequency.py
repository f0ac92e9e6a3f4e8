"""Contexts weighted so that some concepts are known less often: exact shares, configs that ask for them."""

import math
from typing import Any

import pytest
import torch

from linrep.errors import InputError
from linrep.laboratory.build import shifted, worlds
from linrep.runs.config import Config
from linrep.runs.toml import parse
from linrep.worlds.categories import categorical
from linrep.worlds.concepts import independent
from linrep.worlds.contexts import world
from linrep.worlds.frequency import shares, spoken_of


def known(found: Any) -> list[float]:
    return (found.weights @ (found.codes < torch.tensor(found.model.sizes)).double()).tolist()


def test_weights_are_the_product_over_concepts() -> None:
    found = spoken_of(world(independent(3, probabilities=[0.2, 0.5, 0.9])), (0.5, 0.1, 0.3))
    naive = [
        math.prod(q / 2 if state < 2 else 1 - q for q, state in zip((0.5, 0.1, 0.3), code, strict=True))
        for code in found.codes.tolist()
    ]
    torch.testing.assert_close(found.weights, torch.tensor(naive, dtype=torch.float64))


def test_shares_hold_with_more_states_too() -> None:
    several = world(categorical((3, 2), generator=torch.Generator().manual_seed(0)))
    assert known(spoken_of(several, (0.25, 0.5))) == pytest.approx([0.25, 0.5])


def config(**contexts: Any) -> Config:
    return parse({"runs": 4, "world": {"kind": "random", "concepts": 3}, "contexts": contexts})


def test_every_run_draws_which_concept_is_rare() -> None:
    built = worlds(config(frequency_ratio=16.0))
    assert all(sorted(known(each)) == pytest.approx([2 / 3 / 16, 2 / 3 / 4, 2 / 3]) for each in built)
    assert len({tuple(round(share, 6) for share in known(each)) for each in built}) > 1
    fixed = {"runs": 2, "world": {"kind": "independent", "concepts": 3, "probabilities": [0.5] * 3}}
    same = worlds(parse(fixed))
    assert same[0] is same[1]
    apart = worlds(parse({**fixed, "contexts": {"frequency_ratio": 4.0}}))
    assert apart[0] is not apart[1]


def test_a_shift_keeps_who_is_rare() -> None:
    given = parse(
        {
            "runs": 2,
            "world": {"kind": "random", "concepts": 3},
            "contexts": {"frequency_ratio": 4.0},
            "shift": {"step": 1},
        }
    )
    before = worlds(given)
    for old, new in zip(before, shifted(given, before), strict=True):
        assert known(new) == pytest.approx(known(old))
        assert not torch.equal(new.joint, old.joint)


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "known", "at_most": 1}, {"weights": "occurrence"}, {"kind": "fraction", "fraction": 0.5}],
)
def test_weights_of_another_kind_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="frequency_ratio: weighs complete contexts by itself"):
        config(frequency_ratio=2.0, **wrong)


def test_contexts_that_cannot_occur_leave_no_such_weights() -> None:
    asia = {"kind": "network", "network": "asia"}
    with pytest.raises(InputError, match="1,458 contexts cannot occur"):
        worlds(parse({"runs": 1, "world": asia, "contexts": {"frequency_ratio": 2.0}}))


def test_sampled_contexts_have_their_own_weights() -> None:
    sparse = {"kind": "sparse", "concepts": 20}
    with pytest.raises(InputError, match="contexts that a sparse world samples"):
        worlds(parse({"runs": 1, "world": sparse, "contexts": {"frequency_ratio": 2.0}}))


def test_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="expected at least 1"):
        shares(3, 0.5, generator=torch.Generator())
