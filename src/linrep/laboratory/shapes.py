"""What only categorical and nested concepts have: a simplex of vertices, and a parent above a child.

Geometry is told here which row holds which value; a world of plain binary concepts has no shapes.
"""

from dataclasses import dataclass

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
    return torch.where(digits < torch.tensor(world.model.values, device=digits.device), digits, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeRows:
    """What the rows of both tables of a world are, looked through once."""

    world: World
    codes: dict[TableName, Integer[Tensor, "rows concepts"]]
    pairs: dict[tuple[TableName, int], geometry.Pairs]
    """Of every contrast of each concept of three or more values."""

    @classmethod
    def of(cls, world: World, device: torch.device | str = "cpu") -> "ShapeRows":
        """Made on the host, and kept where the tables lie.

        Args:
            world: Shared by the runs.
            device: Of the tables.
        """
        pairs: dict[tuple[TableName, int], geometry.Pairs] = {}
        for concept, values in enumerate(world.model.values):
            if values > 2:
                wanted = [(concept, low, high) for _, low, high in geometry.contrasts([values])]
                pairs["embedding", concept] = geometry.contrast_pairs(world.codes, wanted).to(device)
                pairs["unembedding", concept] = token_pairs(world, wanted).to(device)
        codes: dict[TableName, Tensor] = {
            "embedding": world.codes.to(device),
            "unembedding": world.token_codes.to(device),
        }
        return cls(world=world, codes=codes, pairs=pairs)


def shapes(
    of: ShapeRows,
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
        of: What the rows are.
        embedding: The f(d) of each run.
        unembedding: The g(c).
        shuffle: For the null: deals the rows of each table anew.

    Returns:
        By measure and table, runs × concepts; NaN where it does not exist. Empty without shapes.
    """
    found: dict[Key, Tensor] = {}
    if not has_shapes(of.world):
        return found
    for name, table in zip(TABLES, (embedding, unembedding), strict=True):
        if shuffle is not None:
            table = table[:, torch.randperm(table.shape[1], generator=shuffle).to(table.device)]
        if of.pairs:
            found[DEVIATION, name], found[SHARE, name] = _simplices(of, name, table)
        if of.world.model.nests:
            found[OVERLAP, name] = hierarchies(of.world, table, of.codes[name])
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
    value, overlap = known_values(codes, world), _absent(world, table)
    for parent, state, child in world.model.nests:
        cosines = geometry.child_overlap(
            table, value[:, parent], state, value[:, child], world.model.values[child]
        )
        overlap[:, child] = cosines.abs().nanmean(1)
    return overlap


def _simplices(of: ShapeRows, name: TableName, table: Tensor) -> tuple[Tensor, Tensor]:
    value = known_values(of.codes[name], of.world)
    deviation, share = _absent(of.world, table), _absent(of.world, table)
    for concept, values in enumerate(of.world.model.values):
        if values > 2:
            corners = geometry.vertices(table, value[:, concept], values)
            deviation[:, concept] = geometry.regular_deviation(corners)
            share[:, concept] = geometry.span_share(table, of.pairs[name, concept], values - 1)
    return deviation, share


def _absent(world: World, table: Tensor) -> Float64[Tensor, "runs concepts"]:
    shape = (len(table), world.model.concepts)
    return torch.full(shape, torch.nan, dtype=torch.float64, device=table.device)
