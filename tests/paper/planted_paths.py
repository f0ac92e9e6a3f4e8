"""Planted numbers of the experiments that hold several ways down against each other."""

from collections.abc import Mapping
from typing import Any

from linrep.paper.entanglement import MOVED
from linrep.paper.generalisation import ALIGNMENT as HELD_ALIGNMENT
from linrep.paper.generalisation import GAP as HELD_GAP
from linrep.paper.ridge_path import NORM
from linrep.paper.shift import TURN
from linrep.sweeps.numbers import Numbers

from .planted import ALIGNMENT, EXCESS, GAP, G, numbers

PREDICTED = ("predicted_linearity", "unembedding")
LENGTH = (NORM, "")
Cells = dict[tuple[str, ...], Any]


def scattered(planted: Numbers, by: Mapping[tuple[str, str], float], **labels: str) -> Numbers:
    """The same with every other run off what was planted, up and down, in the cells with these labels."""
    frame = planted.frame.copy()
    for (measure, table), size in by.items():
        rows = (frame["measure"] == measure) & (frame["table"] == table) & (frame["kind"] == "value")
        for axis, label in labels.items():
            rows &= frame[axis] == label
        frame.loc[rows, "value"] += size * (1 - 2 * (frame.loc[rows, "run"] % 2))
    return Numbers.of_frame(frame, axes=planted.axes)


def equal_loss(bent: float, *, known: float = 0.99, runs: int = 8) -> Numbers:
    """GD ends so bent at equal loss, in the control so; its tables are four times as long as the path's."""
    worlds = ["earthquake", "independent, p = 1/2"]
    cells: Cells = {}
    for world, gd in zip(worlds, (bent, known), strict=True):
        cells[world, "ridge path"] = {G: 0.98, LENGTH: 32.0, EXCESS: 0.0028, ALIGNMENT: 0.9, GAP: 0.3}
        cells[world, "Newton"] = {G: (gd + 0.98) / 2, LENGTH: 64.0, EXCESS: 0.0029, GAP: 0.3}
        cells[world, "GD"] = {G: gd, LENGTH: 128.0, EXCESS: 0.003, GAP: 0.3}
        cells[world, "ridge path to 0.0003"] = {G: 0.9, LENGTH: 128.0, EXCESS: 0.0003, GAP: 0.3}
    axes = {"world": worlds, "way": ["ridge path", "Newton", "GD", "ridge path to 0.0003"]}
    return numbers(axes, cells, null={G: 0.0}, runs=runs)


def knowledge(two: float, *, norm: float = 40.0, runs: int = 8) -> Numbers:
    """With two concepts known descent is so linear where the path has 0.5, at a norm between its points."""
    cells: Cells = {}
    for known, linear, path in (("1 of 4", 0.97, 0.97), ("2 of 4", two, 0.5)):
        cells[known, "start 0.1"] = {G: linear, LENGTH: norm, PREDICTED: 1.0}
        cells[known, "ridge path to 0.001"] = {G: path + 0.02, LENGTH: 30.0}
        cells[known, "ridge path to 0.0001"] = {G: path - 0.02, LENGTH: 50.0}
    axes = {
        "contexts": ["1 of 4", "2 of 4"],
        "way": ["start 0.1", "ridge path to 0.001", "ridge path to 0.0001"],
    }
    return numbers(axes, cells, null={G: 0.0}, runs=runs)


def shift(turned: float, *, linear: float = 0.97, gap: float = 0.2, runs: int = 8) -> Numbers:
    """Changed runs turn so far and end so; fresh ones end at linearity 0.97 and a gap of 0.2."""

    def cell(turn: float, linear: float, gap: float) -> dict[tuple[str, str], Any]:
        turns = {(TURN, "unembedding"): turn, (TURN, "embedding"): turn}
        return {G: linear, ALIGNMENT: linear, GAP: [1.0, 0.5, gap, gap], **turns}

    cells: Cells = {}
    ranges = ["0.3 to 0.7", "0.1 to 0.9"]
    for label in ranges:
        cells[label, "changed"] = cell(turned, linear, gap)
        cells[label, "fresh"] = cell(2.0, 0.97, 0.2)
        cells[label, "unchanged"] = cell(0.5, 0.98, 0.2)
    null = {(TURN, "unembedding"): 90.0, (TURN, "embedding"): 90.0, GAP: 0.6}
    axes = {"probabilities": ranges, "training": ["changed", "fresh", "unchanged"]}
    return numbers(axes, cells, null=null, runs=runs)


def generalisation(gap: float, aligned: float, *, table: float = 0.1, runs: int = 8) -> Numbers:
    """RMSE and alignment of the MLP's f where it never trained; the transformer does the same."""
    shares = ["0.1", "0.5"]
    cells: Cells = {}
    for share in shares:
        network = {(HELD_GAP, ""): gap, (HELD_ALIGNMENT, ""): aligned, G: 0.9}
        cells |= {("MLP", share): network, ("transformer", share): network}
        cells["table", share] = {(HELD_GAP, ""): 0.7, (HELD_ALIGNMENT, ""): table, G: 0.9}
    axes = {"encoder": ["table", "MLP", "transformer"], "contexts.held_out": shares}
    return numbers(axes, cells, null={(HELD_GAP, ""): 0.6}, runs=runs)


def entanglement(own: float, wide: float, *, random: float = 1.5, runs: int = 8) -> Numbers:
    """Cross-talk for m = 4 at k = m and at the widest; below k = m it is loud."""
    key = (MOVED, "unembedding")
    cells: Cells = {
        ("3", "2"): {key: 2.0, G: 0.6}, ("3", "3"): {key: 0.05, G: 0.99}, ("3", "16"): {key: 0.06, G: 0.3},
        ("4", "2"): {key: 3.0, G: 0.6}, ("4", "4"): {key: own, G: 0.99}, ("4", "16"): {key: wide, G: 0.3},
    }  # fmt: skip
    axes = {"world.concepts": ["3", "4"], "model.dim": ["2", "3", "4", "16"]}
    return numbers(axes, cells, null={key: random, G: 0.0}, runs=runs)


PLANTED_PATHS = {
    "equal-loss": (
        equal_loss(0.96),
        scattered(equal_loss(0.93), {G: 0.05}, way="GD"),
        equal_loss(0.6),
    ),
    "knowledge": (knowledge(0.51), scattered(knowledge(0.54), {G: 0.1}, way="start 0.1"), knowledge(0.8)),
    "shift": (shift(6.0), scattered(shift(14.0), {(TURN, "unembedding"): 9.0}), shift(40.0)),
    "generalisation": (
        generalisation(0.1, 0.97),
        scattered(generalisation(0.28, 0.97), {(HELD_GAP, ""): 0.2}),
        generalisation(0.9, 0.97),
    ),
    "entanglement": (
        entanglement(0.04, 0.07),
        scattered(entanglement(0.04, 0.09), {(MOVED, "unembedding"): 0.03}),
        entanglement(0.5, 0.2),
    ),
}
