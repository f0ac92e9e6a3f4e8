r"""Steps of SGD on tables as one compiled loop over runs and steps: pairs drawn, tables moved, in place.

Imported only where it is used: numba takes a second to load, and some more to compile, once on a machine. A
run's numbers are those of its own tables, key and step, so they are the same to the bit whatever runs beside
it, on however many threads, in however many calls.

Every long loop runs along the pairs of a minibatch, at most :data:`PAIRS` at once and filled up to a multiple
of :data:`LANES`: the softmax's maxima and sums need no row to be summed up, the gradient of G alone does.
Four columns, or four tokens, are taken at once, with zeros for those that are missing.
Everything that may change stands in one file: what is kept compiled is compiled anew when this file does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from linrep.population.philox import LOW, WORD, philox
from linrep.training.kept import Kept, inner

PAIRS, LANES = 128, 16
SAID = "compiling the loop of sgd, once on this machine"
Array = NDArray[Any]

_philox: Any = inner()(philox)


@inner()
def _words(key: Any, step: Any, words: Array) -> None:
    for block in range(words.shape[0] // 4):
        for draw in range(words.shape[1]):
            counter = np.uint64(draw), step & LOW, np.uint64(block), step >> WORD
            a, b, c, d = _philox(counter, (key & LOW, key >> WORD))
            words[4 * block, draw] = a
            words[4 * block + 1, draw] = b
            words[4 * block + 2, draw] = c
            words[4 * block + 3, draw] = d


@inner()
def _row(run: int, table: Array) -> int:
    """Where a run's part of a table is that all may share."""
    return run if table.shape[0] > 1 else 0


@inner()
def _context(uniform: float, cumulative: Array, guide: Array, run: int) -> int:
    """How many running sums are at most that share of the last: found from a guess close by."""
    at, last = _row(run, cumulative), cumulative.shape[1] - 1
    asked = uniform * cumulative[at, last]
    place = guide[at, min(int(uniform * (last + 1)), last)]
    while place < last and cumulative[at, place] <= asked:
        place += 1
    while place > 0 and cumulative[at, place - 1] > asked:
        place -= 1
    return place


@inner()
def _binary(
    number: Array, mass: Array, code: Array, stride: int, places: Array, flat: Array, tokens: Array
) -> None:
    """A concept of two states, unknown or not, without a branch that nobody could foretell."""
    for draw in range(places.shape[0]):
        digit = np.int64(code[places[draw]])
        unknown = stride if digit == 2 else 0
        at = flat[draw] - 2 * unknown
        first, second = mass[at], mass[at + unknown]
        up = np.int64(number[draw] * 2.0**-32 * (first + second) >= first)
        state = up if digit == 2 else digit
        flat[draw] = at + state * unknown
        tokens[draw] = 2 * tokens[draw] + state


@inner()
def _several(
    number: Array, mass: Array, code: Array, size: int, stride: int, places: Array, flat: Array, tokens: Array
) -> None:
    """A concept of any number of states."""
    for draw in range(places.shape[0]):
        state = np.int64(code[places[draw]])
        if state == size:
            at, total = flat[draw] - size * stride, 0.0
            for each in range(size):
                total += mass[at + each * stride]
            asked, below, state = number[draw] * 2.0**-32 * total, 0.0, np.int64(0)
            for each in range(size):
                below += mass[at + each * stride]
                state += below <= asked
            state = min(state, size - 1)
            flat[draw] = at + state * stride
        tokens[draw] = tokens[draw] * size + state


@inner()
def _draw(
    key: Any, step: Any, run: int, tables: Any, words: Array, flat: Array, rows: Array, tokens: Array
) -> None:
    """The minibatch of a run's step, as ``chosen`` of a Sampler or Dataset makes it of the same numbers."""
    _words(key, step, words)
    samples = tables.contexts.shape[1]
    for draw in range(rows.shape[0]):
        high, low = np.int64(words[0, draw] >> 5), np.int64(words[1, draw] >> 6)
        uniform = (high * 2.0**26 + low) * 2.0**-53
        if samples:
            pair = min(int(uniform * samples), samples - 1)
            rows[draw] = tables.contexts[run, pair]
            tokens[draw] = tables.tokens[run, pair]
        else:
            rows[draw] = _context(uniform, tables.cumulative, tables.guide, run)
    if samples:
        return
    sizes, strides, mass = tables.sizes, tables.strides, tables.mass[run]
    indices, codes = tables.flat[_row(run, tables.flat)], tables.codes[_row(run, tables.codes)]
    for draw in range(rows.shape[0]):
        flat[draw] = indices[rows[draw]]
        tokens[draw] = 0
    for concept in range(sizes.shape[0]):
        number, code, stride = words[2 + concept], codes[concept], strides[concept]
        if sizes[concept] == 2:
            _binary(number, mass, code, stride, rows, flat, tokens)
        else:
            _several(number, mass, code, sizes[concept], stride, rows, flat, tokens)
    position = tables.position[_row(run, tables.position)]
    for draw in range(rows.shape[0]):
        tokens[draw] = position[tokens[draw]]


