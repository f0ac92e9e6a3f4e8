"""The two descents agree, their gradients are those of the loss, and bad input is refused."""

import pytest
import torch

from linrep.errors import InputError
from linrep.theory.hidden_classification import conserved_matrix, descend_fixed, descend_joint, joint_rate


def vectors(seed, count, dim=8):
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_step_is_the_gradient():
    w = vectors(0, 3).requires_grad_()
    loss = torch.exp(-w[0] @ w[2]) + torch.exp(w[1] @ w[2])
    (gradient,) = torch.autograd.grad(loss, w)
    run = descend_joint(*w.detach(), step=0.01, times=[0.01], normalised=False)
    torch.testing.assert_close(run.parameters[0], w.detach() - 0.01 * gradient)
    run = descend_joint(*w.detach(), step=0.01, times=[1e-9], normalised=True)
    torch.testing.assert_close(run.parameters[0], w.detach() - 0.01 * gradient / loss.detach())
    assert float(run.times[0]) == pytest.approx(0.01 / float(loss.detach()))


def test_normalised_and_plain_steps_follow_the_same_path():
    x = vectors(1, 5, 3)
    x = x * torch.sign(x[:, :1])
    start = torch.zeros(3, dtype=torch.float64)
    plain = descend_fixed(x, start, step=2e-3, times=[5.0, 20.0], normalised=False)
    fast = descend_fixed(x, start, step=2e-3, times=[5.0, 20.0], normalised=True)
    torch.testing.assert_close(plain.parameters, fast.parameters, atol=1e-2, rtol=0)
    assert int(fast.steps[-1]) < int(plain.steps[-1])


def test_running_out_of_steps_is_said():
    run = descend_fixed(
        vectors(0, 2), torch.zeros(8).double(), step=0.1, times=[0.5, 1e9], normalised=False, most_steps=10
    )
    assert not run.complete
    assert len(run.times) == 1


def test_conserved_matrix_and_rate_by_definition():
    w1, w0, v = vectors(2, 3)
    stack = torch.stack([w1, w0, v])
    q = torch.outer(w1, w1) + torch.outer(w0, w0) - torch.outer(v, v)
    torch.testing.assert_close(conserved_matrix(stack), q)
    unit = v / v.norm()
    across = q @ unit - unit * (unit @ q @ unit)
    torch.testing.assert_close(joint_rate(stack), across.square().sum() / 4)


def test_refusals():
    with pytest.raises(InputError, match="step"):
        descend_fixed(vectors(0, 2), torch.zeros(8).double(), step=0.0, times=[1.0], normalised=False)
    with pytest.raises(InputError, match="times"):
        descend_fixed(vectors(0, 2), torch.zeros(8).double(), step=0.1, times=[2.0, 1.0], normalised=False)
