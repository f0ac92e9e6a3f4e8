"""What equal distributions fix: by maps that keep every logit, with and without what neither table sees."""

import pytest
import torch
from torch import Tensor

from linrep import geometry
from linrep.errors import InputError
from linrep.geometry import counterfactual_pairs
from linrep.paper.all_or_none import INVARIANCE, Readings, readings
from linrep.theory.equivalence import Invariance, effective_complexity, linear_map, must_agree
from linrep.theory.gauge import balanced_gauge
from linrep.worlds.contexts import complete

CONTEXTS, TOKENS, DIM = complete((2, 2, 2)), torch.cartesian_prod(*[torch.arange(2)] * 3), 4
SIDES = tuple(counterfactual_pairs(codes) for codes in (CONTEXTS, TOKENS))


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def tables(seed: int) -> tuple[Tensor, Tensor]:
    """In the balanced gauge, as small starts leave them."""
    found = balanced_gauge(normal(len(CONTEXTS), DIM, seed=seed), normal(len(TOKENS), DIM, seed=seed + 50))
    return found.embedding, found.unembedding


def mapped(f: Tensor, g: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Another diverse model of the distribution: any invertible A, and a shift of all g."""
    a = normal(DIM, DIM, seed=seed)
    return f @ a, torch.linalg.solve(a, g.T).T + normal(1, DIM, seed=seed + 1)


def turned(f: Tensor, g: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Another in the same gauge."""
    rotation = torch.linalg.qr(normal(DIM, DIM, seed=seed)).Q
    return f @ rotation, g @ rotation


def widened(f: Tensor, g: Tensor, seed: int, size: float = 1.0) -> tuple[Tensor, Tensor]:
    """A wider model: two dimensions of g that no f sees, one of f that no g sees."""
    f, g = torch.nn.functional.pad(f, (0, 3)), torch.nn.functional.pad(g, (0, 3))
    f[:, DIM : DIM + 1] = size * normal(len(f), 1, seed=seed)
    g[:, DIM + 1 :] = size * normal(len(g), 2, seed=seed + 1)
    return f, g


def softmax(f: Tensor, g: Tensor) -> Tensor:
    return (f @ g.T).softmax(-1)


def moved(before: Readings, after: Readings, kind: Invariance) -> list[float]:
    own = [measure for measure, group in INVARIANCE.items() if group == kind and measure in before]
    assert own
    return [float((after[measure] - before[measure]).abs().max()) for measure in own]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("other", ["mapped", "turned", "widened", "nearly wide"])
def test_measures_agree_where_they_must_and_move_where_nothing_keeps_them(seed: int, other: str) -> None:
    f, g = tables(seed)
    f2, g2 = {
        "mapped": lambda: mapped(f, g, seed),
        "turned": lambda: turned(f, g, seed),
        "widened": lambda: widened(f, g, seed),
        "nearly wide": lambda: widened(f, g, seed, 1e-4),
    }[other]()
    torch.testing.assert_close(softmax(f2, g2), softmax(f, g))
    before, after = readings(f, g, *SIDES), readings(f2, g2, *SIDES)
    diverse, one_gauge = other in ("mapped", "turned"), other in ("turned", "nearly wide")
    for kind in ("logits", "linear", "rotation"):
        found = moved(before, after, kind)
        if must_agree(kind, diverse=diverse, one_gauge=one_gauge):
            assert max(found) < (1e-3 if other == "nearly wide" else 1e-7), kind
        else:
            assert min(found) > 1e-3, kind


def test_models_of_other_distributions_agree_in_nothing() -> None:
    before, after = (readings(*tables(seed), *SIDES) for seed in (0, 1))
    for kind in ("logits", "linear", "rotation"):
        assert min(moved(before, after, kind)) > 0.01


def test_parallel_stays_parallel_and_nearly_parallel_does_not_stay_as_near() -> None:
    """The property is shared by all or none; its cosine is not."""
    axes = normal(3, DIM, seed=3)
    straight = 2.0 * TOKENS.double() @ axes
    for bent, shared in ((0.0, True), (0.5, False)):
        g = straight + bent * normal(len(TOKENS), DIM, seed=4)
        _, other = mapped(normal(len(CONTEXTS), DIM, seed=5), g, 6)
        one, two = (geometry.linearity(geometry.steering_moments(each, SIDES[1])) for each in (g, other))
        assert torch.allclose(one, two, atol=1e-9) is shared


def test_complexity_is_the_rank_that_both_tables_see() -> None:
    f, g = tables(0)
    assert effective_complexity(f, g) == DIM
    assert effective_complexity(*widened(f, g, 0)) == DIM
    assert effective_complexity(f[:, :2], g[:, :2]) == 2
    blind = torch.cat([torch.zeros_like(f[:, :1]), f[:, 1:]], 1)
    assert effective_complexity(blind, g) == DIM - 1
    assert effective_complexity(f[:, :1], torch.ones(len(TOKENS), 1)) == 0


def test_a_linear_map_is_found_and_what_it_leaves() -> None:
    f, g = tables(0)
    _, same = mapped(f, g, 7)
    found = linear_map(g, same)
    torch.testing.assert_close((g - g.mean(0)) @ found.matrix, same - same.mean(0))
    assert found.unexplained < 1e-15
    assert 0.01 < linear_map(g, widened(f, g, 8)[1]).unexplained < 0.9
    noise = normal(len(TOKENS), DIM, seed=9)
    rotated = torch.linalg.qr(normal(DIM, DIM, seed=10)).Q
    assert linear_map(g @ rotated, noise).unexplained == pytest.approx(linear_map(g, noise).unexplained)
    with pytest.raises(InputError, match="the same tokens"):
        linear_map(g, g[:-1])
