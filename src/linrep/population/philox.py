r"""Numbers that are counted out, not drawn one after another: the generator Philox4x32-10.

Four words are a function of a key and of a counter of four words, so that what is drawn at a step of a run
does not depend on what was drawn before it, nor beside it, nor by whom. Here as it is written down, for many
counters at once; :mod:`linrep.training.compiled` has the same words in its loop.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray
from torch import Tensor

FACTORS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
ROUNDS = 10
LOW, WORD = np.uint64(0xFFFFFFFF), np.uint64(32)

Words = NDArray[np.uint64]


def philox(counter: Sequence[Words], key: Sequence[Words]) -> tuple[Words, Words, Words, Words]:
    r"""The four words of a counter under a key, each below :math:`2^{32}`.

    A round multiplies two words by constants, each product's high half is mixed with another word and half of
    the key, its low half stays; the key goes on by a constant.

    Args:
        counter: Four words of any shape.
        key: Two, of a shape that goes with theirs.

    Example:
        >>> zero = np.zeros(1, np.uint64)
        >>> [f"{int(word[0]):08x}" for word in philox([zero] * 4, [zero] * 2)]
        ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']

    References:
        :cite:`salmon:11`, whose known answers are tested.
    """
    a, b, c, d = counter
    first, second = key
    for _ in range(ROUNDS):
        left, right = FACTORS[0] * a, FACTORS[1] * c
        a, b, c, d = (right >> WORD) ^ b ^ first, right & LOW, (left >> WORD) ^ d ^ second, left & LOW
        first, second = (first + WEYL[0]) & LOW, (second + WEYL[1]) & LOW
    return a, b, c, d


def uniforms(
    keys: Sequence[int], step: int, draws: int, numbers: int
) -> Float64[Tensor, "numbers runs draws"]:
    """Numbers in [0, 1) for every draw of a step: the first of 53 bits, the others of 32.

    The counter is (draw, step's low word, block, step's high word); blocks of four words follow one another.

    Args:
        keys: Of every run, 64 bits.
        step: From 0.
        draws: Pairs in a minibatch.
        numbers: For each of them.

    Example:
        >>> alone, beside = uniforms([7], 3, 5, 2), uniforms([1, 7], 3, 4, 6)
        >>> bool((alone[:, 0, :4] == beside[:2, 1]).all())
        True
    """
    key = np.array(keys, np.uint64).reshape(-1, 1, 1)
    draw = np.arange(draws, dtype=np.uint64).reshape(1, -1, 1)
    block = np.arange((numbers + 1 + 3) // 4, dtype=np.uint64).reshape(1, 1, -1)
    low, high = (np.full((1, 1, 1), word, np.uint64) for word in (step & 0xFFFFFFFF, step >> 32))
    found = philox([draw, low, block, high], [key & LOW, key >> WORD])
    words = np.stack(np.broadcast_arrays(*found), -1).reshape(len(keys), draws, -1).astype(np.float64)
    first = np.floor(words[..., 0] / 32) * 2.0**26 + np.floor(words[..., 1] / 64)
    rest = words[..., 2 : numbers + 1] * 2.0**-32
    return torch.from_numpy(np.concatenate([first[..., None] * 2.0**-53, rest], -1)).permute(2, 0, 1)
