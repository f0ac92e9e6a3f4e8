"""The rules of width, and the JSON of a prediction."""

import json

import pytest

from linrep.errors import InputError
from linrep.theory.limits import predict
from linrep.theory.prediction import prediction_rows


def test_rules_of_width_for_complete_contexts():
    assert [predict(3, k).status for k in (1, 2, 3, 4, 6, 7, 50)] == [
        "unreachable",
        "unreachable",
        "additive_not_proven_optimal",
        "no_convex_prediction",
        "no_convex_prediction",
        "optimal",
        "optimal",
    ]
    assert predict(3).objective == predict(3, 7).objective


def test_additive_width_of_a_linear_limit_is_proven():
    prediction = predict(5, 5, (1, 2))
    assert prediction.status == "optimal"
    assert prediction.geometry is not None
    assert prediction.geometry.linearity_unembedding == pytest.approx(1)


def test_additive_solution_at_width_m():
    prediction = predict(4, 4)
    assert prediction.objective == pytest.approx(4 / 2 * (2 * 3**3 * 2**4) ** 0.5)
    assert prediction.rank == 4
    assert prediction.certificate is not None
    assert prediction.certificate.dual == pytest.approx(46.408, abs=1e-3)
    g = prediction.geometry
    assert g is not None
    assert (g.linearity_embedding, g.linearity_unembedding, g.alignment) == (1, 1, 1)
    assert g.orthogonality_rms_embedding == g.orthogonality_rms_unembedding == 0


def test_json_has_the_keys_and_no_nan():
    keys = {"status", "objective", "singular_values", "rank", "linearity", "alignment", "orthogonality"}
    keys |= {"additive_share", "certificate"}
    for dim in (None, 2, 3, 4, 9):
        data = predict(3, dim).as_json()
        assert keys <= data.keys()
        json.dumps(data, allow_nan=False)
    assert predict(3, 5).as_json()["objective"] is None
    assert predict(3, 2).as_json()["linearity"] == {"embedding": None, "unembedding": None}
    one = predict(1).as_json()
    json.dumps(one, allow_nan=False)
    assert one["linearity"] == {"embedding": None, "unembedding": None}


def test_rows_for_a_table():
    rows = prediction_rows(predict(3))
    assert ("rank", "7", "") in rows
    assert ("objective (nuclear norm)", "15.178", "") in rows
    assert len(prediction_rows(predict(3, 2))) == 2


def test_bad_width():
    with pytest.raises(InputError, match="dim: expected at least 1, got 0"):
        predict(3, 0)
