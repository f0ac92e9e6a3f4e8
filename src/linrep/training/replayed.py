"""The same launches again and again without a call for each: a CUDA graph, made at the third call.

A step of a world of a few hundred tokens takes a card less time than Python takes to ask for it. What is
called reads and writes the same memory every time, and asks nothing of the host; both are so of an exact
step, whose size lies in a tensor.
"""

from collections.abc import Callable

import torch

BEFORE = 2
"""Calls that make what is made once: tables that are kept, libraries' own memory."""


class Replayed:
    """A call, and from the third on its replay; on the CPU the call itself.

    Naively: ``call()``.

    Args:
        call: Of launches on the current stream alone, in memory that stays.
        device: Of all of them.

    Example:
        >>> seen = []
        >>> step = Replayed(lambda: seen.append(len(seen)), torch.device("cpu"))
        >>> step(), step(), seen
        (None, None, [0, 1])
    """

    def __init__(self, call: Callable[[], object], device: torch.device) -> None:
        self.call, self.device = call, device
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        """Do it once more."""
        if self.graph is not None:
            self.graph.replay()
            return
        if self.device.type != "cuda" or self.calls < BEFORE:
            self.calls += 1
            self.call()
            return
        with torch.cuda.device(self.device):
            self.graph = torch.cuda.CUDAGraph()
            # Other threads may go on asking their own cards for memory.
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
                self.call()
        self.graph.replay()
