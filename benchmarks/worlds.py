"""Populations and tables to time, fresh or trained-like."""

import argparse

import torch

from linrep.errors import InputError
from linrep.population.gradient import Population


def population(concepts: int, runs: int = 1, *, device: str = "cpu", seed: int = 0) -> Population:
    """All contexts and tokens of binary concepts under random joints, float32."""
    generator = torch.Generator().manual_seed(seed)
    contexts, tokens = torch.arange(3**concepts), torch.arange(2**concepts)
    weights = torch.full((3**concepts,), 3.0**-concepts, dtype=torch.float64)
    joints = [torch.rand(2**concepts, generator=generator, dtype=torch.float64) + 0.1 for _ in range(runs)]
    return Population.build(
        (2,) * concepts, joints, [contexts] * runs, [weights] * runs, [tokens] * runs, dtype=torch.float32
    ).to(device=device)


def dim(given: argparse.Namespace, concepts: int) -> int:
    """k as asked for, else as many as concepts."""
    if given.dim and given.trained and given.dim < concepts:
        raise InputError(f"--dim: expected at least {concepts} for trained tables, got {given.dim}")
    return given.dim or concepts


def tables(of: Population, dim: int, *, trained: bool, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Normal tables of standard deviation 0.1, or the additive solution late in training."""
    generator = torch.Generator().manual_seed(seed)
    concepts = len(of.sizes)
    f = 0.1 * torch.randn(of.runs, of.weights.shape[1], dim, generator=generator)
    g = 0.1 * torch.randn(of.runs, of.token_index.shape[1], dim, generator=generator)
    if trained:
        signs = torch.tensor([-1.0, 1.0])
        f[..., :concepts] += 15**0.5 * torch.cartesian_prod(*[torch.tensor([-1.0, 1.0, 0.0])] * concepts)
        g[..., :concepts] += 15**0.5 * torch.cartesian_prod(*[signs] * concepts)
    return f.to(of.device), g.to(of.device)
