"""How a wide start came about: looks at the unembeddings before the first step of training."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

NAMES = TABLES, STEPS, UNTIL = "wide/unembedding", "wide/steps", "wide/until"


@dataclass(frozen=True, slots=True, kw_only=True)
class WideLooks:
    """Unembeddings while tables of twice the width descended, before they were cut to theirs.

    Of their 2k dimensions these are the k that the cut keeps, by the map that cut the last of them into the
    table at step 0 of training. Which k was known only then: they lean a little to what was learned later.
    """

    steps: tuple[int, ...]
    """Of that descent, 0 its random start; after ``until`` of them, none of these, training began."""
    until: int
    snapshots: Float[Tensor, "looks kept tokens dim"]
    """Centred, of as many first runs as the snapshots of training."""

    def as_tensors(self) -> dict[str, Tensor]:
        """By name, as a run folder and a checkpoint have them."""
        return {
            TABLES: self.snapshots,
            STEPS: torch.tensor(self.steps, dtype=torch.int64),
            UNTIL: torch.tensor(self.until, dtype=torch.int64),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "WideLooks | None":
        """What :meth:`as_tensors` gave, among other tensors; None where it is not, as in records of before.

        Example:
            >>> looks = WideLooks(steps=(0, 1), until=300, snapshots=torch.zeros(2, 1, 4, 2))
            >>> WideLooks.from_tensors(looks.as_tensors()).steps, WideLooks.from_tensors({})
            ((0, 1), None)
        """
        if TABLES not in tensors:
            return None
        steps = tuple(tensors[STEPS].tolist())
        return cls(steps=steps, until=int(tensors[UNTIL]), snapshots=tensors[TABLES])
