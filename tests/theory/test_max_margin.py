"""Hard margins: a second solver, the KKT certificate, planted answers, and the proof that none exists."""

import warnings

import pytest
import torch
from sklearn.svm import SVC

from linrep.errors import InputError
from linrep.theory.max_margin import hard_margin
from linrep.theory.next_token_svm import settling_constant


def separable(seed, points=12, dim=4):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(points, dim, generator=g, dtype=torch.float64)
    return x * torch.sign(x @ torch.randn(dim, generator=g, dtype=torch.float64))[:, None]


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_a_support_vector_classifier(seed):
    """Points and their mirror images with opposite labels: the offset vanishes by symmetry."""
    x = separable(seed)
    machine = SVC(kernel="linear", C=1e9, tol=1e-8)
    machine.fit(torch.cat([x, -x]).numpy(), [1] * len(x) + [-1] * len(x))
    found = hard_margin(x)
    ours = found.direction
    theirs = torch.tensor(machine.coef_[0].tolist(), dtype=torch.float64)
    torch.testing.assert_close(ours, theirs, atol=1e-4 * float(ours.norm()), rtol=0)
    support = {n % len(x) for n in machine.support_.tolist()}
    assert set(found.support.nonzero()[:, 0].tolist()) == support


@pytest.mark.parametrize("seed", range(6))
def test_certificate(seed):
    x = separable(seed, points=20)
    found = hard_margin(x)
    assert found.separable
    assert max(found.stationarity, found.violation, found.complementarity) < 1e-9
    assert float(found.duals.min()) >= 0
    torch.testing.assert_close(found.duals @ x, found.direction)
    assert float(found.duals.sum()) == pytest.approx(float(found.direction.square().sum()))
    assert found.margin == pytest.approx(float((x @ found.direction).min() / found.direction.norm()))


def test_planted_support_vectors():
    g = torch.Generator().manual_seed(0)
    direction = torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64)
    shift = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    near = torch.cat([torch.full((3, 1), 0.5, dtype=torch.float64), shift], 1)
    far = torch.cat([torch.full((5, 1), 2.0), torch.randn(5, 2, generator=g)], 1).double()
    found = hard_margin(torch.cat([near, far]))
    torch.testing.assert_close(found.direction, direction)
    assert found.support.tolist() == [True] * 3 + [False] * 5


def test_no_separator_is_said_with_the_size_and_proven():
    x = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    found = hard_margin(x)
    assert not found.separable
    assert "3 points in 2 dimensions" in found.reason
    assert float((found.duals @ x).norm()) < 1e-6
    assert float(found.duals.sum()) == pytest.approx(1)
    assert settling_constant(x, found).constant is None


def test_settling_constant_solves_its_equations_and_says_when_it_cannot():
    # As many support vectors as dimensions, planted: x_n·ŵ = 1 on each, positive duals.
    g = torch.Generator().manual_seed(4)
    cross = torch.randn(4, 3, generator=g, dtype=torch.float64)
    duals = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    cross -= duals @ cross / duals.sum()
    x = torch.cat([torch.ones(4, 1, dtype=torch.float64), cross], 1)
    found = hard_margin(x)
    settled = settling_constant(x, found)
    assert settled.residual is not None
    torch.testing.assert_close(torch.exp(-x @ settled.residual), found.duals)
    flat = torch.tensor([[1.0, 0.0], [2.0, 3.0]], dtype=torch.float64)
    undecided = settling_constant(flat, hard_margin(flat))
    assert undecided.constant is None
    assert "path-dependent" in undecided.reason


def test_dependent_support_vectors_have_a_constant_too():
    x = torch.tensor([[1.0, 1.0], [1.0, -1.0], [1.0, 0.5]], dtype=torch.float64)
    settled = settling_constant(x, hard_margin(x))
    if settled.constant is not None:
        assert settled.constant >= 0


def test_refusals():
    with pytest.raises(InputError, match="2000000 dimensions"):
        hard_margin(torch.ones(1, 2_000_000, dtype=torch.float64))
    with pytest.raises(InputError, match="finite"):
        hard_margin(torch.full((2, 2), torch.nan, dtype=torch.float64))


def test_a_solver_that_misses_its_tolerance_says_so_in_the_answer_and_not_on_the_terminal():
    lengths = torch.logspace(-6, 6, 6, dtype=torch.float64)[:, None]
    draw = torch.Generator().manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = hard_margin(torch.randn(6, 3, generator=draw, dtype=torch.float64) * lengths)
    assert found.solver_status == "optimal_inaccurate"
    assert found.violation > 1e-6
    assert "no hard margin found" in found.reason
