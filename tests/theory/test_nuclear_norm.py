"""The general program: against symmetry, enumeration and a second solver; certificates; what it refuses."""

import cvxpy
import pytest
import torch

from linrep.errors import InputError
from linrep.theory.additive import additive_logits
from linrep.theory.factors import balanced_factors, factor_geometry
from linrep.theory.limit_geometry import symmetric_geometry
from linrep.theory.nuclear_norm import least_dimension, nuclear_norm_limit
from linrep.theory.symmetric import symmetric_limit
from linrep.worlds.concepts import from_tables, independent
from linrep.worlds.contexts import complete, conditional, known, world

RANGES = [(m, (a, b)) for m in (2, 3, 4) for a in range(1, m + 1) for b in range(a, m + 1)]


def model(concepts):
    return independent(concepts, probabilities=[0.5] * concepts, generator=None)


def incomplete(concepts, seed, contexts=0.5, tokens=0.8):
    g = torch.Generator().manual_seed(seed)
    toy = model(concepts)
    chosen = complete(toy.sizes)[torch.rand(3**concepts, generator=g) < contexts]
    kept = (torch.rand(2**concepts, generator=g) < tokens).nonzero()[:, 0]
    return world(toy, codes=chosen, tokens=kept)


def second_opinion(support):
    """The same program by an interior-point solver."""
    table = cvxpy.Variable(support.shape)
    constraints = []
    for d, row in enumerate(support):
        on, off = row.nonzero()[:, 0].tolist(), (~row).nonzero()[:, 0].tolist()
        constraints += [table[d, on[0]] == table[d, c] for c in on[1:]]
        constraints += [table[d, on[0]] - table[d, c] >= 1 for c in off]
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.normNuc(table)), constraints)
    return problem.solve(solver="CLARABEL")


@pytest.mark.parametrize(("concepts", "span"), RANGES)
def test_agrees_with_symmetry_in_objective_rank_and_geometry(concepts, span):
    toy = world(model(concepts), codes=known((2,) * concepts, at_least=span[0], at_most=span[1]))
    limit = nuclear_norm_limit(conditional(toy) > 0)
    closed = symmetric_limit(concepts, span)
    assert limit.certificate.relative_gap <= 1e-6
    assert limit.objective == pytest.approx(closed.objective, rel=1e-6)
    measured = factor_geometry(
        limit.embedding, limit.unembedding, toy.codes, toy.token_codes, toy.model.sizes
    )
    predicted = symmetric_geometry(closed)
    assert limit.rank == closed.rank
    for name in (
        "linearity_embedding",
        "linearity_unembedding",
        "alignment",
        "orthogonality_mean_directions",
        "orthogonality_rms_embedding",
        "orthogonality_rms_unembedding",
        "additive_share_embedding",
        "additive_share_unembedding",
    ):
        assert getattr(measured, name) == pytest.approx(getattr(predicted, name), abs=1e-4), name


