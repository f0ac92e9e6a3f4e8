"""The learned hypercube: unembeddings in three dimensions, edges coloured by concept, over training."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from linrep.page import palette
from linrep.page.numbers import ABSENT, count
from linrep.page.shell import Block
from linrep.page.view import View, per_run

if TYPE_CHECKING:
    from linrep.worlds.truth import World

TOKENS_SHOWN = 512
DIGITS_SHOWN = 2**16
"""Of all tokens shown: of hundreds of concepts fewer tokens are."""
WRITTEN_OUT = 32
"""Concepts up to which a token's name has the state of each; of more, those that are not in their first."""
EDGES_SHOWN = 12
"""Concepts of which edges are drawn where there are more than can be written out: those that have most."""
FRAMES_SHOWN = 60
LABELLED = 8
FEW = 40
"""Tokens up to which every edge stands out, as in cube.js."""
YAW, PITCH = 0.24, 0.17
"""Radians from the front, from where the page looks at first."""
PARALLEL = "Parallel edges of one colour: that concept is one direction."
COPIES = (
    "Edges of one colour join the states of one concept: a simplex, which for three states is a triangle. "
    "Shifted copies of one simplex: each change from state to state is one direction."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cube:
    """One run's tokens in three dimensions at every step shown."""

    run: int
    frames: NDArray[np.float64]
    """[steps, tokens, 3]"""
    edges: tuple[NDArray[np.int64], ...]
    """For each concept, [pairs, 2]: the tokens that differ in it alone."""
    tokens: tuple[str, ...]
    codes: NDArray[np.int8]
    left_out: int
    shown: float
    """Share of the tokens' variance at the last step that these three dimensions hold."""


def frames_shown(view: View) -> NDArray[np.int64]:
    """Positions of the snapshots shown: all, or an even choice that keeps the first and the last."""
    steps = len(view.steps)
    return np.unique(np.linspace(0, steps - 1, min(steps, FRAMES_SHOWN)).round().astype(np.int64))


def cube(view: View, run: int) -> Cube:
    """Project one run.

    The projection is orthogonal, fixed over training, and chosen so that the mean concept directions of the
    last step spread out evenly. What looks parallel may be so by projection; what does not look so is not.
    """
    world = view.worlds[run]
    codes = np.asarray(world.token_codes)
    rows = _face(codes)
    table = np.nan_to_num(view.snapshots[frames_shown(view), run][:, rows])
    table = table - table.mean(axis=1, keepdims=True)
    edges = token_edges(world, rows)
    labels = _names(world)
    frames = table @ projection(table[-1], codes[rows], edges)
    return Cube(
        run=run,
        frames=frames,
        edges=edges,
        tokens=tuple(labels[row] for row in rows),
        codes=codes[rows],
        left_out=len(codes) - len(rows),
        shown=float((frames[-1] ** 2).sum() / max((table[-1] ** 2).sum(), 1e-30)),
    )


def _names(world: "World") -> tuple[str, ...]:
    """Of every token, short enough to be pointed at."""
    if len(world.model.names) <= WRITTEN_OUT or world.words is not None:
        return world.token_labels()
    found: list[str] = []
    for codes in world.token_codes.tolist():
        on = zip(world.model.names, world.model.states, codes, strict=True)
        found.append(" ".join(f"{name}={states[digit]}" for name, states, digit in on if digit) or "none on")
    return tuple(found)


def token_edges(world: "World", rows: NDArray[np.int64] | None = None) -> tuple[NDArray[np.int64], ...]:
    """The tokens of a world that differ in one concept alone, for each concept: [pairs, 2].

    Args:
        world: Whose tokens.
        rows: Those among them that count, ascending, by whose places pairs are named; all if None.
    """
    codes = np.asarray(world.token_codes)
    chosen = np.arange(len(codes)) if rows is None else rows
    if world.words is None:
        return edges_by_concept(codes[chosen])
    from linrep.geometry.pairs import contrasts
    from linrep.laboratory.token_pairs import token_pairs

    wanted = contrasts(world.model.sizes)
    pairs = token_pairs(world, wanted)
    ends = np.stack([np.asarray(pairs.low), np.asarray(pairs.high)], axis=1)
    concept = np.array([each for each, _, _ in wanted], dtype=np.int64)[np.asarray(pairs.group)]
    place = np.full(len(codes), -1, dtype=np.int64)
    place[chosen] = np.arange(len(chosen))
    found = place[ends]
    inside = (found >= 0).all(axis=1)
    return tuple(found[inside & (concept == each)] for each in range(codes.shape[1]))


def edges_by_concept(codes: NDArray[np.int8]) -> tuple[NDArray[np.int64], ...]:
    """The rows that are equal but in one concept, for each concept: [pairs, 2], the lower state first."""
    where = {row.tobytes(): i for i, row in enumerate(np.ascontiguousarray(codes))}
    edges: list[NDArray[np.int64]] = []
    for concept in range(codes.shape[1]):
        pairs: list[tuple[int, int]] = []
        for low, high in combinations(range(int(codes[:, concept].max(initial=1)) + 1), 2):
            for i in np.flatnonzero(codes[:, concept] == low):
                other = codes[i].copy()
                other[concept] = high
                if (j := where.get(other.tobytes())) is not None:
                    pairs.append((int(i), j))
        edges.append(np.array(pairs, dtype=np.int64).reshape(-1, 2))
    return tuple(edges)


def runs_shown(view: View) -> list[tuple[int, str]]:
    """The typical run, then the ones with the lowest and the highest linearity of g, each with its label."""
    chosen = {view.typical: "typical"}
    values = per_run(view.measure("linearity", "unembedding"), view.runs)
    kept = range(view.snapshots.shape[1])
    known = [r for r in kept if values[r] is not None and r not in view.diverged]
    if view.runs > 1 and known:
        chosen.setdefault(min(known, key=lambda r: values[r] or 0.0), "least linear")
        chosen.setdefault(max(known, key=lambda r: values[r] or 0.0), "most linear")
    named = ((run, f"{run} ({name}{view.unlike_converged(run)})") for run, name in chosen.items())
    return list(named) if view.runs > 1 else [(view.typical, "0")]


def block(view: View) -> Block:
    """The cube for the page."""
    shown = [(cube(view, run), name) for run, name in runs_shown(view)]
    first = shown[0][0]
    steps = view.steps[frames_shown(view)]
    drawn = _drawn(first)
    absent = [view.names[i] for i in drawn if not len(first.edges[i])]
    spec = {
        "steps": steps,
        "wide": {"steps": view.wide_steps, "dim": view.snapshots.shape[-1]},
        "concepts": [
            {"name": view.names[i], "color": palette.concept(at), "dash": palette.dash(at)}
            for at, i in enumerate(drawn)
        ],
        "yaw": YAW,
        "pitch": PITCH,
        "runs": [
            {
                "label": name,
                **_thousandths(each.frames),
                "edges": [each.edges[i].ravel() for i in drawn],
                "tokens": list(each.tokens),
                "codes": _short_codes(each, view.world.model.values),
            }
            for each, name in shown
        ],
    }
    face = f" {count(first.left_out)} more tokens are not drawn: this is one face." if first.left_out else ""
    share = f"{first.shown:.0%}".replace("%", "\u00a0%")
    missing = f" {', '.join(absent)}: no two tokens differ in it alone, so it has no edge." if absent else ""
    if len(drawn) < len(first.edges):
        missing = f" Edges are those of {len(drawn)} concepts of {len(first.edges)}, which have most."
    many = " The edges of one token stand out: point at another." if len(first.tokens) > FEW else ""
    return Block(
        id="cube",
        kind="cube",
        title=f"The learned {'hypercube' if view.binary else 'simplices'}: an edge joins two tokens that "
        "differ in one concept",
        caption=f"{PARALLEL if view.binary else COPIES} One orthogonal projection at every step; drag to "
        f"turn, point at a vertex to read its token. It holds {share} of the tokens' variance at the last "
        f"step.{many}{_before(view)}{missing}{face}",
        alt=f"Three-dimensional picture of {len(first.tokens)} token vectors from "
        f"{when(view, int(steps[0]))} to {when(view, int(steps[-1]))}, joined by edges coloured by "
        f"concept: {', '.join(view.names[i] for i in drawn)}.",
        spec=spec,
        size="wide",
    )


def when(view: View, step: int) -> str:
    """Where in training a snapshot was taken: a step of it, or of the wide start before it."""
    if step >= 0:
        return f"step {count(step)}"
    return f"wide start, step {count(step + view.wide_steps)} of {count(view.wide_steps)}"


def _before(view: View) -> str:
    """What is seen of a wide start, and what is not."""
    if not view.wide_steps:
        return ""
    dim = view.snapshots.shape[-1]
    return (
        f" Before step 0, tables of {2 * dim} dimensions descend for {count(view.wide_steps)} steps and are "
        f"then cut to {dim}: of these {2 * dim} you see the {dim} that the cut keeps, not the others."
    )


def _thousandths(frames: NDArray[np.float64]) -> dict[str, Any]:
    """Frames in whole thousandths of their own reach: at each step x, y and z of all tokens."""
    reach = np.maximum(np.linalg.norm(frames, axis=-1).max(axis=1), 1e-9)
    whole = (1000 * frames / reach[:, None, None]).round().astype(np.int64)
    return {"scales": reach, "frames": whole.transpose(0, 2, 1)}


def paper(view: View) -> Any:
    """The typical run at the start, half way in log steps, and at the end, for a paper.

    Each fills its frame; how many times larger it is drawn than at the end stands above it.
    """
    from matplotlib.figure import Figure

    each = cube(view, view.typical)
    moments = _moments(view.steps[frames_shown(view)])
    figure = Figure(figsize=(7.2, 2.9), layout="constrained")
    for column, moment in enumerate(moments):
        axes: Any = figure.add_subplot(1, len(moments), column + 1, projection="3d", proj_type="ortho")
        _draw(axes, each, moment)
        axes.set_title(_told(view, each, moment), y=0.97)
    _legend(figure, view, each)
    return figure


def thumbnail(view: View) -> Any:
    """The typical run at the end, one column wide."""
    from matplotlib.figure import Figure

    each = cube(view, view.typical)
    figure = Figure(figsize=(3.6, 2.6), layout="constrained")
    _draw(figure.add_subplot(projection="3d", proj_type="ortho"), each, -1)
    _legend(figure, view, each)
    return figure


def _draw(axes: Any, each: Cube, moment: int) -> None:
    """The tokens and edges of one moment, as large as fits."""
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    points = each.frames[moment]
    few = len(each.tokens) <= 64
    for i, ends in ((i, ends) for i, ends in enumerate(each.edges) if len(ends)):
        style = ("-", "--", ":", "-.")[palette.DASHES.index(palette.dash(i))]
        colour = palette.paper(palette.concept(i))
        axes.add_collection3d(
            Line3DCollection(points[ends], colors=colour, linestyles=style, linewidths=1.1 if few else 0.5)
        )
    axes.scatter(*points.T, s=7 if few else 2, color="#15191f", depthshade=False)
    reach = _reach(each, moment)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
    axes.set_box_aspect((1, 1, 1), zoom=1.45)
    axes.view_init(elev=70, azim=-70)
    axes.set_axis_off()


def _told(view: View, each: Cube, moment: int) -> str:
    """When it was, and how many times larger it is drawn than the end."""
    step = int(view.steps[frames_shown(view)][moment])
    reach, last = _reach(each, moment), _reach(each, -1)
    return f"{when(view, step)}{'' if last < 2 * reach else f' (× {last / reach:.0f})'}"


def _reach(each: Cube, moment: int) -> float:
    return float(np.abs(each.frames[moment]).max()) or 1.0


def _legend(figure: Any, view: View, each: Cube) -> None:
    from linrep.page.print_style import plain

    lines = [
        _line(palette.paper(palette.concept(i)), plain(name) + ("" if len(ends) else " (no pair)"))
        for i, (name, ends) in enumerate(zip(view.names, each.edges, strict=True))
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=min(len(lines), 8), frameon=False)


def _line(colour: str, text: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, label=text)


def _moments(steps: NDArray[np.int64]) -> list[int]:
    """First and last, and between them that in the middle of the way from a random start."""
    way = steps[steps <= 0] - steps[0] if steps[0] < 0 else steps
    middle = int(np.abs(np.log(way + 1) - np.log(way[-1] + 1) * (0.45 if steps[0] < 0 else 0.6)).argmin())
    return sorted({0, middle, len(steps) - 1})


def _drawn(one: Cube) -> list[int]:
    """Concepts whose edges are drawn: all, or of many those with most edges, in their own order."""
    number = len(one.edges)
    if number <= WRITTEN_OUT:
        return list(range(number))
    return sorted(sorted(range(number), key=lambda i: -len(one.edges[i]))[:EDGES_SHOWN])


def _short_codes(each: Cube, values: Sequence[int]) -> list[str] | None:
    """Vertex texts such as ``011``, only where there is room; a concept without a value is a dash."""
    if len(each.tokens) > LABELLED:
        return None
    return [
        "".join(str(digit) if digit < size else ABSENT for digit, size in zip(code, values, strict=True))
        for code in each.codes
    ]


def _face(codes: NDArray[np.int8]) -> NDArray[np.int64]:
    """Rows of the tokens drawn: all, or those equal to the first one in as many first concepts as needed."""
    keep = np.ones(len(codes), dtype=bool)
    most = min(TOKENS_SHOWN, max(1, DIGITS_SHOWN // codes.shape[1]))
    for concept in range(codes.shape[1]):
        if keep.sum() <= most:
            break
        keep &= codes[:, concept] == codes[0, concept]
    return np.flatnonzero(keep)


def projection(
    table: NDArray[np.float64], codes: NDArray[np.int8], edges: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """A view of tokens in which the concepts' mean directions share half a turn equally.

    Args:
        table: [tokens, dim], centred.
        codes: [tokens, concepts].
        edges: For each concept, [pairs, 2]: the tokens that differ in it alone.

    Returns:
        [dim, 3] with orthonormal columns (zero ones when dim < 3).
    """
    directions: list[NDArray[np.float64]] = []
    for concept, ends in enumerate(edges):
        for state in range(1, int(codes[:, concept].max(initial=1)) + 1):
            from_first = ends[(codes[ends, concept] == (0, state)).all(axis=1)]
            on = codes[:, concept] == state
            if len(from_first):
                mean = (table[from_first[:, 1]] - table[from_first[:, 0]]).mean(axis=0)
            elif on.any() and not on.all():  # no pair: the way between the two halves
                mean = table[on].mean(axis=0) - table[~on].mean(axis=0)
            else:
                continue
            directions.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
    dim, found = table.shape[1], len(directions)
    if not found:
        return np.eye(dim, 3)
    spread = polar(np.stack(directions, axis=1))
    # From the front this is the Petrie projection of the hypercube: its directions share half a turn equally.
    angle = np.pi * np.arange(found) / found
    waves = np.stack([np.cos(angle), np.sin(angle), np.cos(3 * angle)], axis=1)[:, :found]
    front = polar(spread @ (waves / np.linalg.norm(waves, axis=0)))
    return np.pad(front, ((0, 0), (0, 3 - front.shape[1])))


def polar(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest matrix with orthonormal columns (rows, if it is wide)."""
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    return left @ right
