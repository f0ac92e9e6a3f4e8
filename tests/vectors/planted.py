"""Vectors whose directions are known."""

import itertools

import numpy as np
import torch
from torch import Tensor


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grid(sizes: tuple[int, ...], copies: int = 1) -> Tensor:
    """All combinations of attribute values, each so many times."""
    return torch.tensor(list(itertools.product(*map(range, sizes)))).repeat(copies, 1)


def additive(codes: Tensor, directions: Tensor, noise: float, seed: int = 0) -> Tensor:
    """Rows that are sums of their attributes' directions, and noise."""
    clean = codes.to(torch.float64) @ directions.to(torch.float64)
    return clean + noise * torch.randn(clean.shape, generator=rng(seed), dtype=torch.float64)


def named(codes: Tensor, names: str = "abcdefgh") -> dict[str, list[int]]:
    return {names[i]: codes[:, i].tolist() for i in range(codes.shape[1])}


def brute_pairs(codes: np.ndarray, low: int = 0, high: int = 1) -> dict[int, set[tuple[int, int]]]:
    """Every pair of rows that differ in one attribute alone, by looking at all pairs."""
    found: dict[int, set[tuple[int, int]]] = {i: set() for i in range(codes.shape[1])}
    for a, b in itertools.permutations(range(len(codes)), 2):
        differing = np.flatnonzero(codes[a] != codes[b])
        if len(differing) == 1 and codes[a, differing[0]] == low and codes[b, differing[0]] == high:
            found[int(differing[0])].add((a, b))
    return found
