"""What a call costs: processor seconds, and the most bytes of tensors alive at once; and how that grows."""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Call = Callable[[], object]

SHORTEST_ROUND = 0.01
"""Seconds for which a short call is repeated within a round."""


def interleaved(calls: Mapping[str, Call], rounds: int, *, seconds: float) -> dict[str, list[float]]:
    """Processor seconds of every call, in turn, so that noise falls on all alike.

    Processor seconds and not those of the clock: what else the machine does takes none of them. On one thread
    that has a core to itself they are the same.

    Args:
        calls: By name; each is warmed up first.
        rounds: How often all are timed.
        seconds: After three rounds, no further one begins once this much time has passed.
    """
    repeats = {name: _repeats(call) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    deadline = time.perf_counter() + seconds
    for done in range(rounds):
        if done >= 3 and time.perf_counter() > deadline:
            break
        for name, call in calls.items():
            times[name].append(_seconds(call, repeats[name]) / repeats[name])
    return times


def _repeats(call: Call) -> int:
    call()
    return max(1, int(SHORTEST_ROUND / max(1e-7, _seconds(call, 1))))


def _seconds(call: Call, times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        call()
    return time.process_time() - start


def tensors_peak(call: Call) -> int:
    """The most bytes of tensors alive at once that ``call`` made, its results included."""
    # Else the profiler writes two lines on stderr each time that it is started and stopped.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from torch.profiler import ProfilerActivity, profile

    call()  # what is made once and kept is not the call's own
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        kept = call()
    del kept
    assert record.profiler is not None
    assert record.profiler.kineto_results is not None
    recorded: list[Any] = record.profiler.kineto_results.events()
    events = [each for each in recorded if each.name() == "[memory]"]
    alive = highest = 0
    for event in sorted(events, key=lambda each: each.start_ns()):
        alive += event.nbytes()
        highest = max(highest, alive)
    return highest


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A factor per concept."""

    factor: float
    low: float
    """Lower end of its 95 % interval."""
    high: float


def growth(concepts: Sequence[int | float], values: Sequence[float]) -> Growth:
    """Growth per extra concept: the exponential of the least-squares slope of ln value on m.

    Args:
        concepts: m of each value, at least two different ones.
        values: Positive.

    Returns:
        The factor, with the interval of a slope whose residuals are normal; of two values it is endless.

    Example:
        >>> round(growth([9, 10, 12], [1.0, 3.0, 27.0]).factor, 6)
        3.0
    """
    from scipy.stats import t

    count = len(concepts)
    middle = sum(concepts) / count
    logs = [math.log(value) for value in values]
    spread = sum((m - middle) ** 2 for m in concepts)
    slope = sum((m - middle) * each for m, each in zip(concepts, logs, strict=True)) / spread
    if count <= 2:
        return Growth(factor=math.exp(slope), low=0.0, high=math.inf)
    centre = sum(logs) / count
    rest = sum((each - centre - slope * (m - middle)) ** 2 for m, each in zip(concepts, logs, strict=True))
    half = float(t.ppf(0.975, count - 2)) * math.sqrt(rest / (count - 2) / spread)
    return Growth(factor=math.exp(slope), low=math.exp(slope - half), high=math.exp(slope + half))
