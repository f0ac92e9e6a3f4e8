"""The machine a run meets: its processor, its device, its threads, its memory."""

import contextlib
import ctypes
import platform
from collections.abc import Generator
from pathlib import Path

import torch

from linrep.errors import InputError

# Of glibc's <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# The largest glibc takes; and memory kept at the top of the heap, a few tables of a large world.
LARGEST_KEPT, KEPT = 2**25, 2**28

AUTO = "auto"
TOO_LARGE = "lower runs, world.concepts, model.dim or training.batch_size"


def processor() -> str:
    """Its model, as the system names it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


WORTH_A_CARD = 2**36
"""Logits of a whole training: a minute or so of a CPU, which is done with less while kernels are compiled."""


def device_for(asked: str, logits: float) -> str:
    """What "auto" stands for on this machine: its card where the work is worth it; else what was asked for.

    Args:
        asked: ``compute.device``.
        logits: That training works out in all.

    Example:
        >>> device_for("cpu", 1e15), device_for("auto", 1000.0)
        ('cpu', 'cpu')
    """
    if asked != AUTO:
        return asked
    return "cuda" if logits >= WORTH_A_CARD and torch.cuda.is_available() else "cpu"


def require_device(device: str) -> None:
    """Refuse a device this machine does not have; "auto" is refused nowhere.

    Raises:
        InputError: Unknown or absent device.
    """
    if device == AUTO:
        return
    try:
        if torch.device(device).type == "meta":
            raise RuntimeError("it holds no numbers")
        # Exact targets are float64, which not every accelerator has.
        torch.empty(1, device=device, dtype=torch.float64)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0]
        raise InputError(f"compute.device: {device!r} cannot be used here ({reason}); use 'cpu'") from None


@contextlib.contextmanager
def threads(count: int | None) -> Generator[None, None, None]:
    """A number of tensor threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Let this process use freed tables again instead of handing every one back to the system.

    A training step allocates and frees the same tables again and again; the system would clear each page
    anew, which takes up to half the time of a small step. Only glibc is told; elsewhere nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
    mallopt(M_TRIM_THRESHOLD, KEPT)


@contextlib.contextmanager
def enough_memory() -> Generator[None, None, None]:
    """Say in one line that something did not fit."""
    try:
        yield
    except MemoryError:
        raise InputError(f"memory: {TOO_LARGE}") from None
    except RuntimeError as error:
        reason = str(error).splitlines()[0] if str(error) else ""
        if not any(word in reason for word in ("allocate", "out of memory", "Storage size", "overflow")):
            raise
        raise InputError(f"memory: {reason}; {TOO_LARGE}") from None
