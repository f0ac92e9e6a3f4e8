"""The concept graph: a small drawing of the Bayesian network, parents above children.

The places are our own: networkx has layers, but neither orders them against crossings nor leads an arrow
around a node. Over the 300 random graphs of tests/page/test_graph.py ``multipartite_layout`` makes 895
crossings and leads 621 arrows through a node, ours 684 and none. Graphviz, which does both, is a program
to be installed apart.
"""

from collections.abc import Container, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from linrep.errors import many
from linrep.page import palette
from linrep.page.reduction import reduction_words
from linrep.page.shell import Block
from linrep.page.view import View

DASHES = ";stroke-dasharray:5 4"
Point = tuple[float, float]
Arrow = tuple[int, int]


def layers(nodes: int, arrows: Sequence[Arrow]) -> list[int]:
    """The layer of each node: the length of the longest way down to it."""
    depth = [0] * nodes
    for _ in range(nodes):
        for parent, child in arrows:
            depth[child] = max(depth[child], depth[parent] + 1)
    return depth


def place(nodes: int, arrows: Sequence[Arrow]) -> tuple[list[Point], list[list[Point]]]:
    """Where each node stands, and the points each arrow goes through; one unit between layers and neighbours.

    Arrows over several layers pass through a free place in each (Sugiyama, Tagawa & Toda 1981), so none
    crosses a node.
    """
    if not arrows:
        columns = min(nodes, 5)
        return [(i % columns - (columns - 1) / 2, float(i // columns)) for i in range(nodes)], []
    depth = layers(nodes, arrows)
    chains: list[list[int]] = []
    links: list[Arrow] = []
    for parent, child in arrows:
        chain = [parent]
        for layer in range(depth[parent] + 1, depth[child]):
            depth.append(layer)
            chain.append(len(depth) - 1)
        chain.append(child)
        chains.append(chain)
        links += list(pairwise(chain))
    rows = [[n for n, d in enumerate(depth) if d == layer] for layer in range(max(depth) + 1)]
    position = _ordered(rows, links)
    points = [(position[n], float(depth[n])) for n in range(len(depth))]
    return points[:nodes], [[points[n] for n in chain] for chain in chains]


def _ordered(rows: list[list[int]], links: Sequence[Arrow]) -> dict[int, float]:
    """Horizontal places: each row sorted by the mean place of its neighbours, swept up and down."""
    near: dict[int, list[int]] = {n: [] for row in rows for n in row}
    for low, high in links:
        near[low].append(high)
        near[high].append(low)
    where = {n: i - (len(row) - 1) / 2 for row in rows for i, n in enumerate(row)}
    for sweep in range(12):
        for row in rows if sweep % 2 else rows[::-1]:
            wish = {n: _mean([where[other] for other in near[n]], where[n]) for n in row}
            row.sort(key=lambda n, wish=wish: wish[n])
            where |= _apart(row, wish)
    return where


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _apart(row: Sequence[int], wish: dict[int, float]) -> dict[int, float]:
    """Places in order, at least one apart, as near to the wishes as a push to the right and a shift allow."""
    placed: list[float] = []
    for n in row:
        placed.append(max(wish[n], placed[-1] + 1) if placed else wish[n])
    shift = sum(wish[n] - p for n, p in zip(row, placed, strict=True)) / max(len(row), 1)
    return {n: p + shift for n, p in zip(row, placed, strict=True)}


def block(view: View) -> Block:
    """The drawing for the page."""
    model = view.world.model
    arrows = list(model.edges())
    shared = all(world is view.worlds[0] for world in view.worlds)
    added = _added(view)
    said = ", ".join(
        f"{view.names[a]} to {view.names[b]}{' (added)' if (a, b) in added else ''}" for a, b in arrows
    )
    whose = "" if shared else f" Each run draws its own world; this is run {view.typical}'s."
    return Block(
        id="graph",
        kind="drawing",
        title=f"The concept graph has {many(len(arrows), 'arrow')}",
        caption="An arrow: the child's probabilities depend on the parent."
        f"{_reduced(view)}{_nested(view)}{whose}",
        alt=f"Directed graph of the concepts {', '.join(view.names)}. Arrows: {said or 'none'}.",
        drawing=svg(view.names, arrows, dashed=added),
        size="wide",
    )


def _added(view: View) -> frozenset[Arrow]:
    """Arrows that summing out added."""
    reduction = view.world.model.reduction
    return frozenset() if reduction is None else frozenset(reduction.added)


def _reduced(view: View) -> str:
    words = reduction_words(view.summary.reduction, len(view.names))
    dashed = " They are dashed: what was summed out joins the two." if _added(view) else ""
    return "" if words is None else f" {words}{dashed}"


def _nested(view: View) -> str:
    return "".join(
        f" {view.names[child]} exists only where {view.names[parent]} is in state "
        f"{view.states[parent][state]}, elsewhere it is “{view.states[child][-1]}”."
        for parent, state, child in view.world.model.nests
    )


def svg(names: Sequence[str], arrows: Sequence[Arrow], *, dashed: Container[Arrow] = ()) -> str:
    """An SVG element; names are escaped, colours follow the page."""
    nodes, paths = place(len(names), arrows)
    widths = [max(44.0, 8.2 * len(_cut(name)) + 22) for name in names]
    across, down = max(max(widths) + 22, 78.0), 78.0
    scaled = [(x * across, y * down) for x, y in nodes]
    every = scaled + [(x * across, y * down) for path in paths for x, y in path]
    left, right = min(x for x, _ in every) - across / 2 - 4, max(x for x, _ in every) + across / 2 + 4
    bottom = max(y for _, y in every) + 26
    parts = [
        f'<svg viewBox="{left:.0f} -26 {right - left:.0f} {bottom + 26:.0f}" '
        f'style="max-width:{1.25 * (right - left):.0f}px;margin:auto" aria-hidden="true">'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto">'
        '<path d="M0 0L8 4L0 8z" style="fill:var(--muted)"/></marker></defs>'
    ]
    for arrow, path in zip(arrows, paths, strict=True):
        points = [(x * across, y * down) for x, y in path]
        points[0] = (points[0][0], points[0][1] + 15)
        points[-1] = (points[-1][0], points[-1][1] - 17)
        curve = f"M{points[0][0]:.1f} {points[0][1]:.1f}" + "".join(
            f"C{x0:.1f} {(y0 + y1) / 2:.1f} {x1:.1f} {(y0 + y1) / 2:.1f} {x1:.1f} {y1:.1f}"
            for (x0, y0), (x1, y1) in pairwise(points)
        )
        parts.append(
            f'<path d="{curve}" style="fill:none;stroke:var(--muted);stroke-width:1.4'
            f'{DASHES if arrow in dashed else ""}" marker-end="url(#arrow)"/>'
        )
    for i, ((x, y), name) in enumerate(zip(scaled, names, strict=True)):
        parts.append(
            f'<rect x="{x - widths[i] / 2:.1f}" y="{y - 15:.1f}" width="{widths[i]:.1f}" height="30" rx="15" '
            f'style="fill:var(--surface);stroke:var({palette.concept(i)});stroke-width:2.4"/>'
            f'<text x="{x:.1f}" y="{y + 4.6:.1f}" text-anchor="middle" font-size="14" '
            f'style="fill:var(--ink)">{escape(_cut(name))}</text>'
        )
    return "".join(parts) + "</svg>"


def _cut(name: str) -> str:
    return name if len(name) <= 16 else name[:15] + "…"


def paper(view: View) -> Any:
    """The drawing for a paper."""
    from matplotlib.figure import Figure

    from linrep.page.print_style import plain

    arrows, dashed = list(view.world.model.edges()), _added(view)
    nodes, paths = place(len(view.names), arrows)
    wide = max(x for x, _ in nodes) - min(x for x, _ in nodes) + 1.4
    high = max(y for _, y in nodes) + 1
    figure = Figure(figsize=(min(7.2, 0.95 * wide), 0.75 * high), layout="constrained")
    axes: Any = figure.add_subplot()
    for arrow, path in zip(arrows, paths, strict=True):
        for start, end in pairwise(path):
            last = end == path[-1]
            style = {"arrowstyle": "-|>" if last else "-", "color": "#59616c", "linewidth": 0.8}
            style |= {"linestyle": "dashed"} if arrow in dashed else {}
            style |= {"shrinkA": 9 if start == path[0] else 0, "shrinkB": 9 if last else 0}
            axes.annotate("", xy=end, xytext=start, arrowprops=style)
    for i, ((x, y), name) in enumerate(zip(nodes, view.names, strict=True)):
        box = {
            "boxstyle": "round,pad=0.4",
            "facecolor": "white",
            "edgecolor": palette.paper(palette.concept(i)),
        }
        axes.text(x, y, plain(_cut(name)), ha="center", va="center", bbox=box)
    xs = [x for path in paths for x, _ in path] + [x for x, _ in nodes]
    axes.set(xlim=(min(xs) - 0.7, max(xs) + 0.7), ylim=(high - 0.5, -0.5))
    axes.set_axis_off()
    return figure
