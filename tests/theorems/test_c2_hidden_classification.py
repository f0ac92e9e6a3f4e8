"""Claim C2: next-token loss hides a binary classification, whose directions settle at predicted rates."""

import itertools
import math

import pytest
import torch

from linrep.theory.hidden_classification import (
    conserved_matrix,
    descend_fixed,
    descend_joint,
    joint_rate,
)
from linrep.theory.max_margin import hard_margin
from linrep.theory.next_token_svm import settling_constant


def planted(seed, dim=4, others=4):
    """As many support vectors as dimensions, spread evenly so that all settle; others at three margins."""
    g = torch.Generator().manual_seed(seed)
    duals = 0.5 + torch.rand(dim, generator=g, dtype=torch.float64)
    simplex = torch.linalg.qr(torch.eye(dim) - 1 / dim + 0.1 * torch.randn(dim, dim, generator=g)).Q.double()
    cross = 2 * simplex[:, : dim - 1]
    cross -= duals @ cross / duals.sum()
    far = torch.randn(others, dim - 1, generator=g, dtype=torch.float64)
    near = torch.cat([torch.ones(dim, 1, dtype=torch.float64), cross], 1)
    return torch.cat([near, torch.cat([torch.full((others, 1), 3.0, dtype=torch.float64), far], 1)])


def angle(v, direction):
    unit = direction / direction.norm()
    along = v @ unit
    return torch.atan2((v - along[:, None] * unit).norm(dim=1), along)


@pytest.mark.parametrize("seed", range(3))
def test_embeddings_fixed_angle_times_log_time_settles_at_its_constant_from_any_start(seed):
    x = planted(seed)
    margin = hard_margin(x)
    settled = settling_constant(x, margin)
    assert settled.constant is not None
    times = [1e6, 1e20, 1e60, 1e120]
    step = 0.5 / float(x.square().sum(1).max())
    for start_seed in (0, 1):
        start = torch.randn(4, generator=torch.Generator().manual_seed(start_seed), dtype=torch.float64)
        run = descend_fixed(x, start, step=step, times=times, normalised=True)
        assert run.complete
        measured = angle(run.parameters[:, 0], margin.direction) * run.times.log()
        error = (measured - settled.constant).abs() / settled.constant
        assert float(error[-1]) < 0.02
        assert float(error[-1]) < float(error[1]) + 1e-9


def test_residual_itself_is_reached():
    """v − ŵ ln t → w̃: the law behind the constant, without the 1/ln t correction of the angle."""
    x = planted(7)
    margin = hard_margin(x)
    settled = settling_constant(x, margin)
    assert settled.residual is not None
    run = descend_fixed(x, torch.zeros(4).double(), step=1e-3, times=[1e8], normalised=True)
    left = run.parameters[0, 0] - margin.direction * run.times.log()
    torch.testing.assert_close(left, settled.residual, atol=0.01, rtol=0)


def test_path_dependence_where_support_vectors_do_not_span():
    """One support vector in the plane: the limit of angle·ln t remembers the start."""
    x = torch.tensor([[1.0, 0.0], [4.0, 1.0]], dtype=torch.float64)
    margin = hard_margin(x)
    assert settling_constant(x, margin).constant is None
    ends = []
    for offset in (0.0, 3.0):
        start = torch.tensor([0.0, offset], dtype=torch.float64)
        run = descend_fixed(x, start, step=0.02, times=[1e30], normalised=True)
        ends.append(float(angle(run.parameters[:, 0], margin.direction)[0] * run.times.log()[0]))
    assert abs(ends[0] - ends[1]) > 1


def start(seed, scale=0.5, dim=8):
    g = torch.Generator().manual_seed(seed)
    return scale * torch.randn(3, dim, generator=g, dtype=torch.float64)


def cosine(parameters):
    return torch.cosine_similarity(parameters[:, 0] - parameters[:, 1], parameters[:, 2])


@pytest.mark.parametrize("seed", range(3))
def test_all_trained_angle_and_rate_follow_the_conserved_matrix(seed):
    times = [1e6, 1e24, 1e100, 1e300]
    run = descend_joint(*start(seed), step=0.0025, times=times, normalised=True)
    assert run.complete
    value = cosine(run.parameters)
    length = run.parameters[:, 2].square().sum(1)
    ratio = torch.arccos(value) / (2 * joint_rate(run.parameters).sqrt() / length)
    assert float((ratio[-1] - 1).abs()) < 0.01
    norm = length / (math.sqrt(2) * run.times.log())
    assert float((norm[-1] - 1).abs()) < 0.03
    rate = (1 - value) * run.times.log().square() / joint_rate(run.parameters)
    assert float((rate[-1] - 1).abs()) < 0.05
    # The corrections die like 1/ln t: each later time is nearer.
    assert bool(((rate - 1).abs().diff() < 0).all())


def test_all_trained_plain_steps_reach_the_same_cosines():
    plain = descend_joint(*start(0), step=0.05, times=[5e2], normalised=False)
    fast = descend_joint(*start(0), step=0.005, times=[5e2], normalised=True)
    torch.testing.assert_close(cosine(plain.parameters), cosine(fast.parameters), atol=0.02, rtol=0)


def test_drift_of_the_conserved_matrix_halves_with_the_step():
    first = conserved_matrix(start(0))
    drift = [
        float(
            (
                conserved_matrix(
                    descend_joint(*start(0), step=step, times=[100.0], normalised=False).parameters[0]
                )
                - first
            ).norm()
        )
        for step in (0.05, 0.025, 0.0125, 0.00625)
    ]
    ratios = [a / b for a, b in itertools.pairwise(drift)]
    assert all(1.8 < ratio < 2.3 for ratio in ratios), drift


def test_nearly_all_drift_falls_in_the_first_steps():
    first = conserved_matrix(start(1))
    run = descend_joint(*start(1), step=0.02, times=[2.0, 200.0], normalised=False)
    drift = (conserved_matrix(run.parameters) - first).flatten(1).norm(dim=1)
    assert float(drift[0] / drift[1]) > 0.9
