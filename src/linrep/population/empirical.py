r"""The population that a sample of pairs stands for: its frequencies in the place of :math:`\omega` and p.

Descent on it is descent on the loss of the sample, exact and full-batch, so that it can come to rest. In the
same form any distribution can be learned, such as another model's.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.population.population import Population
from linrep.population.rows import moved

LARGEST = 2**28
"""Most bytes that the frequencies of all runs may take, float64."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EmpiricalPopulation(Population):
    r"""A population whose conditionals are counted, not computed: contexts × tokens numbers a run are kept.

    A context that the sample has not has weight 0. The joint, contexts and tokens are those of the true one.

    Example:
        >>> import linrep
        >>> true = linrep.Population.of([linrep.world(linrep.load_network("cancer"))])
        >>> pairs = torch.tensor([[0, 0, 5]]), torch.tensor([[1, 2, 4]])
        >>> sample = EmpiricalPopulation.of_pairs(true, *pairs)
        >>> sample.weights[0, [0, 1, 5]].tolist(), sample.conditional[0, 0, [0, 1, 2]].tolist()
        ([0.6666666666666666, 0.0, 0.3333333333333333], [0.0, 0.5, 0.5])
    """

    frequencies: Float64[Tensor, "runs contexts tokens"]
    """Share of each token among the pairs of a context; of no meaning where its weight is 0."""

    @classmethod
    def of_pairs(
        cls,
        population: Population,
        contexts: Int64[Tensor, "runs samples"],
        tokens: Int64[Tensor, "runs samples"],
    ) -> "EmpiricalPopulation":
        """Count pairs.

        Args:
            population: The true one, whose contexts and tokens the pairs are of; of one process.
            contexts: Of every pair, by position in the population's table.
            tokens: Likewise.

        Raises:
            InputError: If the frequencies would take too much room, with their size.
        """
        runs, rows, columns = _room(population)
        counts = torch.zeros(runs, rows * columns, dtype=torch.float64, device=population.device)
        counts.scatter_add_(1, contexts * columns + tokens, torch.ones_like(contexts, dtype=torch.float64))
        counts = counts.view(runs, rows, columns)
        seen = counts.sum(-1)
        counts[:, :, 0] += seen == 0  # some distribution, so that its divergence is finite
        frequencies = counts / counts.sum(-1, keepdim=True)
        return cls._of_frequencies(population, frequencies, seen / seen.sum(-1, keepdim=True))

    @classmethod
    def of_conditionals(
        cls, population: Population, conditionals: Float64[Tensor, "runs contexts tokens"]
    ) -> "EmpiricalPopulation":
        """Another distribution in the place of the true one, such as that of a model: weights stay.

        Args:
            population: The true one, of one process and without padded tokens.
            conditionals: Of each token in each context; rows sum to 1.

        Raises:
            InputError: If there is no number for each context and token, or they would take too much room.

        Example:
            >>> import linrep
            >>> true = linrep.Population.of([linrep.world(linrep.load_network("cancer"))])
            >>> even = torch.full((1, 243, 32), 1 / 32, dtype=torch.float64)
            >>> f, g = torch.zeros(1, 243, 2).double(), torch.zeros(1, 32, 2).double()
            >>> learned = EmpiricalPopulation.of_conditionals(true, even)
            >>> linrep.population_gradient(learned, f, g).excess_loss.abs().lt(1e-12).tolist()
            [True]
        """
        expected = _room(population)
        if conditionals.shape != expected:
            raise InputError(
                f"conditionals: expected (runs, contexts, tokens) = {expected}, got "
                f"{tuple(conditionals.shape)}; use this population's"
            )
        return cls._of_frequencies(population, conditionals, population.weights)

    @classmethod
    def _of_frequencies(
        cls, population: Population, frequencies: Tensor, weights: Tensor
    ) -> "EmpiricalPopulation":
        kept: dict[str, Any] = {name: getattr(population, name) for name in Population.__dataclass_fields__}
        kept["weights"] = weights
        kept["entropy"] = -torch.xlogy(frequencies, frequencies).sum(-1)
        return cls(**kept, frequencies=frequencies)

    def to(
        self, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None
    ) -> "EmpiricalPopulation":
        """As of any population."""
        found = super().to(dtype=dtype, device=device)
        assert isinstance(found, EmpiricalPopulation)
        return replace(found, frequencies=moved(self.frequencies, found.device))

    def _of(self, runs: Tensor) -> dict[str, Any]:
        return super()._of(runs) | {"frequencies": self.frequencies[runs]}

    def conditional_rows(self, start: int, stop: int) -> Float[Tensor, "runs rows tokens"]:
        """The frequencies of contexts ``start`` to ``stop``, float64."""
        return self.frequencies[:, start:stop]

    def conditional_mean(self, table: Float[Tensor, "runs tokens dim"]) -> Float[Tensor, "runs contexts dim"]:
        """Mean of a token table under the frequencies."""
        return self.frequencies.to(table.dtype) @ table

    def conditional_mean_transpose(
        self, table: Float[Tensor, "runs contexts dim"]
    ) -> Float[Tensor, "runs tokens dim"]:
        """Weighted sum of a context table per token."""
        return self.frequencies.mT.to(table.dtype) @ (self.weights.unsqueeze(-1).to(table.dtype) * table)

    def sample(
        self, n: int, *, generator: torch.Generator
    ) -> tuple[Int64[Tensor, "runs n"], Int64[Tensor, "runs n"]]:
        """Pairs of the sample, each as often as it comes in it, with replacement."""
        runs, _, columns = self.frequencies.shape
        pairs = (self.weights.unsqueeze(-1) * self.frequencies).view(runs, -1).cpu()
        place = torch.multinomial(pairs, n, replacement=True, generator=generator).to(self.device)
        return place // columns, place % columns

    def chosen(
        self, uniform: Float64[Tensor, "numbers runs n"]
    ) -> tuple[Int64[Tensor, "runs n"], Int64[Tensor, "runs n"]]:
        """The pairs that uniform numbers stand for, the first of each alone."""
        runs, _, columns = self.frequencies.shape
        mass = (self.weights.unsqueeze(-1) * self.frequencies).view(runs, -1).cumsum(-1)
        asked = uniform[0].to(self.device) * mass[:, -1:]
        place = torch.searchsorted(mass, asked, right=True).clamp_max(mass.shape[1] - 1)
        return place // columns, place % columns


def _room(population: Population) -> tuple[int, int, int]:
    """Runs, contexts and tokens whose frequencies are kept, if there is room."""
    (runs, rows), columns = population.weights.shape, population.token_index.shape[1]
    if (size := 8 * runs * rows * columns) > LARGEST:
        raise InputError(
            f"samples: full-batch steps keep {rows:,} × {columns:,} frequencies for each of {runs:,} "
            f"runs, {size:,} bytes, expected at most {LARGEST:,}; use optimizer 'sgd', or fewer runs"
        )
    return runs, rows, columns
