"""Planted numbers of the experiments that ask when directions are linear, aligned and orthogonal."""

from collections.abc import Mapping
from typing import Any

from linrep.laboratory.shapes import DEVIATION
from linrep.laboratory.shapes import OVERLAP as CHILD
from linrep.paper.graphs import DEPENDENCE
from linrep.paper.hierarchy import CAUSAL
from linrep.paper.orthogonality import ERROR, GAUGES, INNER, SLOPE
from linrep.paper.orthogonality import OVERLAP as IN_INNER
from linrep.paper.yardsticks import PREDICTED
from linrep.sweeps.numbers import Numbers

from .planted import ALIGNMENT, GAP, OVERLAP, F, G, numbers, scattered

Cells = dict[tuple[str, ...], Mapping[tuple[str, str], Any]]


def emergence(linear: float, *, aligned: float = 0.98, overlap: float = 0.02, apart: float = 0.0) -> Numbers:
    """At m = 4 from a normal start ``linear``, where runs may be apart, else 0.97."""
    measures = {G: 0.97, F: 0.97, ALIGNMENT: aligned, OVERLAP: overlap}
    cells: Cells = {(m, start): measures for m in ("3", "4") for start in ("normal", "wide")}
    cells["4", "normal"] = {**measures, G: scattered(linear, apart)}
    axes = {"concepts": ["3", "4"], "model.start": ["normal", "wide"]}
    return numbers(axes, cells, null={G: 0.01, F: 0.01, ALIGNMENT: 0.0})


def setting(linear: float, *, apart: float = 0.0) -> Numbers:
    """On half of the contexts ``linear``, where runs may be apart, else 0.97."""
    measures = {G: 0.97, F: 0.97, ALIGNMENT: 0.98, OVERLAP: 0.02}
    half = {**measures, G: scattered(linear, apart)}
    cells: Cells = {("complete", "3"): measures, ("half of the contexts", "3"): half}
    axes = {"set": ["complete", "half of the contexts"], "concepts": ["3"]}
    return numbers(axes, cells, null={G: 0.01, ALIGNMENT: 0.0})


def dimension(wide: float, *, apart: float = 0.0) -> Numbers:
    """Linearity falls from 0.98 at k = m to ``wide`` for m = 4; for m = 3 it falls in any case."""
    cells: Cells = {
        ("3", "2"): {G: 0.6}, ("3", "3"): {G: 0.99}, ("3", "4"): {G: 0.7},
        ("3", "16"): {G: 0.2, (PREDICTED, "unembedding"): 0.226},
        ("4", "2"): {G: 0.5}, ("4", "3"): {G: 0.7}, ("4", "4"): {G: 0.98},
        ("4", "16"): {G: scattered(wide, apart), (PREDICTED, "unembedding"): 0.175},
    }  # fmt: skip
    axes = {"world.concepts": ["3", "4"], "model.dim": ["2", "3", "4", "16"]}
    narrow = {(m, k): 4 for m, k in cells if int(k) < int(m)}
    return numbers(axes, cells, null={G: 0.0}, held=narrow)


def graphs(dense: float, *, apart: float = 0.0) -> Numbers:
    """Linearity from 0.99 without dependence to ``dense`` at 1.5 nats, on one graph of two."""
    without = {G: 0.99, ALIGNMENT: 0.99, GAP: 0.1, (DEPENDENCE, ""): 0.0}
    cells: Cells = {
        ("random", "0.0"): without,
        ("random", "1.0"): {G: 0.8, ALIGNMENT: 0.8, GAP: 0.2, (DEPENDENCE, ""): 0.5},
        ("cancer", "0.0"): without,
        ("cancer", "1.0"): {G: scattered(dense, apart), ALIGNMENT: 0.9, GAP: 0.4, (DEPENDENCE, ""): 1.5},
    }
    axes = {"graph": ["random", "cancer"], "world.dependence": ["0.0", "1.0"]}
    return numbers(axes, cells, null={G: 0.0, GAP: 0.7})


