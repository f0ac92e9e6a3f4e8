"""How far the mean steering directions have turned since a step."""

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep import geometry
from linrep.geometry.record import TABLES
from linrep.laboratory.ruler import BatchRuler
from linrep.linalg import normalise
from linrep.runs.trace import Series
from linrep.training.state import State

MEASURE = "turn_degrees"


def directions(ruler: BatchRuler, state: State) -> Float64[Tensor, "runs tables concepts dim"]:
    """Each concept's mean of unit steering vectors, of embedding and unembedding, as trained.

    In the host's memory.
    """
    pairs = (ruler.embedding_pairs, ruler.unembedding_pairs)
    found = [
        geometry.steering_moments(table.flatten(0, 1), own, second=False).direction.unflatten(
            0, (len(table), -1)
        )
        for table, own in zip(ruler.as_trained(state), pairs, strict=True)
    ]
    return torch.stack(found, 1).cpu()


def turns(
    seen: Float64[Tensor, "steps runs tables concepts dim"], steps: Sequence[int], since: int
) -> dict[Series, Float64[Tensor, "steps runs concepts"]]:
    r"""Angles between each concept's direction and its own at a step, over the steps from there on.

    Naively: ``degrees(arccos(cosine(seen[step], seen[since])))``.

    Args:
        seen: Directions at every step of ``steps``.
        steps: Ascending.
        since: One of ``steps``.

    Returns:
        Degrees in [0, 180] by table; NaN before ``since`` and where there is no direction. With several
        runs, the null is the angle to the direction of another run, trained apart: what directions that have
        nothing to do with each other give.

    Example:
        >>> plane = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]], dtype=torch.float64)
        >>> seen = plane[:, None, None, None].expand(3, 1, 2, 1, 2)
        >>> turns(seen, [0, 5, 9], 5)[Series("turn_degrees", "embedding")].flatten()
        tensor([nan,  0., 45.], dtype=torch.float64)
    """
    start = steps.index(since)
    origin = seen[start]
    kinds = {"value": origin} | ({"null": origin.roll(1, 0)} if len(origin) > 1 else {})
    found: dict[Series, Tensor] = {}
    for kind, reference in kinds.items():
        angle = _degrees(seen, reference)
        angle[:start] = torch.nan
        for place, table in enumerate(TABLES):
            found[Series(MEASURE, table, kind)] = angle[:, :, place]
    return found


def _degrees(x: Tensor, y: Tensor) -> Tensor:
    """Exactly 0 for equal directions, where the arc cosine would show rounding; NaN where there is none."""
    x, y = torch.broadcast_tensors(normalise(x), normalise(y))
    angle = 2 * torch.atan2((x - y).norm(dim=-1), (x + y).norm(dim=-1))
    absent = (x == 0).all(-1) | (y == 0).all(-1)
    return angle.rad2deg().masked_fill(absent, torch.nan)