def test_two_concepts_by_enumeration():
    """Every invariant table on a grid of α(1,1), α(1,2), α(2,2): none is better, the best is as good."""
    toy = world(model(2), codes=known((2, 2), at_least=1))
    support = conditional(toy) > 0
    sign_d = torch.where(toy.codes == 2, 0.0, 1.0 - 2.0 * toy.codes.double())
    sign_c = 1.0 - 2.0 * toy.token_codes.double()
    first = sign_d @ sign_c.T
    second = torch.outer(sign_d.prod(1), sign_c.prod(1))
    both = (toy.codes < 2).all(1)[:, None]
    grid = torch.linspace(-0.5, 1, 61, dtype=torch.float64)
    a, b, c = torch.meshgrid(grid[grid >= 0.4], grid[grid >= 0.2], grid, indexing="ij")
    tables = torch.where(
        both,
        b.reshape(-1, 1, 1) * first + c.reshape(-1, 1, 1) * second,
        a.reshape(-1, 1, 1) * first,
    )
    on = torch.where(support, tables, torch.inf).amin(2)
    off = torch.where(support, -torch.inf, tables).amax(2)
    feasible = ((on - off) >= 1 - 1e-12).all(1)
    best = float(torch.linalg.matrix_norm(tables[feasible], "nuc").min())
    optimum = nuclear_norm_limit(support).objective
    assert optimum <= best + 1e-9
    assert best == pytest.approx(optimum, rel=5e-3)
    assert optimum == pytest.approx(2 * 3**0.5 + 1, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_a_second_solver_on_incomplete_worlds(seed):
    support = conditional(incomplete(3, seed)) > 0
    assert nuclear_norm_limit(support).objective == pytest.approx(second_opinion(support), rel=1e-5)


@pytest.mark.parametrize(("concepts", "seed"), [(4, 0), (4, 1), (5, 2)])
def test_point_is_feasible_and_certificate_closes(concepts, seed):
    support = conditional(incomplete(concepts, seed)) > 0
    limit = nuclear_norm_limit(support)
    assert 0 <= limit.certificate.relative_gap <= 1e-6
    assert limit.solver_status == "converged"
    on = torch.where(support, limit.logits, torch.inf).amin(1)
    level = torch.where(support, limit.logits, -torch.inf).amax(1)
    off = torch.where(support, -torch.inf, limit.logits).amax(1)
    assert float((level - on).max()) < 1e-9
    assert float((on - off).min()) >= 1 - 1e-9
    torch.testing.assert_close(limit.embedding @ limit.unembedding.T, limit.logits, atol=1e-4, rtol=0)
    balanced = limit.embedding.T @ limit.embedding - limit.unembedding.T @ limit.unembedding
    assert float(balanced.abs().max()) < 1e-9


def test_giving_up_is_said_and_the_bound_stays_valid():
    support = conditional(incomplete(4, 1)) > 0
    early, late = nuclear_norm_limit(support, most_iterations=20), nuclear_norm_limit(support)
    assert early.solver_status == "stopped after 20 iterations"
    assert early.certificate.dual <= late.certificate.primal
    assert early.certificate.relative_gap > late.certificate.relative_gap


def test_impossible_contexts_and_missing_tokens():
    """A deterministic OR: three corners of a square, which need a dimension each."""
    half = [[0.5, 0.5]]
    tables = {"a": half, "b": half, "or": [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]}
    toy = world(from_tables(["a", "b", "or"], tables, parents={"or": ["a", "b"]}))
    support = conditional(toy) > 0
    assert least_dimension(support) == 3
    limit = nuclear_norm_limit(support)
    assert limit.certificate.relative_gap <= 1e-6
    assert limit.objective == pytest.approx(second_opinion(support), rel=1e-5)


def test_least_dimension_uses_intersections():
    for concepts in (2, 3, 4):
        for least in range(1, concepts + 1):
            codes = known((2,) * concepts, at_least=least, at_most=least)
            support = conditional(world(model(concepts), codes=codes)) > 0
            assert least_dimension(support) == concepts - least + 1


def test_fully_known_contexts_are_separated_in_two_dimensions():
    """Why k < m is reachable when every context knows everything: 16 tokens of 4 concepts on a circle."""
    angle = torch.arange(16, dtype=torch.float64) * torch.pi / 8
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    logits = circle @ circle.T
    others = logits.masked_fill(torch.eye(16, dtype=torch.bool), -torch.inf)
    assert float((logits.diagonal() - others.amax(1)).min()) > 0


@pytest.mark.parametrize("seed", range(4))
def test_additive_table_is_feasible_everywhere_and_exactly_linear(seed):
    toy = incomplete(4, seed)
    table = additive_logits(toy.codes, toy.token_codes)
    support = conditional(toy) > 0
    on = torch.where(support, table, torch.inf).amin(1)
    off = torch.where(support, -torch.inf, table).amax(1)
    assert float((on - off).min()) >= 1 - 1e-12
    f, g, values = balanced_factors(table, tolerance=1e-9)
    assert len(values) <= 4
    geometry = factor_geometry(f, g, toy.codes, toy.token_codes, toy.model.sizes)
    assert geometry.linearity_unembedding == pytest.approx(1)
    assert float(values.sum()) >= nuclear_norm_limit(support).certificate.dual


def test_refusals_name_the_size():
    with pytest.raises(InputError, match="1000 contexts × 1000 tokens = 1000000"):
        nuclear_norm_limit(torch.eye(1000, dtype=torch.bool))
    with pytest.raises(InputError, match="no margin to predict"):
        nuclear_norm_limit(torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(InputError, match="row 1"):
        nuclear_norm_limit(torch.tensor([[True, False], [False, False]]))
