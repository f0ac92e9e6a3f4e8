"""Small worlds shared by the tests of the ruler."""

import itertools

import torch


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def cube(concepts, digits=2):
    return torch.tensor(list(itertools.product(range(digits), repeat=concepts)), dtype=torch.int8)


def planted(concepts=4, dim=6, seed=0):
    """Exactly additive, aligned, orthogonal tables of complete contexts and tokens."""
    basis = torch.linalg.qr(torch.randn(dim, dim, generator=seeded(seed), dtype=torch.float64)).Q[:concepts]
    value = torch.tensor([-1.0, 1.0, 0.0], dtype=torch.float64)
    return value[cube(concepts, 3).long()] @ basis, value[cube(concepts).long()] @ basis
