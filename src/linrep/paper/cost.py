"""What a call costs: processor seconds, and the most bytes of tensors alive at once; and how that grows."""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from linrep.intervals import Effect, slope

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


def growth(concepts: Sequence[int | float], values: Sequence[float]) -> Effect:
    """Growth per extra concept: the exponential of :func:`linrep.intervals.slope` of ln value on m.

    Args:
        concepts: m of each value, at least two different ones.
        values: Positive.

    Returns:
        The factor with its interval; none below four values.

    Example:
        >>> round(growth([9, 10, 12], [1.0, 3.0, 27.0]).value, 6)
        3.0
    """
    m, logs = (torch.tensor(each, dtype=torch.float64) for each in (concepts, [math.log(v) for v in values]))
    found = slope(m, logs)
    interval = found.interval95
    return Effect(
        value=math.exp(found.value),
        interval95=None if interval is None else (math.exp(interval[0]), math.exp(interval[1])),
        runs=found.runs,
    )
