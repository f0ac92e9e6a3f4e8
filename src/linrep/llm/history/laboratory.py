"""The laboratory's own curve: tables trained on a world whose concepts are known, at their own steps.

Beside a toy model it is that model's world; beside any other, a small world of independent concepts, spoken
of as unevenly as the model's where counts say how unevenly that is. The tables are as wide as there are
concepts, trained by the paper's sampled descent, and their unembeddings are measured by the ruler for word
pairs. Steps of tables and of a language model are not comparable; the order of concepts and the shape of a
rise are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from linrep.geometry import counterfactual_pairs
from linrep.llm.history.emerged import Look
from linrep.llm.inner import euclid
from linrep.llm.tokens import TokenPairs
from linrep.llm.toy.history import checkpoint_steps
from linrep.llm.toy.tables import falling_rate, small_tables
from linrep.llm.weights import VocabularyTable
from linrep.llm.words import linearity_rows, word_geometry
from linrep.population.gradient import Population, population_gradient
from linrep.progress import stage
from linrep.training.training import train
from linrep.worlds.concepts import independent
from linrep.worlds.contexts import World
from linrep.worlds.contexts import world as world_of
from linrep.worlds.frequency import spoken_of

CONCEPTS = 5
"""Of a world that stands for one we do not know."""
STEPS, LOOKS, FIRST = 10_000, 16, 8
COMMONEST = 2 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHistory:
    """Tables on their way."""

    world: str
    """In words: whose it is."""
    concepts: tuple[str, ...]
    shares: tuple[float, ...]
    """The share of contexts, by weight, that know each concept."""
    dim: int
    looks: tuple[Look, ...]
    """Rows of unembeddings; steps are the tables' own."""
    excess_loss_nats: tuple[float, ...]
    """At each look."""


def matching_world(counts: Sequence[float]) -> World:
    """A world for concepts that occur so often; equally often where no counts are given.

    Its concepts are independent, their states equally likely; the commonest is known in two of three
    contexts, and the others are as much rarer as quantiles of the counts are.

    Example:
        >>> world = matching_world([10.0, 20.0, 40.0, 80.0, 160.0])
        >>> sizes = torch.tensor(world.model.sizes)
        >>> [round(each, 3) for each in (world.weights @ (world.codes < sizes).double()).tolist()]
        [0.042, 0.083, 0.167, 0.333, 0.667]
    """
    world = world_of(independent(CONCEPTS, probabilities=[0.5] * CONCEPTS))
    if not counts:
        return world
    seen = torch.tensor(list(counts), dtype=torch.float64).log()
    at = torch.linspace(0, 1, CONCEPTS, dtype=torch.float64)
    return spoken_of(world, (COMMONEST * (seen.quantile(at) - seen.max()).exp()).tolist())


def table_history(
    world: World, words: str, *, seed: int, draws: int, steps: int = STEPS, looks: int = LOOKS
) -> TableHistory:
    """Train tables on a world and measure their unembeddings on the way.

    Args:
        world: Of concepts with two states.
        words: Whose world it is.
        seed: Of start, samples and nulls.
        draws: Of each null.
        steps: SGD steps, of 100 pairs each.
        looks: How often they are measured, at step 0, then evenly in the logarithm.
    """
    population, dim = Population.of([world]), world.model.concepts
    state = small_tables(population, dim, seed=seed)
    stops = checkpoint_steps(looks, steps, first=FIRST)
    rate = falling_rate(steps)
    found: list[Look] = []
    excess: list[float] = []

    def look(step: int) -> None:
        found.append(_look(world, state.unembedding[0], step, seed=seed, draws=draws))
        loss = population_gradient(population, state.embedding, state.unembedding).excess_loss
        excess.append(float(loss[0]))

    look(0)
    with stage("tables beside it") as advance:
        for _ in train(population, state, optimizer="sgd", schedule=rate, steps=steps, stops=stops):
            advance(state.step, steps)
            if state.step in stops:
                look(state.step)
    sizes = torch.tensor(world.model.sizes)
    return TableHistory(
        world=words,
        concepts=world.model.names,
        shares=tuple((world.weights @ (world.codes < sizes).to(torch.float64)).tolist()),
        dim=dim,
        looks=tuple(found),
        excess_loss_nats=tuple(excess),
    )


def _look(world: World, table: Tensor, step: int, *, seed: int, draws: int) -> Look:
    tokens = world.token_labels()
    pairs = counterfactual_pairs(world.token_codes)
    words = TokenPairs(
        concepts=world.model.names,
        words=tokens,
        word_tokens=tuple((i,) for i in range(len(tokens))),
        low=pairs.low,
        high=pairs.high,
        group=pairs.group,
        dropped=(),
        dropped_concepts=(),
        leading_space="none",
        multi_token="drop",
    )
    read = VocabularyTable(
        vectors=table.detach().clone(),
        usable=torch.ones(len(tokens), dtype=torch.bool),
        table="output",
        tensor="unembedding",
        tied=False,
        padded=0,
        special=0,
        source="model",
        bytes_read=0,
    )
    geometry = word_geometry(read, words, euclid(), seed=seed, draws=draws)
    return Look(name=f"step{step}", step=step, tokens=None, rows=tuple(linearity_rows(geometry)))
