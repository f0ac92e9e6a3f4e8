"""Slow twins: loops over single vectors, in plain Python and numpy, straight from the definitions."""

import itertools

import numpy as np


def pairs_of_codes(codes, low=0, high=1):
    """[(low row, high row, concept)] by comparing every two rows."""
    rows = [tuple(row) for row in np.asarray(codes).tolist()]
    found = []
    for concept in range(len(rows[0])):
        for a, b in itertools.product(range(len(rows)), repeat=2):
            changed = (*rows[a][:concept], high, *rows[a][concept + 1 :])
            if rows[a][concept] == low and rows[b] == changed:
                found.append((a, b, concept))
    return found


def vectors(table, pairs, group):
    """The non-zero differences of one group, one by one, in float64."""
    table = np.asarray(table.double())
    found = []
    for low, high, g in zip(pairs.low.tolist(), pairs.high.tolist(), pairs.group.tolist(), strict=True):
        if g == group and np.any(table[high] != table[low]):
            found.append(table[high] - table[low])
    return found


def cosine(u, v):
    return float(np.dot(u, v) / np.sqrt(np.dot(u, u) * np.dot(v, v)))


def linearity(us):
    return np.mean([cosine(u, v) for u, v in itertools.combinations(us, 2)]) if len(us) > 1 else np.nan


def alignment(us, vs):
    return np.mean([cosine(u, v) for u in us for v in vs]) if us and vs else np.nan


def orthogonality_mean(us, vs):
    def mean(xs):
        return np.mean([x / np.sqrt(np.dot(x, x)) for x in xs], 0)

    return abs(cosine(mean(us), mean(vs))) if us and vs else np.nan


def orthogonality_rms(us, vs):
    return np.sqrt(np.mean([cosine(u, v) ** 2 for u in us for v in vs])) if us and vs else np.nan