def real_worlds(dense: float, *, null: float = 0.0, apart: float = 0.0) -> Numbers:
    """Linearity from 0.99 without dependence to ``dense`` with it, in one network of two."""
    without = {G: 0.99, ALIGNMENT: 0.99, (DEPENDENCE, ""): 0.0}
    cells: Cells = {
        ("alarm", "0.0"): without,
        ("alarm", "1.0"): {G: 0.8, ALIGNMENT: 0.8, (DEPENDENCE, ""): 0.5},
        ("child", "0.0"): without,
        ("child", "1.0"): {G: scattered(dense, apart), ALIGNMENT: 0.9, (DEPENDENCE, ""): 1.5},
    }
    axes = {"network": ["alarm", "child"], "world.dependence": ["0.0", "1.0"]}
    return numbers(axes, cells, null={G: null})


def orthogonality(euclid: float, *, moved: float = 0.4, slope: float = 1.0, apart: float = 0.0) -> Numbers:
    """Overlap as trained and in other coordinates, and a slope on C4's constants in which runs may differ."""
    measures: dict[tuple[str, str], Any] = {
        (IN_INNER, f"{gauge}, {inner}"): 0.4 for gauge in GAUGES for inner in INNER
    }
    measures[IN_INNER, "as trained, Euclid"] = euclid
    measures[IN_INNER, "regauged, Euclid"] = moved
    measures |= {(SLOPE, ""): scattered(slope, apart), (ERROR, ""): 0.1}
    return numbers({"world.concepts": ["3", "4"]}, {("3",): measures, ("4",): measures})


def hierarchy(
    degrees: float,
    slant: float,
    *,
    twice: float | None = None,
    dealt: tuple[float, float] = (15.0, 0.3),
    apart: float = 0.0,
) -> Numbers:
    """Flat and nested worlds; ``twice``: the overlap of the one that is nested twice, at the widest."""
    simplex, g = (DEVIATION, "unembedding"), (CHILD, "unembedding")
    cells: Cells = {}
    for k in ("3", "6", "24"):
        far, aslant = (30.0, 0.5) if k == "3" else (scattered(degrees, apart), slant)
        turned = {g: [0.3, 0.2, 0.2, aslant], (CHILD, CAUSAL): 0.0 if k == "24" else 0.25}
        cells["3 states", k] = {simplex: far}
        cells["nested", k] = {simplex: far, **turned}
        other = twice if twice is not None and k == "24" else aslant
        cells["nested twice", k] = {**turned, g: [0.3, 0.2, 0.2, other]}
    axes = {"world": ["3 states", "nested", "nested twice"], "model.dim": ["3", "6", "24"]}
    nulls = {simplex: [dealt[0]] * 4, g: [dealt[1]] * 4, (CHILD, CAUSAL): [0.125] * 4}
    return numbers(axes, cells, null=nulls)


PLANTED_DIRECTIONS = {
    "emergence": (emergence(0.95), emergence(0.92, apart=0.05), emergence(0.3)),
    "setting": (setting(0.95), setting(0.92, apart=0.05), setting(0.3)),
    "dimension": (dimension(0.2), dimension(0.4, apart=0.2), dimension(0.6)),
    "graphs": (graphs(0.95), graphs(0.98, apart=0.1), graphs(0.999)),
    "real-worlds": (real_worlds(0.95), real_worlds(0.98, apart=0.1), real_worlds(0.999)),
    "orthogonality": (orthogonality(0.02), orthogonality(0.03, apart=0.3), orthogonality(0.5)),
    "hierarchy": (hierarchy(1.0, 0.02), hierarchy(2.5, 0.02, apart=1.0), hierarchy(9.0, 0.1)),
}
"""By experiment: numbers that answer yes, undecided, no."""
