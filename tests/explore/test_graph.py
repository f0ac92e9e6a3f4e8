"""Changes of the concept graph: exact, and refused in a sentence where they cannot be."""

from typing import Any

import pytest
import torch

import linrep
from linrep.explore.graph import edited
from linrep.laboratory.given import world_of
from linrep.worlds.concepts import ConceptModel

COINS = linrep.independent(3, probabilities=[0.2, 0.5, 0.9])
CANCER = linrep.load_network("cancer")


def model(world: dict[str, Any]) -> ConceptModel:
    return world_of(world).model


def marginals(given: ConceptModel) -> list[float]:
    joint = given.joint().reshape(given.sizes)
    axes = range(given.concepts)
    return [float(joint.sum([a for a in axes if a != axis])[1]) for axis in axes]


def test_a_concept_more_and_one_less() -> None:
    more = model(edited(COINS, {"kind": "add"}))
    assert more.names == ("C1", "C2", "C3", "C4")
    torch.testing.assert_close(torch.tensor(marginals(more)), torch.tensor([0.2, 0.5, 0.9, 0.5]))
    less = model(edited(more, {"kind": "remove", "concept": 1}))
    assert less.names == ("C1", "C3", "C4")
    assert "C2" in model(edited(less, {"kind": "add"})).names


def test_joining_makes_dependence_and_parting_gives_back_what_was_before() -> None:
    joined = model(edited(COINS, {"kind": "join", "parent": 0, "child": 1}))
    assert joined.edges() == ((0, 1),)
    assert joined.tables[1][1, 1] > joined.tables[1][0, 1] + 0.5
    parted = model(edited(joined, {"kind": "part", "parent": 0, "child": 1}))
    assert parted.edges() == ()
    torch.testing.assert_close(parted.joint(), COINS.joint())


def test_arrows_never_make_certain_and_what_was_before_is_their_mean() -> None:
    five = linrep.independent(5, probabilities=[0.5, 0.5, 0.5, 0.5, 0.3])
    for parent in range(3):
        five = model(edited(five, {"kind": "join", "parent": parent, "child": 4}))
    on = five.tables[4][..., 1]
    assert 0.005 < on.min() < on.max() < 0.995
    torch.testing.assert_close(on.mean(), torch.tensor(0.3, dtype=on.dtype))
    sure = model(edited(COINS, {"kind": "probability", "concept": 2, "row": 0, "value": 0}))
    joined = model(edited(sure, {"kind": "join", "parent": 0, "child": 2}))
    assert joined.tables[2][1, 1] > joined.tables[2][0, 1] > 0


def test_parting_takes_the_mean_over_the_parent_that_goes() -> None:
    cancer = CANCER.names.index("Cancer")
    parent = CANCER.parents[cancer][0]
    parted = model(edited(CANCER, {"kind": "part", "parent": parent, "child": cancer}))
    torch.testing.assert_close(parted.tables[cancer], CANCER.tables[cancer].mean(0))
    assert len(parted.parents[cancer]) == len(CANCER.parents[cancer]) - 1


def test_removing_a_parent_parts_its_children() -> None:
    cancer = CANCER.names.index("Cancer")
    left = model(edited(CANCER, {"kind": "remove", "concept": cancer}))
    assert left.concepts == 4
    assert left.edges() == ()


def test_a_probability_and_a_name_are_set() -> None:
    given = edited(COINS, {"kind": "probability", "concept": 2, "row": 0, "value": 0.25})
    assert marginals(model(given))[2] == pytest.approx(0.25)
    named = model(edited(CANCER, {"kind": "rename", "concept": 1, "name": "smokes"}))
    assert named.names[1] == "smokes"
    torch.testing.assert_close(named.joint(), CANCER.joint())


def test_a_bif_file_is_read(tmp_path: Any) -> None:
    path = tmp_path / "mine.bif"
    linrep.write_bif(CANCER, path)
    assert model(edited(COINS, {"kind": "bif", "text": path.read_text()})).names == CANCER.names


WIDE = linrep.independent(8, probabilities=[0.5] * 8)
WRONG: list[tuple[ConceptModel, dict[str, Any], str]] = [
    (WIDE, {"kind": "add"}, "at most 8 concepts"),
    (linrep.independent(1, probabilities=[0.5]), {"kind": "remove", "concept": 0}, "the last concept stays"),
    (COINS, {"kind": "remove", "concept": 3}, "number of a concept as concept, got 3"),
    (COINS, {"kind": "join", "parent": 1, "child": 1}, "between two concepts that has none"),
    (CANCER, {"kind": "join", "parent": 4, "child": 0}, "would close a circle"),
    (COINS, {"kind": "part", "parent": 0, "child": 1}, "there is no arrow from C1 to C2"),
    (COINS, {"kind": "probability", "concept": 0, "row": 1, "value": 0.5}, "has 1 rows, got row 1"),
    (COINS, {"kind": "probability", "concept": 0, "row": 0, "value": 1.5}, "from 0 to 1, got 1.5"),
    (COINS, {"kind": "rename", "concept": 0, "name": "C2"}, "a name of its own"),
    (COINS, {"kind": "bif", "text": "network"}, "BIF file"),
    (COINS, {"kind": "turn"}, "a change of the graph, got 'turn'"),
    (linrep.load_network("survey"), {"kind": "add"}, "only graphs of binary concepts"),
]


@pytest.mark.parametrize(("given", "edit", "words"), WRONG, ids=[each[2] for each in WRONG])
def test_what_cannot_be_changed_is_a_sentence(given: ConceptModel, edit: dict[str, Any], words: str) -> None:
    with pytest.raises(linrep.InputError) as error:
        edited(given, edit)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_three_arrows_into_one_concept_are_enough() -> None:
    five = linrep.independent(5, probabilities=[0.5] * 5)
    for parent in range(3):
        five = model(edited(five, {"kind": "join", "parent": parent, "child": 4}))
    with pytest.raises(linrep.InputError, match="at most 3 arrows into C5"):
        edited(five, {"kind": "join", "parent": 3, "child": 4})
