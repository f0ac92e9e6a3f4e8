"""Memory at its highest: of a process, and of the tensors that one call makes."""

import resource
from collections.abc import Callable
from pathlib import Path

from torch.profiler import ProfilerActivity, profile


def process_peak() -> int:
    """The most bytes this process ever held.

    Not ``ru_maxrss`` where it can be helped: on Linux a child starts with its parent's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def tensors_peak(call: Callable[[], object]) -> int:
    """The most bytes of tensors alive at once that ``call`` made, its results included."""
    call()  # what is made once and kept is not the call's own
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        kept = call()
    del kept
    events = [each for each in record.profiler.kineto_results.events() if each.name() == "[memory]"]
    alive = highest = 0
    for event in sorted(events, key=lambda each: each.start_ns()):
        alive += event.nbytes()
        highest = max(highest, alive)
    return highest
