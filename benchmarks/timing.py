"""Times that can be compared on a busy machine, and the floor they are compared with."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch

Call = Callable[[], object]

SHORTEST_ROUND = 0.01

# Sizes at which a device shows its rates: in a core's cache, or large enough to fill an accelerator.
EXPONENTIALS = {"cpu": 2**18, "cuda": 2**26}
SIDE = {"cpu": 512, "cuda": 8192}


def interleaved(
    calls: Mapping[str, Call], repeats: int, *, seconds: float = 20.0, device: str = "cpu"
) -> dict[str, list[float]]:
    """Seconds of every call, ``repeats`` in turn after a warm-up, so that noise falls on all alike.

    A round repeats short calls for ``SHORTEST_ROUND`` seconds, after one that is not timed: it would pay for
    what the call before it left in the caches. Rounds end early when ``seconds`` are over.
    """
    inner = {name: _warm_up(call, device) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    deadline = time.perf_counter() + seconds
    for done in range(repeats):
        if done >= 3 and time.perf_counter() > deadline:
            break
        for name, call in calls.items():
            if inner[name] > 1:
                call()
            times[name].append(_seconds(call, inner[name], device) / inner[name])
    return times


def medians(
    calls: Mapping[str, Call], repeats: int, *, seconds: float = 20.0, device: str = "cpu"
) -> dict[str, float]:
    """Median seconds of every call of :func:`interleaved`."""
    times = interleaved(calls, repeats, seconds=seconds, device=device)
    return {name: statistics.median(each) for name, each in times.items()}


def _warm_up(call: Call, device: str) -> int:
    """How often a short call is repeated in a round; a long one is warm after once."""
    took = _seconds(call, 1, device)
    if took < 1:
        took = min(_seconds(call, 1, device) for _ in range(3))
    return max(1, int(SHORTEST_ROUND / max(1e-7, took)))


def _seconds(call: Call, times: int, device: str) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def rates(device: str = "cpu") -> dict[str, Call]:
    """Float32 exponentials as ``torch.exp(x, out=y)`` and ``torch.exp2`` do them, and a square product."""
    kind = torch.device(device).type
    x = torch.randn(EXPONENTIALS[kind], device=device)
    a = torch.randn(SIDE[kind], SIDE[kind], device=device)
    y, c = torch.empty_like(x), torch.empty_like(a)
    return {
        "exp": lambda: torch.exp(x, out=y),
        "exp2": lambda: torch.exp2(x, out=y),
        "product": lambda: torch.mm(a, a, out=c),
    }


def take_floors(times: dict[str, float], logits: int, dim: int, device: str = "cpu") -> dict[str, float]:
    """One exponential per logit and 6·k flops per logit at the machine's rates, which leave ``times``.

    ``floor`` takes ``torch.exp``, as its definition has it; ``floor_exp2`` the exponential of the fused form.
    """
    kind = torch.device(device).type
    products = 6 * dim * times.pop("product") / (2 * SIDE[kind] ** 3)
    exp, exp2 = (times.pop(name) / EXPONENTIALS[kind] for name in ("exp", "exp2"))
    return {"floor": logits * (exp + products), "floor_exp2": logits * (exp2 + products)}