@inner()
def _power32(x: Any) -> Any:
    """exp(x) for x ≤ 0 in float32, within 1e-7 of it; of less than -87 that of -87 (Cephes' polynomial)."""
    x = np.float32(-87.0) if x < np.float32(-87.0) else x
    n = np.rint(x * np.float32(1.4426950408889634))
    r = (x - n * np.float32(0.693359375)) - n * np.float32(-2.12194440e-4)
    p = np.float32(1.9875691500e-4) * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * r * r + r + np.float32(1.0)
    bits = np.int32(np.int32(np.int32(n) + np.int32(127)) << np.int32(23))
    return p * bits.view(np.float32)


@inner()
def _power64(x: Any) -> Any:
    """exp(x) for x ≤ 0 in float64, within 4e-16 of it; of less than -700 that of -700 (Taylor's series)."""
    x = -700.0 if x < -700.0 else x
    n = np.rint(x * 1.4426950408889634)
    r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6
    p = r / 6227020800.0 + 1 / 479001600.0
    p = p * r + 1 / 39916800.0
    p = p * r + 1 / 3628800.0
    p = p * r + 1 / 362880.0
    p = p * r + 1 / 40320.0
    p = p * r + 1 / 5040.0
    p = p * r + 1 / 720.0
    p = p * r + 1 / 120.0
    p = p * r + 1 / 24.0
    p = p * r + 1 / 6.0
    p = p * r * r * r + r * r * 0.5 + r + 1.0
    bits = np.int64((np.int64(n) + np.int64(1023)) << np.int64(52))
    return p * bits.view(np.float64)


@inner(any_order=True)
def _put(out: Array, at: int, a: Any, b: Any, c: Any, d: Any, rows: Array, first: int) -> None:
    """Four rows, each times its factor, in the place of one."""
    for i in range(out.shape[1]):
        out[at, i] = (
            a * rows[first, i] + b * rows[first + 1, i] + c * rows[first + 2, i] + d * rows[first + 3, i]
        )


@inner(any_order=True)
def _add(out: Array, at: int, a: Any, b: Any, c: Any, d: Any, rows: Array, first: int) -> None:
    """Add them to it; one row that is written is what the compiler sees through."""
    for i in range(out.shape[1]):
        out[at, i] += (
            a * rows[first, i] + b * rows[first + 1, i] + c * rows[first + 2, i] + d * rows[first + 3, i]
        )


@inner(any_order=True)
def _dots(rows: Array, first: int, others: Array, other: int, out: Array) -> None:
    """Add the products of four rows with another to a column."""
    a = rows[first, 0] * 0
    b, c, d = a, a, a
    for i in range(rows.shape[1]):
        x = others[other, i]
        a += rows[first, i] * x
        b += rows[first + 1, i] * x
        c += rows[first + 2, i] * x
        d += rows[first + 3, i] * x
    out[first, other] += a
    out[first + 1, other] += b
    out[first + 2, other] += c
    out[first + 3, other] += d


@inner(any_order=True)
def _largest(rows: Array, row: int, largest: Array) -> None:
    for i in range(rows.shape[1]):
        x = rows[row, i]
        largest[i] = largest[i] if largest[i] > x else x


@inner(any_order=True)
def _powers(rows: Array, row: int, largest: Array, total: Array) -> None:
    """The exponential of a row less the largest, added to the total too."""
    # Known when it is compiled: one of the two is left.
    if rows.itemsize == 4:
        for i in range(rows.shape[1]):
            rows[row, i] = _power32(rows[row, i] - largest[i])
            total[i] += rows[row, i]
    else:
        for i in range(rows.shape[1]):
            rows[row, i] = _power64(rows[row, i] - largest[i])
            total[i] += rows[row, i]


@inner()
def _residual(logits: Array, tokens: Array, n: int, work: Array) -> None:
    """Softmax over tokens minus one-hot in the place of logits, tokens × pairs."""
    largest, total = work[0], work[1]
    largest[:] = -np.inf
    total[:] = 0
    for token in range(n):
        _largest(logits, token, largest)
    for token in range(n):
        _powers(logits, token, largest, total)
    for i in range(total.shape[0]):
        total[i] = 1 / total[i]
    for token in range(n):
        for i in range(total.shape[0]):
            logits[token, i] *= total[i]
    for i in range(tokens.shape[0]):
        logits[tokens[i], i] -= 1


