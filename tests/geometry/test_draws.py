"""Draws of a null that are measured at once: to the bit what each would be by itself."""

import pytest
import torch

from linrep import geometry
from linrep.geometry import values
from tests.support.seeded_worlds import cube, seeded


def tables(concepts: int, dim: int, runs: int, share: float):
    """Random tables over a part of the cube, of runs that have different numbers of real rows."""
    pairs, found, rows = [], [], []
    for levels in (3, 2):
        codes = cube(concepts, levels)
        kept = torch.rand(len(codes), generator=seeded(levels)) < share
        codes = codes[kept] if share < 1 else codes
        pairs.append(geometry.repeat(geometry.counterfactual_pairs(codes), runs, len(codes) + 1))
        found.append(torch.randn(runs, len(codes) + 1, dim, generator=seeded(concepts), dtype=torch.float64))
        rows.append(torch.full((runs,), len(codes)))
    return [*found, *pairs], {"context_rows": rows[0], "token_rows": rows[1]}


@pytest.mark.parametrize("null", ["random pairs", "shuffled pairs"])
@pytest.mark.parametrize(("concepts", "dim"), [(2, 1), (2, 2), (3, 3), (5, 5), (4, 40)])
@pytest.mark.parametrize(("runs", "share"), [(1, 1.0), (3, 1.0), (2, 0.7)])
def test_draws_at_once_are_draws_one_by_one(
    concepts: int, dim: int, runs: int, share: float, null: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products of matrices would round by where the matrices of a draw lie, and sums by what pads a group."""
    given, sizes = tables(concepts, dim, runs, share)

    def ask():
        whole = geometry.measure(*given, generator=seeded(0), draws=7, null=null, **sizes)
        return whole, geometry.snapshot(*given, generator=seeded(1), null=null, **sizes)

    (many, looks), _ = ask(), monkeypatch.setattr(values, "AT_ONCE", 0)
    one, alone = ask()
    assert many.linearity == one.linearity
    assert many.orthogonality == one.orthogonality
    assert many.alignment == one.alignment
    for look, by_itself in zip(looks, alone, strict=True):
        assert look.pairs == by_itself.pairs
        assert look.zero == by_itself.zero
        for part in ("concepts", "matrices"):
            for key, numbers in getattr(by_itself, part).items():
                assert torch.equal(getattr(look, part)[key].nan_to_num(9.0), numbers.nan_to_num(9.0)), key


def test_one_draw_is_not_another() -> None:
    """Negative control: draws taken together are different draws, and of the table's own pairs none."""
    given, sizes = tables(4, 6, 2, 1.0)
    own, null = geometry.snapshot(*given, generator=seeded(0), **sizes)
    other = geometry.snapshot(*given, generator=seeded(1), **sizes)[1]
    for key, numbers in null.concepts.items():
        assert not torch.equal(numbers, own.concepts[key])
        assert not torch.equal(numbers, other.concepts[key])
    few = geometry.measure(*given, generator=seeded(0), draws=1, **sizes)
    assert few.linearity["embedding"].null.mean == null.mean(("linearity", "embedding"))
