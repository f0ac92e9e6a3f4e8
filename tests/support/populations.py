"""Populations to test on, and autograd as the slow twin of the gradient."""

import itertools

import torch

from linrep.population.gradient import Population
from linrep.worlds.transforms import subset_sum


def random_population(
    sizes, runs=1, *, zeros=0.0, fewer_tokens=0, fewer_contexts=0, uniform=False, dtype=torch.float64, seed=0
):
    """Random joints; run r lacks r · fewer tokens and contexts; impossible contexts are dropped."""
    generator = torch.Generator().manual_seed(seed)
    joints, contexts, weights, tokens = [], [], [], []
    for run in range(runs):
        joint = torch.rand(torch.Size(sizes).numel(), generator=generator, dtype=torch.float64) ** 3
        joint[torch.rand(joint.shape, generator=generator) < zeros] = 0
        support = joint.nonzero()[:, 0]
        kept = torch.randperm(len(support), generator=generator)[: len(support) - run * fewer_tokens]
        restricted = torch.zeros_like(joint)
        restricted[support[kept]] = joint[support[kept]]
        possible = subset_sum(restricted, sizes).nonzero()[:, 0]
        few = torch.randperm(len(possible), generator=generator)[: len(possible) - run * fewer_contexts]
        omega = torch.rand(len(few), generator=generator, dtype=torch.float64) + 0.01
        omega = torch.ones_like(omega) if uniform else omega
        joints.append(joint)
        contexts.append(possible[few].sort()[0])
        weights.append(omega / omega.sum())
        tokens.append(support[kept].sort()[0])
    return Population.build(sizes, joints, contexts, weights, tokens, dtype=dtype)


def random_tables(population, dim, scale=1.0, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shapes = (*population.weights.shape, dim), (*population.token_index.shape, dim)
    return tuple(
        (scale * torch.randn(shape, generator=generator, dtype=torch.float64)).to(population.dtype)
        for shape in shapes
    )


def enumerated_conditional(population, run):
    """p(token | context) of one run by looking at every pair."""
    contexts = list(itertools.product(*(range(v + 1) for v in population.sizes)))
    concept_vectors = list(itertools.product(*(range(v) for v in population.sizes)))
    rows = torch.zeros(population.weights.shape[1], population.token_index.shape[1], dtype=torch.float64)
    mask = population.token_mask
    for i, context in enumerate(population.context_index[run].tolist()):
        for j, token in enumerate(population.token_index[run].tolist()):
            known = zip(contexts[context], concept_vectors[token], population.sizes, strict=True)
            if all(d in (c, unknown) for d, c, unknown in known) and (mask is None or mask[run, j]):
                rows[i, j] = population.joint[run, token]
    return rows / rows.sum(-1, keepdim=True).clamp_min(1e-300)


def autograd(population, embedding, unembedding):
    """Excess loss and gradients of every run, float64, by automatic differentiation of the definition."""
    f = embedding.detach().double().requires_grad_()
    g = unembedding.detach().double().requires_grad_()
    logits = f @ g.mT
    if population.token_mask is not None:
        logits = logits.masked_fill(~population.token_mask.unsqueeze(1), -1e300)
    target = population.to(dtype=torch.float64).conditional
    loss = -(population.weights.unsqueeze(-1) * target * logits.log_softmax(-1)).sum((-1, -2))
    loss.sum().backward()
    return (loss - (population.weights * population.entropy).sum(-1)).detach(), f.grad, g.grad


def parts(population, f, g):
    """Norms of the two parts of both gradients, before they cancel."""
    f, g = f.double(), g.double()
    logits = f @ g.mT
    if population.token_mask is not None:
        logits = logits.masked_fill(~population.token_mask.unsqueeze(1), -torch.inf)
    wide = population.to(dtype=torch.float64)
    weights = wide.weights[..., None]
    q = logits.softmax(-1)
    first = weights * (q @ g), (weights * q).mT @ f
    second = weights * wide.conditional_mean(g), wide.conditional_mean_transpose(f)
    return [torch.hypot(a.norm(), b.norm()) for a, b in zip(first, second, strict=True)]


def worst(population, f, g, found):
    """Of both gradients, the distance from float64 over the norm of their two parts."""
    _, *expected = autograd(population, f, g)
    sizes = parts(population, f, g)
    for table, slope in zip(found, expected, strict=True):
        assert table.shape == slope.shape
        assert table.dtype == torch.float32
    return max(
        ((table.double() - slope).norm() / size).item()
        for table, slope, size in zip(found, expected, sizes, strict=True)
    )
