"""From contrasts to concepts: a concept of s values has s(s-1)/2 kinds of steering vectors; it is their mean.

A binary concept has one contrast, and everything here leaves it as it is.
"""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor


def over_contrasts(
    values: Float64[Tensor, "rows contrasts"], concept_of: Int64[Tensor, " contrasts"] | None
) -> Float64[Tensor, "rows concepts"]:
    """Mean over the contrasts of each concept that have a value; NaN where none has.

    Naively: ``torch.stack([values[:, concept_of == i].nanmean(1) for i in range(concepts)], 1)``.

    Args:
        values: One number per contrast; NaN marks what does not exist.
        concept_of: The concept of each contrast, every concept at least once; None = each is its own.

    Example:
        >>> values = torch.tensor([[0.5, 1.0, torch.nan]], dtype=torch.float64)
        >>> over_contrasts(values, torch.tensor([0, 1, 1]))
        tensor([[0.5000, 1.0000]], dtype=torch.float64)
    """
    if concept_of is None:
        return values
    members = _members(concept_of, values)
    present = ~values.isnan()
    return (values.nan_to_num() @ members) / (present.to(values.dtype) @ members)


def matrix_over_contrasts(
    matrix: Float64[Tensor, "rows contrasts contrasts"],
    concept_of: Int64[Tensor, " contrasts"] | None,
    *,
    squared: bool = False,
) -> Float64[Tensor, "rows concepts concepts"]:
    """Mean over every two contrasts of two concepts; on the diagonal, of each contrast with itself.

    Two contrasts of one concept share a value, so what they say of each other is no property of the concept.

    Args:
        matrix: Contrast × contrast; NaN marks what does not exist.
        concept_of: As for :func:`over_contrasts`.
        squared: Root of the mean square instead of the mean.
    """
    if concept_of is None:
        return matrix
    members = _members(concept_of, matrix)
    same = concept_of[:, None] == concept_of
    same.fill_diagonal_(False)
    known = matrix.masked_fill(same, torch.nan)
    known = known.square() if squared else known
    total = members.mT @ known.nan_to_num() @ members
    mean = total / (members.mT @ (~known.isnan()).to(matrix.dtype) @ members)
    return mean.sqrt() if squared else mean


def _members(concept_of: Int64[Tensor, " contrasts"], like: Tensor) -> Float64[Tensor, "contrasts concepts"]:
    return torch.nn.functional.one_hot(concept_of).to(like)
