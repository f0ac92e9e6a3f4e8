r"""The ridge path of every run's world, and the norm at which a run is held against it.

Each point of it is where Newton came to rest under a ridge: tables that no others of their norm and
width, near them, undercut. Norms are compared in the balanced gauge, in which every run can be read:
:math:`\|F\|^2 + \|G\|^2 = 2 \|FG^\top\|_*` with G centred, the least of all tables with these logits.
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.paper.paired import stacked
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row
from linrep.theory.gauge import balanced_gauge

WAY, PATH = "way", "ridge path"
"""The axis, and how the labels of those cells begin that are points of the path."""
NORM, G = "balanced_norm", "unembedding"


def path_points(part: Numbers) -> tuple[Float64[Tensor, "cells runs"], Float64[Tensor, "cells runs"]]:
    """Norm and linearity of g of every point, by run.

    Args:
        part: Cells of one world along the axis "way".
    """
    points = [cell for way, cell in part.each(WAY) if way.startswith(PATH)]
    return stacked(points, NORM), stacked(points, "linearity", G)


def norm_rows(result: Result) -> Iterator[Row]:
    """Each run's norm at the end of training, in the balanced gauge."""
    for run, world in enumerate(result.worlds):
        f = result.embedding[run, : len(world.codes)].double()
        g = result.unembedding[run, : len(world.tokens)].double()
        if bool(f.isfinite().all() and g.isfinite().all()):
            norm = math.sqrt(2 * float(balanced_gauge(f, g).singular_values.sum()))
            yield result.snapshot_steps[-1], run, NORM, "", "value", norm


def along(
    places: Float64[Tensor, "cells runs"],
    values: Float64[Tensor, "cells runs"],
    at: Float64[Tensor, " others"],
) -> Float64[Tensor, " others"]:
    """What each run's own path has at a place, linear between its points; NaN beyond their ends.

    Args:
        places: Of each run's points, in any order; NaN where there is none.
        values: At each.
        at: Where each run's path is asked for.

    Example:
        >>> places, values = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [0.0]])
        >>> along(places.double(), values.double(), torch.tensor([0.5]).double()).tolist()
        [0.75]
    """
    import numpy as np

    runs = min(places.shape[1], len(at))
    found = torch.full((len(at),), math.nan, dtype=torch.float64)
    for run in range(runs):
        there = ~(places[:, run].isnan() | values[:, run].isnan())
        order = places[there, run].argsort()
        x, y = places[there, run][order].numpy(), values[there, run][order].numpy()
        if len(x) and not bool(at[run].isnan()):
            found[run] = float(np.interp(float(at[run]), x, y, left=math.nan, right=math.nan))
    return found
