"""The one place that turns a seed into generators: independent named streams, so that changing how one part
draws never moves another.
"""

import zlib

import numpy as np
import torch


def generator(seed: int, stream: str, *index: int, device: str = "cpu") -> torch.Generator:
    """A generator of its own for every (seed, stream, index).

    Args:
        seed: The experiment's seed, >= 0.
        stream: What is drawn: "world", "contexts", "tokens", "start", "order", "null", "bootstrap", ...
        index: Further coordinates, such as the run.
        device: Where the generator draws.

    Returns:
        A freshly seeded generator; equal arguments give equal streams.

    Example:
        >>> a, b = generator(0, "start", 1), generator(0, "start", 1)
        >>> bool((torch.rand(3, generator=a) == torch.rand(3, generator=b)).all())
        True
    """
    return torch.Generator(device=device).manual_seed(key(seed, stream, *index) & (2**63 - 1))


def key(seed: int, stream: str, *index: int) -> int:
    """64 bits of its own for every (seed, stream, index), for generators that count instead of going on.

    Args:
        seed: As of :func:`generator`, as are the others.
        stream: What is drawn.
        index: Further coordinates.

    Example:
        >>> key(0, "order", 1) == key(0, "order", 1) != key(0, "order", 2)
        True
    """
    entropy = np.random.SeedSequence([seed, zlib.crc32(stream.encode()), *index])
    low, high = (int(word) for word in entropy.generate_state(2, np.uint32))
    return high << 32 | low
