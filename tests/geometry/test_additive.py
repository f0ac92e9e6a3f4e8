"""Spectrum and additive share: planted interactions, projections by hand, least squares, ANOVA identity."""

import itertools
from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linrep import geometry
from linrep.errors import InputError
from tests.support.seeded_worlds import cube, seeded


def random_table(seed, *shape):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def naive_share(x, codes, levels):
    columns = [np.ones(len(codes))]
    for i, level in enumerate(levels):
        columns += [(codes[:, i] == digit).numpy() for digit in range(level)]
    design = np.stack(columns, 1).astype(float)
    x = x.numpy()
    fitted = design @ np.linalg.lstsq(design, x, rcond=None)[0]
    return 1 - ((x - fitted) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()


def test_spectrum_is_the_walsh_transform():
    x = random_table(0, 2, 16, 3)
    energy = torch.zeros(2, 5, dtype=torch.float64)
    for subset in itertools.product((0, 1), repeat=4):
        character = (-1.0) ** (cube(4).double() @ torch.tensor(subset, dtype=torch.float64))
        energy[:, sum(subset)] += (character[:, None] * x).mean(1).square().sum(-1)
    torch.testing.assert_close(geometry.energy_by_degree(x, (2,) * 4), energy)


@pytest.mark.parametrize("levels", [(3, 3, 3), (2, 3, 4), (3,), (2, 2, 2)])
def test_anova_by_inclusion_and_exclusion(levels):
    """Energy of an interaction = Σ over its subsets, with signs, of the energy of the conditional means."""
    x = random_table(1, 1, int(np.prod(levels)), 2)
    grid = x.reshape(*levels, 2)
    axes = range(len(levels))

    def conditional_mean_energy(subset):
        away = [i for i in axes if i not in subset]
        mean = grid.mean(away, keepdim=True) if away else grid
        return float(mean.square().sum(-1).mean())

    twin = [0.0] * (len(levels) + 1)
    for size in range(len(levels) + 1):
        for subset in itertools.combinations(axes, size):
            for inner in range(size + 1):
                for part in itertools.combinations(subset, inner):
                    twin[size] += (-1) ** (size - inner) * conditional_mean_energy(part)
    ours = geometry.energy_by_degree(x, levels)[0]
    torch.testing.assert_close(ours, torch.tensor(twin, dtype=torch.float64), rtol=1e-10, atol=1e-12)


def test_memory_chunks_change_nothing(monkeypatch):
    x = random_table(2, 3, 27, 7)
    whole = geometry.energy_by_degree(x, (3, 3, 3))
    monkeypatch.setattr("linrep.geometry.moments.CHUNK", 1)
    torch.testing.assert_close(geometry.energy_by_degree(x, (3, 3, 3)), whole)


def test_planted_shares():
    """A character of degree k puts all energy at k; additive tables have share 1, pure interactions 0."""
    codes = cube(5)
    for k in range(6):
        character = (-1.0) ** codes[:, :k].sum(1).double()
        energy = geometry.energy_by_degree(character[None, :, None], (2,) * 5)[0]
        torch.testing.assert_close(energy, torch.eye(6, dtype=torch.float64)[k])
    parity = (-1.0) ** codes.sum(1).double()
    basis = random_table(3, 5, 4)
    tables = torch.stack(
        [codes.double() @ basis + 9, parity[:, None].expand(-1, 4), torch.full((32, 4), 3.3)]
    )
    found = geometry.additive_share(tables, codes, (2,) * 5)
    assert found.method == "walsh"
    torch.testing.assert_close(found.share[:2], torch.tensor([1.0, 0.0], dtype=torch.float64))
    assert found.share[2].isnan()


@pytest.mark.parametrize(
    ("levels", "method"), [((2,) * 4, "walsh"), ((3,) * 3, "anova"), ((2, 3, 4), "anova")]
)
def test_complete_share_equals_least_squares(levels, method):
    codes = torch.tensor(list(itertools.product(*map(range, levels))), dtype=torch.int8)
    x = random_table(4, 2, len(codes), 3)
    found = geometry.additive_share(x, codes, levels)
    assert found.method == method
    assert found.parameters == 1 + sum(levels) - len(levels)
    for run in range(2):
        assert found.share[run].item() == pytest.approx(naive_share(x[run], codes, levels), abs=1e-12)
    shuffled = torch.randperm(len(codes), generator=seeded(5))
    again = geometry.additive_share(x[:, shuffled], codes[shuffled], levels)
    torch.testing.assert_close(again.share, found.share)
    torch.testing.assert_close(again.energy, found.energy)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.sampled_from([2, 3]))
def test_incomplete_share_equals_naive_least_squares(seed, rows, level):
    codes = cube(4, level)
    codes = codes[torch.randperm(len(codes), generator=seeded(seed))[: min(rows, len(codes) - 1)]]
    x = random_table(seed, 1, len(codes), 2) + 50
    found = geometry.additive_share(x, codes, (level,) * 4)
    assert found.method == "least squares"
    assert found.energy is None
    assert found.share.item() == pytest.approx(naive_share(x[0], codes, (level,) * 4), abs=1e-9)
    rotation = torch.linalg.qr(random_table(seed + 1, 2, 2)).Q
    moved = geometry.additive_share(3 * x @ rotation + 1, codes, (level,) * 4)
    torch.testing.assert_close(moved.share, found.share, rtol=0, atol=1e-9)


def test_negative_control_random_table():
    """Random tables have degree-k energy in proportion to the number of degree-k functions."""
    found = geometry.additive_share(random_table(6, 1, 256, 200), cube(8), (2,) * 8)
    expected = torch.tensor([comb(8, k) / 256 for k in range(9)], dtype=torch.float64) * 200
    torch.testing.assert_close(found.energy[0], expected, rtol=0.3, atol=0)
    assert found.share.item() < 0.05


def test_error_budget_float32():
    x = random_table(7, 1, 243, 5)
    codes = cube(5, 3)
    low = geometry.additive_share(x.float(), codes, (3,) * 5).share
    torch.testing.assert_close(low, geometry.additive_share(x, codes, (3,) * 5).share, rtol=0, atol=1e-6)


def test_refusals():
    with pytest.raises(InputError, match="complete grid"):
        geometry.energy_by_degree(torch.zeros(1, 3, 1), (2, 2))
    with pytest.raises(InputError, match="levels"):
        geometry.additive_share(torch.zeros(1, 2, 1), torch.tensor([[0], [2]]), (2,))
