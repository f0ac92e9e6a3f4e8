"""C4 in numbers: against loops, and on tables that match log-odds exactly."""

import itertools
import math

import pytest
import torch

from linrep.paper.cross_products import cross_products
from linrep.worlds.concepts import independent, random_dag
from linrep.worlds.contexts import world
from linrep.worlds.truth import World


def toy(seed: int, *, dependent: bool = True) -> World:
    draw = torch.Generator().manual_seed(seed)
    return world(
        random_dag(3, edge_probability=0.6, generator=draw) if dependent else independent(3, generator=draw)
    )


def drawn(found: World, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    f = torch.randn(len(found.codes), 4, generator=draw, dtype=torch.float64)
    return f, torch.randn(len(found.tokens), 4, generator=draw, dtype=torch.float64)


def test_it_is_what_loops_give() -> None:
    found = toy(1)
    f, g = drawn(found)
    row = {tuple(code): at for at, code in enumerate(found.codes.tolist())}
    token = {tuple(code): at for at, code in enumerate(found.token_codes.tolist())}

    def put(code: tuple[int, ...], i: int, value: int) -> tuple[int, ...]:
        return (*code[:i], value, *code[i + 1 :])

    def side(d: tuple[int, ...], i: int) -> tuple[float, float]:
        compatible = [c for c in token if all(x in (y, 2) for x, y in zip(d, c, strict=True))]
        steps = [g[token[put(c, i, 1)]] - g[token[put(c, i, 0)]] for c in compatible]
        p = [found.joint[token[put(c, i, 1)]] / found.joint[token[put(c, i, 0)]] for c in compatible]
        odds = [math.log(float(each)) for each in p]
        return sum(float(f[row[d]] @ step) for step in steps) / len(steps), sum(odds) / len(odds)

    expected: list[tuple[float, float, bool]] = []
    for i, j in itertools.permutations(range(3), 2):
        for d in row:
            if d[i] == 2 and d[j] == 0:
                low, high = side(d, i), side(put(d, j, 1), i)
                outside = j not in found.model.markov_blanket(i)
                expected.append((high[0] - low[0], high[1] - low[1], outside))
    met = cross_products(found, f, g)
    actual = list(zip(met.measured.tolist(), met.constant.tolist(), met.outside.tolist(), strict=True))
    assert len(actual) == len(expected)
    for one, other in zip(sorted(actual), sorted(expected), strict=True):
        assert one == pytest.approx(other)


@pytest.mark.parametrize("seed", range(4))
def test_outside_the_blanket_nothing_is_asked_for(seed: int) -> None:
    met = cross_products(toy(seed), *drawn(toy(seed)))
    assert met.constant[met.outside].abs().max() < 1e-12 if bool(met.outside.any()) else True
    alone = cross_products(toy(seed, dependent=False), *drawn(toy(seed, dependent=False)))
    assert bool(alone.outside.all())
    assert math.isnan(alone.slope)


def test_tables_that_match_every_token_meet_their_constants_and_others_do_not() -> None:
    """G = log p by token beside f(d) = 1: f·Δg_i(c) is the log-odds, in every context."""
    found = toy(2)
    logs = found.joint[found.tokens].log()[:, None]
    met = cross_products(found, torch.ones(len(found.codes), 1, dtype=torch.float64), logs)
    torch.testing.assert_close(met.measured, met.constant)
    assert met.slope == pytest.approx(1)
    assert met.error < 1e-12
    assert cross_products(found, *drawn(found)).error > 0.5


def test_it_does_not_see_the_gauge() -> None:
    found = toy(3)
    f, g = drawn(found)
    turn = torch.randn(4, 4, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    moved = cross_products(found, f @ turn, (g + 1.0) @ torch.linalg.inv(turn).T)
    torch.testing.assert_close(moved.measured, cross_products(found, f, g).measured)
