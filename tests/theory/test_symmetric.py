"""The symmetric program: reference values, our certificate, and the exact criterion for a linear limit."""

import itertools
import time
from math import comb

import pytest
import torch

from linrep.errors import InputError
from linrep.theory.additive import degree_weight, limit_is_linear
from linrep.theory.limit_geometry import symmetric_geometry
from linrep.theory.symmetric import krawtchouk, solve_symmetric_program, symmetric_limit

TABLE = {  # theory C6, complete contexts
    2: (4.464, (1.732, 1.000), 3, 0.268, 0.314, 0.587, 0.366, 0.423, 0.776, 0.690),
    3: (15.178, (3.049, 1.815, 0.587), 7, 0.226, 0.238, 0.368, 0.263, 0.290, 0.603, 0.493),
    4: (46.408, (5.342, 3.291, 1.324, 0.0), 14, 0.175, 0.156, 0.228, 0.197, 0.213, 0.460, 0.341),
}


@pytest.mark.parametrize("concepts", TABLE)
def test_the_table_of_complete_contexts_to_three_digits(concepts):
    objective, sigma, rank, *rest = TABLE[concepts]
    limit = symmetric_limit(concepts)
    g = symmetric_geometry(limit)
    assert limit.objective == pytest.approx(objective, abs=5.1e-4)
    assert limit.singular_values.tolist() == pytest.approx(sigma, abs=5.1e-4)
    assert limit.rank == rank
    measured = (
        g.linearity_unembedding,
        g.linearity_embedding,
        g.alignment,
        g.orthogonality_rms_unembedding,
        g.orthogonality_rms_embedding,
        g.additive_share_unembedding,
        g.additive_share_embedding,
    )
    assert measured == pytest.approx(rest, abs=5.1e-4)
    assert g.spectrum is not None
    assert sum(g.spectrum) == pytest.approx(1.0)


def test_two_concepts_in_closed_form():
    assert symmetric_limit(2).singular_values.tolist() == pytest.approx([3**0.5, 1.0], abs=1e-8)


@pytest.mark.parametrize("concepts", [2, 5, 8, 12, 16, 24, 32])
def test_our_own_certificate_closes(concepts):
    for known in (None, (1, concepts), (max(1, concepts // 2), concepts), (1, (concepts + 1) // 2)):
        certificate = symmetric_limit(concepts, known).certificate
        assert -1e-12 <= certificate.relative_gap <= 1e-6


def test_sixteen_concepts_in_under_ten_seconds():
    begin = time.perf_counter()
    limit = symmetric_limit(16)
    assert time.perf_counter() - begin < 10
    assert limit.certificate.relative_gap <= 1e-6


def test_returned_point_is_feasible_by_enumeration():
    """Build L(d, c) from α and Walsh characters, read off every margin and every equality."""
    for known in ((1, 3), (2, 3), (1, 2), (3, 3)):
        limit = symmetric_limit(3, known)
        for context in itertools.product((0, 1, 2), repeat=3):
            places = [i for i, digit in enumerate(context) if digit < 2]
            u = len(places)
            if not known[0] <= u <= known[1]:
                continue
            alpha = limit.coefficients[:, u - known[0]].tolist()
            row = {}
            for token in itertools.product((0, 1), repeat=3):
                row[token] = sum(
                    alpha[k - 1] * (-1) ** sum(token[i] != context[i] for i in chosen)
                    for k in range(1, u + 1)
                    for chosen in itertools.combinations(places, k)
                )
            on = [x for c, x in row.items() if all(c[i] == context[i] for i in places)]
            off = [x for c, x in row.items() if any(c[i] != context[i] for i in places)]
            assert max(on) - min(on) < 1e-12
            assert min(on) - max(off) >= 1 - 1e-9


def test_krawtchouk_by_enumeration():
    for u in range(5):
        table = krawtchouk(u)
        for k, h in itertools.product(range(u + 1), repeat=2):
            x = [1] * h + [0] * (u - h)
            mean = sum((-1) ** sum(x[i] for i in s) for s in itertools.combinations(range(u), k)) / comb(u, k)
            assert float(table[k, h]) == pytest.approx(mean, abs=1e-15)
    assert torch.all(krawtchouk(32).abs() <= 1)


def linear_by_program(concepts, known):
    """Whether the additive solution is as good as the solved program: by solving, not by the criterion."""
    status, beta, _ = solve_symmetric_program(concepts, known)
    assert "Solved" in status
    weight = {
        pair: (2.0 ** (concepts + pair[1]) * comb(concepts, pair[0]) * comb(concepts, pair[1])) ** 0.5
        / comb(pair[1], pair[0]) ** 0.5
        for pair in beta
    }
    terms = dict.fromkeys(range(1, concepts + 1), 0.0)
    for (k, u), value in beta.items():
        terms[k] += (weight[k, u] * value) ** 2
    objective = sum(value**0.5 for value in terms.values())
    additive = concepts / 2 * (2**concepts * degree_weight(concepts, known, 1)) ** 0.5
    return objective >= additive * (1 - 1e-8), objective, additive


def check_criterion(largest):
    cases = [(m, (a, b)) for m in range(1, largest + 1) for a in range(1, m + 1) for b in range(a, m + 1)]
    ties = 0
    for m, known in cases:
        program, objective, additive = linear_by_program(m, known)
        assert program == limit_is_linear(m, known), (m, known, objective, additive)
        first = degree_weight(m, known, 1)
        ties += any(k * k * degree_weight(m, known, k) == first for k in range(2, known[1] + 1)) and program
    return len(cases), ties


def test_the_criterion_for_a_linear_limit_up_to_eleven_concepts():
    cases, ties = check_criterion(11)
    assert cases == 286
    assert ties == 2


def test_low_order_contexts_are_linear_from_4b_minus_3_concepts_on():
    for most in range(2, 7):
        for concepts in range(most, 32):
            assert limit_is_linear(concepts, (1, most)) == (concepts >= 4 * most - 3)
    limit = symmetric_limit(5, (1, 2))
    assert limit.objective == pytest.approx(60)
    assert limit.singular_values.tolist() == pytest.approx([12, 0, 0, 0, 0])
    assert symmetric_geometry(limit).linearity_unembedding == pytest.approx(1)


def test_complete_contexts_are_never_linear():
    assert not any(limit_is_linear(m) for m in range(2, 33))
    assert limit_is_linear(1)


def test_a_limit_may_have_no_degree_one_at_all():
    """Sixteen concepts, 8 to 12 known: only degree 3 is used, so nothing is linear or aligned."""
    limit = symmetric_limit(16, (8, 12))
    assert limit.certificate.relative_gap <= 1e-6
    assert [k for k, sigma in enumerate(limit.singular_values.tolist(), start=1) if sigma > 0] == [3]
    g = symmetric_geometry(limit)
    assert g.alignment == 0
    assert g.linearity_unembedding == pytest.approx(0, abs=1e-4)
    assert g.orthogonality_mean_directions is None


def test_nothing_known_adds_a_zero_row_only():
    assert symmetric_limit(4, (0, 3)).objective == symmetric_limit(4, (1, 3)).objective


@pytest.mark.parametrize(
    ("concepts", "known"), [(0, None), (33, None), (3, (2, 1)), (3, (0, 0)), (3, (1, 4))]
)
def test_bad_input_is_refused(concepts, known):
    with pytest.raises(InputError):
        symmetric_limit(concepts, known)
