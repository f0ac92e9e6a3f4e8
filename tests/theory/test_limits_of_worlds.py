"""Predictions for worlds with and without symmetry."""

import json

import pytest
import torch

import linrep
from linrep.errors import InputError
from linrep.theory.limits import predict, predict_world
from linrep.worlds.concepts import chain, from_tables, independent
from linrep.worlds.contexts import complete, known, world
from linrep.worlds.network import load_network


def toy(concepts):
    return independent(concepts, probabilities=[0.3] * concepts, generator=None)


def test_symmetric_worlds_take_the_closed_form_whatever_the_probabilities():
    assert predict_world(world(toy(3))) == predict(3)
    assert predict_world(world(chain(3, generator=torch.Generator().manual_seed(1))), 3) == predict(3, 3)
    restricted = world(toy(4), codes=known((2,) * 4, at_least=1, at_most=2))
    assert predict_world(restricted) == predict(4, known=(1, 2))


def test_rules_of_width_without_symmetry():
    half = [[0.5, 0.5]]
    tables = {"a": half, "b": half, "or": [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]}
    disjunction = world(from_tables(["a", "b", "or"], tables, parents={"or": ["a", "b"]}))
    assert predict_world(disjunction, 2).status == "unreachable"
    at_three = predict_world(disjunction, 3)
    assert at_three.status in ("additive_not_proven_optimal", "optimal")
    for dim in (None, 2, 3, 9):
        json.dumps(predict_world(disjunction, dim).as_json(), allow_nan=False)


def test_incomplete_contexts():
    half = complete((2,) * 4)[torch.rand(81, generator=torch.Generator().manual_seed(0)) < 0.5]
    part = world(toy(4), codes=half)
    wide = predict_world(part)
    assert wide.status == "optimal"
    assert wide.rank is not None
    assert wide.rank > 4
    assert sum(s.multiplicity for s in wide.singular_values) == wide.rank
    assert wide.certificate is not None
    assert wide.certificate.relative_gap <= 1e-6
    assert predict_world(part, wide.rank - 1).status == "no_convex_prediction"
    additive = predict_world(part, 4)
    assert additive.status == "additive_not_proven_optimal"
    assert additive.geometry is not None
    assert additive.geometry.linearity_unembedding == pytest.approx(1)
    assert additive.objective is not None
    assert wide.objective is not None
    assert additive.objective > wide.objective


def test_a_real_network_at_its_width_and_beyond_what_the_program_takes():
    """Asia: "either" is a deterministic OR, yet costs a dimension."""
    asia = world(load_network("asia"))
    assert predict_world(asia, 7).status == "unreachable"
    additive = predict_world(asia, 8)
    assert additive.status == "additive_not_proven_optimal"
    assert additive.rank == 8
    json.dumps(additive.as_json(), allow_nan=False)
    with pytest.raises(InputError, match="5103 contexts × 128 tokens = 653184"):
        predict_world(asia)


def test_more_than_two_states():
    model = from_tables(
        ["colour", "shape"],
        {"colour": [[0.2, 0.3, 0.5]], "shape": [[0.5, 0.5]]},
        states={"colour": ["red", "green", "blue"]},
    )
    prediction = predict_world(world(model))
    assert prediction.status == "optimal"
    assert prediction.certificate is not None
    assert prediction.certificate.relative_gap <= 1e-6
    assert prediction.geometry is None
    assert "binary concepts alone" in prediction.reason


def test_bad_width():
    with pytest.raises(InputError, match="dim"):
        predict_world(world(toy(2)), 0)


def test_a_prediction_shows_its_status_its_limits_and_why() -> None:
    assert repr(linrep.predict("cancer", dim=3)) == (
        "Prediction(5 concepts, k = 3: unreachable; width 3 cannot separate the supports of 5 concepts: it "
        "takes 5 or more)"
    )
    wide = repr(linrep.predict({"world": {"kind": "chain", "concepts": 2}}, dim=2))
    assert "linearity of g 1.00, of f 1.00, alignment 1.00" in wide
