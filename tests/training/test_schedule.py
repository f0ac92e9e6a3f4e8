"""Schedules start and end where they say, and snapshots cover both ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linrep.training.schedule import schedule, snapshot_steps


@pytest.mark.parametrize(
    ("kind", "final"), [("geometric", 0.05), ("cosine", 0.05), ("cosine", None), ("constant", None)]
)
def test_ends(kind: str, final: float | None) -> None:
    rate = schedule(kind, 5.0, 1000, final)
    assert rate(0) == pytest.approx(5.0)
    assert rate(999) == pytest.approx(5.0 if kind == "constant" else (final or 0.0), abs=1e-12)
    assert all(rate(step) >= rate(step + 1) for step in range(999))


def test_geometric_needs_an_end() -> None:
    with pytest.raises(ValueError, match="final step size"):
        schedule("geometric", 1.0, 10)


@given(steps=st.integers(0, 10**6), count=st.integers(2, 100))
def test_snapshots_hold_both_ends_and_no_more_than_asked(steps: int, count: int) -> None:
    found = snapshot_steps(steps, count)
    assert found[0] == 0
    assert found[-1] == steps
    assert found == sorted(set(found))
    assert len(found) <= count + 1
