"""Where the concepts are drawn: no arrow through a node, and fewer crossings than a library's layers."""

import random
from itertools import combinations, pairwise

import networkx as nx

from linrep.page.graph import Arrow, Point, place

NEAR = 0.2
"""Of the distance between neighbours: closer, an arrow runs into the node."""


def graphs() -> list[tuple[int, list[Arrow]]]:
    draw = random.Random(0)
    sizes = (draw.randint(5, 8) for _ in range(300))
    return [(m, [(i, j) for j in range(m) for i in range(j) if draw.random() < 0.5]) for m in sizes]


def by_networkx(nodes: int, arrows: list[Arrow]) -> tuple[list[Point], list[list[Point]]]:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(nodes))
    graph.add_edges_from(arrows)
    for layer, members in enumerate(nx.topological_generations(graph)):
        for node in members:
            graph.nodes[node]["layer"] = layer
    found = nx.multipartite_layout(graph, subset_key="layer", align="horizontal")
    units = [_step([position[axis] for position in found.values()]) for axis in (0, 1)]
    points = [(float(found[n][0] / units[0]), float(found[n][1] / units[1])) for n in range(nodes)]
    return points, [[points[a], points[b]] for a, b in arrows]


def _step(places: list[float]) -> float:
    return min((b - a for a, b in pairwise(sorted({round(x, 6) for x in places}))), default=1.0)


def crossings(ways: list[list[Point]]) -> int:
    segments = [(number, *ends) for number, way in enumerate(ways) for ends in pairwise(way)]
    return sum(i != j and _cross(a, b, c, d) for (i, a, b), (j, c, d) in combinations(segments, 2))


def through_nodes(points: list[Point], ways: list[list[Point]]) -> int:
    return sum(
        any(_runs_into(point, a, b) for a, b in pairwise(way))
        for way in ways
        for point in points
        if point not in (way[0], way[-1])
    )


def _side(p: Point, q: Point, r: Point) -> float:
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    if {a, b} & {c, d}:
        return False
    return _side(a, b, c) * _side(a, b, d) < -1e-12 and _side(c, d, a) * _side(c, d, b) < -1e-12


def _runs_into(p: Point, a: Point, b: Point) -> bool:
    along = ((p[0] - a[0]) * (b[0] - a[0]) + (p[1] - a[1]) * (b[1] - a[1])) / (
        (b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2
    )
    if not 0 < along < 1:
        return False
    foot = (a[0] + along * (b[0] - a[0]), a[1] + along * (b[1] - a[1]))
    return ((p[0] - foot[0]) ** 2 + (p[1] - foot[1]) ** 2) ** 0.5 < NEAR


def test_arrows_pass_nodes_by_and_cross_less_than_in_a_librarys_layers() -> None:
    ours, theirs = [0, 0], [0, 0]
    for nodes, arrows in graphs():
        for total, (points, ways) in ((ours, place(nodes, arrows)), (theirs, by_networkx(nodes, arrows))):
            total[0] += crossings(ways)
            total[1] += through_nodes(points, ways)
    assert ours[1] == 0
    assert ours[0] < 0.8 * theirs[0]
    assert theirs[1] > 500
