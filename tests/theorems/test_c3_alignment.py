"""Claim C3: training embeddings and unembeddings together turns their steering vectors towards each other."""

import torch

from linrep.theory.hidden_classification import descend_fixed, descend_joint


def test_joint_descent_aligns_from_every_start():
    for seed in range(5):
        begin = 0.3 * torch.randn(3, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        run = descend_joint(*begin, step=0.01, times=[1e2, 1e8, 1e60], normalised=True)
        cosine = torch.cosine_similarity(run.parameters[:, 0] - run.parameters[:, 1], run.parameters[:, 2])
        assert bool((cosine.diff() > 0).all())
        assert float(cosine[-1]) > 0.999


def test_with_embeddings_fixed_alignment_is_not_promised():
    """Negative control: v goes to the hard margin of the data, which need not be w_1 − w_0."""
    w1, w0 = torch.tensor([[1.0, 0.0], [-1.0, -3.0]], dtype=torch.float64)
    run = descend_fixed(
        torch.stack([w1, -w0]), torch.zeros(2).double(), step=0.02, times=[1e30], normalised=True
    )
    cosine = torch.cosine_similarity(run.parameters[0, 0], w1 - w0, dim=0)
    assert float(cosine) < 0.9