@inner()
def _slopes(f: Array, g: Array, rows: Array, tokens: Array, n: int, room: Any) -> None:
    """Gradients of some pairs: of F for each of them, of G added to what is there.

    Args:
        f: Contexts × dim.
        g: Tokens × dim, filled up with zeros to multiples of four.
        rows: Context of each pair.
        tokens: Its token.
        n: Tokens.
        room: Columns of the pairs' embeddings, logits, two rows of work, slopes of F, slope of G.
    """
    x, logits, work, slope_f, slope_g = room
    dim, pairs = f.shape[1], rows.shape[0]
    for j in range(dim):
        for i in range(pairs):
            x[j, i] = f[rows[i], j]
        x[j, pairs:] = 0  # adds nothing to the slope of G, whatever its residual
    for token in range(n):
        _put(logits, token, g[token, 0], g[token, 1], g[token, 2], g[token, 3], x, 0)
        for j in range(4, x.shape[0], 4):
            _add(logits, token, g[token, j], g[token, j + 1], g[token, j + 2], g[token, j + 3], x, j)
    _residual(logits, tokens, n, work)
    slope_f[:] = 0
    for token in range(0, n, 4):
        for j in range(dim):
            _add(slope_f, j, g[token, j], g[token + 1, j], g[token + 2, j], g[token + 3, j], logits, token)
            _dots(logits, token, x, j, slope_g)


@inner()
def _step(
    f: Array, g: Array, rows: Array, tokens: Array, n: int, scale: Any, room: Any, moves: Array
) -> None:
    """Move both tables by ``scale`` times the gradient; ``moves`` is room for what moves each pair's row."""
    slope_f, slope_g = room[3], room[4]
    slope_g[:] = 0
    for first in range(0, rows.shape[0], PAIRS):
        last = min(first + PAIRS, rows.shape[0])
        _slopes(f, g, rows[first:last], tokens[first:last], n, room)
        for j in range(f.shape[1]):
            for i in range(last - first):
                moves[first + i, j] = scale * slope_f[j, i]
    for draw in range(rows.shape[0]):
        for j in range(f.shape[1]):
            f[rows[draw], j] += moves[draw, j]
    for token in range(n):
        for j in range(f.shape[1]):
            g[token, j] += scale * slope_g[token, j]


@inner()
def _copy(table: Array, other: Array, rows: int, columns: int) -> None:
    """One by one: numba compiles a slice put into a slice with all that may be said of shapes that differ."""
    for i in range(rows):
        for j in range(columns):
            other[i, j] = table[i, j]


@inner()
def _filled(number: int, multiple: int) -> int:
    """The number, or the next that is a multiple."""
    return (number + multiple - 1) // multiple * multiple


def _steps(
    f: Array,
    g: Array,
    tokens: Array,
    moving: Array,
    keys: Array,
    tables: Any,
    scales: Array,
    step: Any,
    batch: int,
    begin: int,
    end: int,
) -> None:
    """Steps of some runs, each from its first to its last."""
    dim, kind = f.shape[2], f.dtype
    wide, lanes = _filled(dim, 4), _filled(min(batch, PAIRS), LANES)
    words = np.empty((_filled(2 + tables.sizes.shape[0], 4), batch), np.uint32)
    flat, rows, drawn = np.empty(batch, np.int64), np.empty(batch, np.int64), np.empty(batch, np.int64)
    moves = np.empty((batch, dim), kind)
    for run in range(begin, end):
        if not moving[run]:
            continue
        n = tokens[run]
        own, slope_g = np.zeros((_filled(n, 4), wide), kind), np.zeros((_filled(n, 4), wide), kind)
        room = (
            np.zeros((wide, lanes), kind),
            np.zeros((_filled(n, 4), lanes), kind),
            np.empty((2, lanes), kind),
            np.empty((dim, lanes), kind),
            slope_g,
        )
        _copy(g[run], own, n, dim)
        for number in range(scales.shape[0]):
            _draw(keys[run], step + np.uint64(number), run, tables, words, flat, rows, drawn)
            _step(f[run], own, rows, drawn, n, scales[number], room, moves)
        _copy(own, g[run], n, dim)


def _pairs(keys: Array, tables: Any, step: Any, contexts: Array, tokens: Array) -> None:
    """The minibatch of every run at a step."""
    words = np.empty((_filled(2 + tables.sizes.shape[0], 4), contexts.shape[1]), np.uint32)
    flat = np.empty(contexts.shape[1], np.int64)
    for run in range(contexts.shape[0]):
        _draw(keys[run], step, run, tables, words, flat, contexts[run], tokens[run])


steps, pairs = Kept(_steps, SAID), Kept(_pairs, SAID)
