"""What only categorical and nested concepts have: a simplex of vertices, and a parent above a child.

Geometry is told here which row holds which value; a world of plain binary concepts has no shapes.
"""

import torch
from jaxtyping import Float, Float64, Int64, Integer
from torch import Tensor

from linrep import geometry
from linrep.geometry.record import TABLES, TableName
from linrep.laboratory.token_pairs import token_pairs
from linrep.worlds.contexts import World

DEVIATION, SHARE, OVERLAP = "simplex_deviation_degrees", "simplex_share", "hierarchy_overlap"
Key = tuple[str, TableName]
"""(measure, table)"""


def has_shapes(world: World) -> bool:
    """Whether any concept has more than two values or is nested in another."""
    return bool(world.model.nests) or max(world.model.values) > 2


def known_values(codes: Tensor, world: World) -> Int64[Tensor, "rows concepts"]:
    """The value of every concept in each row; -1 where it is unknown or has none."""
    digits = codes.long()
    return torch.where(digits < torch.tensor(world.model.values), digits, -1)


def shapes(
    world: World,
    embedding: Float[Tensor, "runs contexts dim"],
    unembedding: Float[Tensor, "runs tokens dim"],
    *,
    shuffle: torch.Generator | None = None,
) -> dict[Key, Tensor]:
    """Every shape of both tables of a batch of runs.

    - simplex_deviation_degrees: of the angles between the vertices of a concept of three or more values from
      those of the regular simplex.
    - simplex_share: how much of its steering vectors' energy lies in one dimension less than it has values.
    - hierarchy_overlap: mean |cosine| of the parent's direction with child minus parent, over the values of a
      nested concept; it stands under the child.

    Args:
        world: Whose contexts and tokens the rows are, shared by the runs.
        embedding: The f(d) of each run.
        unembedding: The g(c).
        shuffle: For the null: deals the rows of each table anew.

    Returns:
        By measure and table, runs × concepts; NaN where it does not exist. Empty without shapes.
    """
    found: dict[Key, Tensor] = {}
    if not has_shapes(world):
        return found
    sides = ((embedding, world.codes), (unembedding, world.token_codes))
    for name, (table, codes) in zip(TABLES, sides, strict=True):
        if shuffle is not None:
            table = table[:, torch.randperm(table.shape[1], generator=shuffle)]
        if max(world.model.values) > 2:
            found[DEVIATION, name], found[SHARE, name] = _simplices(world, name, table, codes)
        if world.model.nests:
            found[OVERLAP, name] = hierarchies(world, table, codes)
    return found


def hierarchies(
    world: World, table: Float[Tensor, "runs rows dim"], codes: Integer[Tensor, "rows concepts"]
) -> Float64[Tensor, "runs concepts"]:
    """Mean |cosine| of the parent's direction with child minus parent; NaN for concepts without a parent.

    Args:
        world: Which concepts are nested, and where.
        table: Representations, for each run.
        codes: What its rows are.
    """
    value = known_values(codes, world)
    overlap = torch.full((len(table), world.model.concepts), torch.nan, dtype=torch.float64)
    for parent, state, child in world.model.nests:
        cosines = geometry.child_overlap(
            table, value[:, parent], state, value[:, child], world.model.values[child]
        )
        overlap[:, child] = cosines.abs().nanmean(1)
    return overlap


def _simplices(world: World, name: TableName, table: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    value = known_values(codes, world)
    deviation = torch.full((len(table), world.model.concepts), torch.nan, dtype=torch.float64)
    share = deviation.clone()
    for concept, values in enumerate(world.model.values):
        if values > 2:
            corners = geometry.vertices(table, value[:, concept], values)
            deviation[:, concept] = geometry.regular_deviation(corners)
            wanted = [(concept, low, high) for _, low, high in geometry.contrasts([values])]
            pairs = (
                token_pairs(world, wanted)
                if name == "unembedding"
                else geometry.contrast_pairs(codes, wanted)
            )
            share[:, concept] = geometry.span_share(table, pairs, values - 1)
    return deviation, share
