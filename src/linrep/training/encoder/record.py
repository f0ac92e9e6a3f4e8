"""What an encoder is: named parameters with a leading run axis, and the two ways training asks for them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from linrep.training.normals import Normals

PullBack = Callable[[Tensor], list[Tensor]]
"""From the gradient with respect to the embedding to that with respect to the parameters."""
Descend = Callable[[Tensor, float], None]
"""Moves the parameters in place: by a factor times the pull-back of a gradient of the sampled embeddings."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One parameter of one run."""

    shape: tuple[int, ...]
    scale: float
    """Standard deviation of its normal start."""


class Encoder(ABC):
    """A map from contexts to embeddings: one architecture for all runs, each with numbers of its own."""

    shapes: dict[str, Shape]
    """The parameters by name, in the order in which they are kept."""

    @property
    def numbers(self) -> int:
        """How many numbers of its draw one run's start takes."""
        return sum(math.prod(each.shape) for each in self.shapes.values())

    def start(self, draws: Sequence[Normals], dtype: torch.dtype) -> list[Tensor]:
        """Parameters at the start, from the next ``numbers`` of each run's draw."""
        parameters = [torch.empty(len(draws), *each.shape, dtype=dtype) for each in self.shapes.values()]
        for run, draw in enumerate(draws):
            for parameter, each in zip(parameters, self.shapes.values(), strict=True):
                draw.fill(parameter[run], each.scale)
        return parameters

    @abstractmethod
    def embed(self, parameters: list[Tensor]) -> Float[Tensor, "runs contexts dim"]:
        """The embedding of every context."""

    @abstractmethod
    def exact(self, parameters: list[Tensor]) -> tuple[Float[Tensor, "runs contexts dim"], PullBack]:
        """The embedding of every context, and how its gradient reaches the parameters."""

    @abstractmethod
    def sampled(
        self, parameters: list[Tensor], rows: Int64[Tensor, "runs batch"]
    ) -> tuple[Float[Tensor, "runs batch dim"], Descend]:
        """The embedding of some contexts of each run, and a step along their gradient."""
