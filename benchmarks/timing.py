"""Times that can be compared on a busy machine, and the floor they are compared with."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch


def interleaved(
    calls: Mapping[str, Callable[[], object]], repeats: int, *, seconds: float = 20.0
) -> dict[str, list[float]]:
    """Seconds of every call, ``repeats`` in turn after one warm-up, so that noise falls on all alike.

    A round repeats short calls for a hundredth of a second; rounds end early when ``seconds`` are over.
    """
    inner: dict[str, int] = {}
    for name, call in calls.items():
        call()
        start = time.perf_counter()
        call()
        inner[name] = max(1, int(0.01 / max(1e-7, time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name in calls}
    deadline = time.perf_counter() + seconds
    for done in range(repeats):
        if done >= 3 and time.perf_counter() > deadline:
            break
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(inner[name]):
                call()
            times[name].append((time.perf_counter() - start) / inner[name])
    return times


def median(times: list[float]) -> float:
    return statistics.median(times)


def exponential() -> Callable[[], object]:
    """2^18 float32 exponentials, the way ``torch.exp(x, out=y)`` does them."""
    x = torch.randn(2**18)
    y = torch.empty_like(x)
    return lambda: torch.exp(x, out=y)


def product() -> Callable[[], object]:
    """A square float32 matrix product of 2^28 flops."""
    a = torch.randn(512, 512)
    c = torch.empty_like(a)
    return lambda: torch.mm(a, a, out=c)


def floor_seconds(exponential_seconds: float, product_seconds: float, logits: int, dim: int) -> float:
    """One exponential per logit and 6·k flops per logit at the machine's rates."""
    return logits * (exponential_seconds / 2**18 + 6 * dim * product_seconds / 2**28)
