"""What is compiled is kept where there is a place for it, and works where there is none."""

from typing import Any

import numba
import numpy as np
import pytest

from linrep.training.kept import Kept


def doubled(x: Any) -> None:
    for i in range(x.shape[0]):
        x[i] *= 2


class Full:
    """A compiler whose disk is full."""

    def compile(self, kinds: tuple[Any, ...]) -> None:
        raise OSError(28, "No space left on device")


def works(kept: Kept) -> bool:
    whole, half = np.arange(3), np.arange(3) / 2
    kept(whole)
    kept(half)
    return whole.tolist() == [0, 2, 4] and half.tolist() == [0.0, 1.0, 2.0]


def test_a_full_disk_is_no_matter() -> None:
    kept = Kept(doubled, "doubling")
    kept._kept = Full()
    assert works(kept)


def test_nor_is_a_machine_with_no_place_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    njit = numba.njit

    def nowhere(function: Any, **options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(function, **options)

    monkeypatch.setattr(numba, "njit", nowhere)
    kept = Kept(doubled, "doubling")
    assert kept._kept is None
    assert works(kept)
