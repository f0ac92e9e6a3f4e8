"""N pairs of context and token for each run, drawn once from its population: all that training then sees."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from linrep.population.population import Population


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """The pairs, by position in the population's tables."""

    contexts: Int64[Tensor, "runs samples"]
    tokens: Int64[Tensor, "runs samples"]

    @classmethod
    def of(cls, population: Population, n: int, *, generators: Iterable[torch.Generator]) -> "Dataset":
        r"""Draw d from ω and y from p(y | d), n times a run.

        Args:
            population: The batch of runs.
            n: Pairs per run, N.
            generators: One a run, so that a run's pairs do not depend on how many train beside it.

        Returns:
            Independent pairs; what is likely comes more than once.

        Example:
            >>> from linrep.worlds.concepts import from_tables
            >>> from linrep.worlds.contexts import world
            >>> coin = Population.of([world(from_tables(["a"], {"a": [[0.5, 0.5]]}))])
            >>> Dataset.of(coin, 7, generators=[torch.Generator().manual_seed(0)]).tokens.shape
            torch.Size([1, 7])
        """
        drawn = [
            population.select(torch.tensor([run], device=population.device)).sample(n, generator=each)
            for run, each in zip(range(population.runs), generators, strict=True)
        ]
        contexts, tokens = (torch.cat(part) for part in zip(*drawn, strict=True))
        return cls(contexts=contexts, tokens=tokens)

    def cpu(self) -> "Dataset":
        """The same pairs in the machine's memory."""
        return Dataset(contexts=self.contexts.cpu(), tokens=self.tokens.cpu())

    def sample(
        self, n: int, *, generator: torch.Generator
    ) -> tuple[Int64[Tensor, "runs n"], Int64[Tensor, "runs n"]]:
        """Draw from the pairs, each equally often and with replacement.

        Args:
            n: Draws per run.
            generator: Draws on its own device; the result moves to the pairs'.

        Returns:
            Positions of the contexts and of the tokens in the population's tables.
        """
        runs, samples = self.contexts.shape
        place = torch.randint(samples, (runs, n), generator=generator, device=generator.device)
        place = place.to(self.contexts.device)
        return self.contexts.gather(1, place), self.tokens.gather(1, place)

    def chosen(
        self, uniform: Float64[Tensor, "numbers runs n"]
    ) -> tuple[Int64[Tensor, "runs n"], Int64[Tensor, "runs n"]]:
        """The pairs that uniform numbers in [0, 1) stand for, the first of each alone."""
        samples = self.contexts.shape[1]
        place = (uniform[0] * samples).long().clamp_max(samples - 1).to(self.contexts.device)
        return self.contexts.gather(1, place), self.tokens.gather(1, place)
