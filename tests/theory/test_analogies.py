"""Co-occurrence against sums, Kronecker products and descent on the quartic loss, and where it must fail."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from linrep.errors import InputError
from linrep.theory.analogies import co_occurrence, eigenmodes, half_times, strengths, without_pairs
from linrep.theory.order import first_modes, steps_along, steps_to_length
from linrep.worlds.concepts import independent, random_dag
from linrep.worlds.contexts import World, world
from linrep.worlds.truth import conditional


def fair(concepts: int) -> World:
    return world(independent(concepts, probabilities=[0.5] * concepts, generator=None))


def skewed(seed: int) -> World:
    generator = torch.Generator().manual_seed(seed)
    return world(random_dag(3, probability_range=(0.1, 0.9), generator=generator))


def signs(found: World) -> Tensor:
    return 2.0 * found.token_codes.double() - 1.0


def test_it_is_two_draws_after_one_context() -> None:
    found = skewed(0)
    p = conditional(found).numpy()
    wanted = sum(w * np.outer(each, each) for w, each in zip(found.weights.tolist(), p, strict=True))
    np.testing.assert_allclose(co_occurrence(found).numpy(), wanted, atol=1e-15)
    assert float(co_occurrence(found).sum()) == pytest.approx(1.0)


@pytest.mark.parametrize("chances", [[0.5, 0.5, 0.5], [0.2, 0.5, 0.7]])
def test_of_independent_concepts_it_is_a_product_over_them(chances: list[float]) -> None:
    whole = co_occurrence(world(independent(3, probabilities=chances, generator=None)))
    alone = whole.sum(1)
    ratio = whole / (alone[:, None] * alone)
    found = torch.linalg.eigvalsh(ratio)
    factors: list[Tensor] = []
    for chance in chances:
        one = co_occurrence(world(independent(1, probabilities=[chance], generator=None)))
        factors.append(torch.linalg.eigvalsh(one / (one.sum(1)[:, None] * one.sum(1))))
    wanted = sorted(math.prod(each) for each in itertools.product(*(f.tolist() for f in factors)))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12)


def test_dependent_concepts_are_no_product() -> None:
    whole = co_occurrence(skewed(1))
    alone = whole.sum(1)
    found = torch.linalg.eigvalsh(whole / (alone[:, None] * alone))
    assert float((found[0] * found[-1] - found[1] * found[-2]).abs()) > 1e-3


def test_of_fair_concepts_single_ones_lead_and_each_more_costs_a_third() -> None:
    modes = eigenmodes(co_occurrence(fair(3)))
    np.testing.assert_allclose(
        modes.values.numpy(), [8 * (2 / 3) ** d for d in (1, 1, 1, 2, 2, 2, 3)] + [0.0], atol=1e-12
    )
    shares = (signs(fair(3)).T / math.sqrt(8) @ modes.tokens[:, :3]).square().sum(1)
    torch.testing.assert_close(shares, torch.ones(3, dtype=torch.float64))


def descended(target: Tensor, dim: int, scale: float, step: float, steps: int, seed: int) -> list[Tensor]:
    """W at every step of gradient descent on a quarter of the squared distance of W Wᵀ from a matrix."""
    draw = torch.Generator().manual_seed(seed)
    table = scale * torch.randn(len(target), dim, dtype=torch.float64, generator=draw)
    looks = [table]
    for _ in range(steps):
        table = table + step * (target - table @ table.T) @ table
        looks.append(table)
    return looks


@pytest.mark.parametrize("seed", range(3))
def test_descent_on_the_quartic_loss_learns_modes_at_the_predicted_times(seed: int) -> None:
    joint = co_occurrence(skewed(seed))
    modes, alone = eigenmodes(joint), joint.sum(1)
    target = joint / (alone[:, None] * alone) - 1
    learned = int((modes.values > 0.1).sum())
    scale, dim, step = 1e-5, 64, 0.03 / float(modes.values[0])
    wanted = half_times(modes.values[:learned], start=scale**2 * dim)
    steps = math.ceil(1.3 * float(wanted.max()) / step)

    def found(scale: float, of: Tensor, seed: int) -> Tensor:
        looks = torch.stack(descended(target, dim, scale, step, steps, seed))
        there = (of.T @ looks).square().sum(2) >= modes.values[:learned] / 2
        return torch.where(there.any(0), there.int().argmax(0) * step, torch.nan).double()

    times = found(scale, modes.tokens[:, :learned], seed)
    torch.testing.assert_close(times, wanted, rtol=0.05, atol=0.0)
    # From a start that is not small they come at once, and along other directions at no such time.
    assert float((found(0.5, modes.tokens[:, :learned], seed) / wanted).nan_to_num(9).min()) < 0.3
    draw = torch.Generator().manual_seed(seed)
    shuffled = modes.tokens[torch.randperm(len(target), generator=draw), :learned]
    moved = found(scale, shuffled, seed)
    assert bool((moved.isnan() | ((moved / wanted - 1).abs() > 0.05)).any())


def test_a_mode_grows_along_its_logistic_curve() -> None:
    values = torch.tensor([2.0, 1.0, 0.5, -0.5], dtype=torch.float64)
    start, step, steps = 1e-3, 1e-3, 6000
    strength = torch.full((4,), start, dtype=torch.float64)
    for _ in range(steps):
        strength = strength + step * 2 * strength * (values - strength)
    found = strengths(values, time=step * steps, start=start)
    torch.testing.assert_close(found, strength, rtol=0.02, atol=1e-6)
    half = half_times(values[:3], start=start)
    for mode, time in enumerate(half.tolist()):
        there = strengths(values[mode : mode + 1], time=time, start=start)
        torch.testing.assert_close(there, values[mode : mode + 1] / 2)
    with pytest.raises(InputError, match="leave out what is not learned"):
        half_times(values, start=start)


def test_pairs_that_never_meet_bring_their_concept_forward() -> None:
    found = fair(3)
    joint = co_occurrence(found)
    left = without_pairs(joint, found.token_codes, 1)
    flipped = (found.token_codes[:, None] != found.token_codes).long()
    pairs = (flipped[..., 1] == 1) & (flipped.sum(-1) == 1)
    assert not left[pairs].any()
    torch.testing.assert_close(left[~pairs] / left[~pairs].sum(), joint[~pairs] / joint[~pairs].sum())
    leading = eigenmodes(left).tokens[:, 0]
    assert float((signs(found)[:, 1] / math.sqrt(8) @ leading).abs()) == pytest.approx(1.0)


def test_a_table_is_the_best_of_its_width_and_ties_are_drawn() -> None:
    modes = eigenmodes(co_occurrence(fair(3)))
    whole = modes.table(3, generator=torch.Generator())
    wanted = (modes.tokens[:, :3] * modes.values[:3]) @ modes.tokens[:, :3].T
    torch.testing.assert_close(whole @ whole.T, wanted)
    one, other = (modes.table(2, generator=torch.Generator().manual_seed(seed)) for seed in range(2))
    assert not torch.allclose(one @ one.T, other @ other.T)
    for each in (one, other):
        torch.testing.assert_close(each.T @ each, torch.eye(2, dtype=torch.float64) * modes.values[0])


@pytest.mark.parametrize("seed", range(3))
def test_steps_along_a_direction_are_those_of_growing_modes(seed: int) -> None:
    found = skewed(seed)
    modes = first_modes(found)

    def along(direction: Tensor) -> float:
        return steps_along(modes, direction, dim=4, scale=1e-4, step_size=2.0)

    direction = signs(found)[:, 0] - signs(found)[:, 0].mean()
    direction = direction / direction.norm()
    steps = along(direction)
    shares = (modes.tokens.T @ direction).square()
    reached = 1e-4 * math.sqrt(2.0) * float((shares * (1 + 2.0 * modes.rates) ** (2 * steps)).sum().sqrt())
    assert reached == pytest.approx(1.0, rel=1e-6)
    mode = along(modes.tokens[:, 1])
    assert mode == pytest.approx(float(steps_to_length(modes.rates, dim=4, scale=1e-4, step_size=2.0)[1]))
    constant = torch.full((len(found.tokens),), len(found.tokens) ** -0.5, dtype=torch.float64)
    assert along(constant) == math.inf
