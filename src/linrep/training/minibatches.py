"""Sampled steps, of minibatches drawn in one of two ways.

From one stream for all runs, whose state is kept (:class:`Shared`): what a run draws depends on how many runs
train beside it. Or each run from a stream of its own that is counted out by step (:class:`Own`): it depends
on the run's key and the step alone, and tables on the CPU are then moved by a compiled loop
(:mod:`linrep.training.compiled`), those of small runs on a card by a kernel
(:mod:`linrep.training.on_card`). Both take the same step; which it is, a config says.
"""

import importlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from linrep.population.empirical import EmpiricalPopulation
from linrep.population.gradient import Population
from linrep.population.philox import uniforms
from linrep.population.sampled import SampledPopulation
from linrep.training.dataset import Dataset
from linrep.training.encoder import Table
from linrep.training.on_card import MOST_PAIRS, CardSamples, one_program_a_run
from linrep.training.schedule import Schedule
from linrep.training.state import State

CHUNK = 256
"""Steps of a shared stream drawn at once."""
WORTH_A_THREAD = 2**20
"""Logits that each of several threads has to take on."""

Batch = tuple[Int[Tensor, "runs batch"], Int[Tensor, "runs batch"]]


Source = Population | Dataset
"""What pairs are drawn from."""


class Shared:
    """Minibatches of all runs from one stream, a chunk of steps at a time.

    The state keeps the generator as it was before the chunk, so that a resumed run draws it again.

    Args:
        population: The batch of runs.
        state: Moved in place.
        source: Of pairs.
        batch_size: Pairs of a step.
    """

    def __init__(self, population: Population, state: State, source: Source, batch_size: int) -> None:
        self.population, self.state, self.source, self.batch_size = population, state, source, batch_size
        self.batches: list[Batch] = []
        self.chunk = -1

    def advance(self, first: int, last: int, schedule: Schedule) -> None:
        """Take steps ``first`` to ``last``, which lies in the chunk of ``first`` or begins the next."""
        if self.chunk != first // CHUNK:
            self.chunk = first // CHUNK
            drawn = self.source.sample(CHUNK * self.batch_size, generator=self.state.order)
            contexts, tokens = (each.split(self.batch_size, 1) for each in drawn)
            self.batches = list(zip(contexts, tokens, strict=True))
        for step in range(first, last):
            sgd_step(self.population, self.state, schedule(step), self.batches[step % CHUNK])


class Own:
    """Minibatches of each run from its own stream; compiled where it trains tables on the CPU, or on a card.

    Naively: ``sgd_step(population, state, schedule(step), source.chosen(uniforms(keys, step, ...)))``.

    Args:
        population: The batch of runs, of one process.
        state: Moved in place; its tables are laid out by rows first.
        source: Of pairs.
        batch_size: Pairs of a step.
        keys: 64 bits a run.
        compiled: False: as PyTorch takes the step, to the same within rounding.
    """

    def __init__(
        self,
        population: Population,
        state: State,
        source: Source,
        batch_size: int,
        keys: Sequence[int],
        *,
        compiled: bool = True,
    ) -> None:
        self.population, self.state, self.source = population, state, source
        self.batch_size, self.keys = batch_size, keys
        self.loop = _loop(population, source) if compiled else None
        self.on_card = self._for_card() if compiled else None
        self.moves_tables = self.loop is not None and type(state.encoder) is Table
        if self.moves_tables:
            state.parameters = [each.contiguous() for each in state.parameters]
            state.unembedding = state.unembedding.contiguous()

    def advance(self, first: int, last: int, schedule: Schedule) -> None:
        """Take steps ``first`` to ``last``; the loop leaves runs that have ended as they are."""
        if self.loop is not None and self.moves_tables:
            self._compiled_steps(self.loop, first, [schedule(step) for step in range(first, last)])
            return
        if self.on_card is not None:
            self.on_card.advance(first, last, schedule)
            return
        for step in range(first, last):
            sgd_step(self.population, self.state, schedule(step), self.pairs(step))

    def pairs(self, step: int) -> Batch:
        """The minibatch of a step: contexts and tokens of every run."""
        if self.loop is not None:
            drawn = torch.empty(2, self.population.runs, self.batch_size, dtype=torch.int64)
            self.loop.pairs(self._keys, self._tables, np.uint64(step), drawn[0].numpy(), drawn[1].numpy())
            return drawn[0], drawn[1]
        return self.source.chosen(uniforms(self.keys, step, self.batch_size, self.population.numbers))

    def _for_card(self) -> CardSamples | None:
        """What takes whole steps on a card, where it knows what is drawn and runs are small."""
        population, state = self.population, self.state
        known = not _strange(population, self.source) and self.batch_size <= MOST_PAIRS
        if not known or not one_program_a_run(population, state):
            return None
        dataset = self.source if isinstance(self.source, Dataset) else None
        tables = Tables.of(population.to(device="cpu"), None if dataset is None else dataset.cpu())
        return CardSamples(population, state, tables, self.keys, self.batch_size)

    def _compiled_steps(self, loop: ModuleType, first: int, sizes: Sequence[float]) -> None:
        state, runs = self.state, self.population.runs
        f, g = state.parameters[0].numpy(), state.unembedding.numpy()
        moving = (state.ended_at < 0).numpy()
        scales = np.array([-size / self.batch_size for size in sizes]).astype(f.dtype)

        def share(begin: int, end: int) -> None:
            loop.steps(
                f,
                g,
                self._tokens,
                moving,
                self._keys,
                self._tables,
                scales,
                np.uint64(first),
                self.batch_size,
                begin,
                end,
            )

        logits = int(moving.sum()) * len(sizes) * self.batch_size * g.shape[1]
        in_threads(share, runs, max(1, min(torch.get_num_threads(), runs, logits // WORTH_A_THREAD)))

    @cached_property
    def _keys(self) -> NDArray[np.uint64]:
        return np.array(self.keys, np.uint64)

    @cached_property
    def _tokens(self) -> NDArray[np.int64]:
        """How many tokens each run has; padding comes after them."""
        mask = self.population.token_mask
        shape = self.population.token_index.shape
        return (torch.full(shape[:1], shape[1]) if mask is None else mask.sum(1)).numpy()

    @cached_property
    def _tables(self) -> "Tables":
        return Tables.of(self.population, self.source if isinstance(self.source, Dataset) else None)


class Tables(NamedTuple):
    """What the compiled loop draws from; a table that all runs share has one row."""

    cumulative: NDArray[np.float64]
    """Running sum of ω."""
    guide: NDArray[np.int32]
    """Of as many equal parts of the total as there are contexts: to which one each part's beginning falls."""
    flat: NDArray[np.int64]
    """Flat index of each context."""
    codes: NDArray[np.int8]
    """Digits of each context, concepts first."""
    sizes: NDArray[np.int64]
    strides: NDArray[np.int64]
    """Between the digits of a flat index."""
    mass: NDArray[np.float64]
    """Z of every context of the cube."""
    position: NDArray[np.int64]
    """Row of each token, by its index in the joint."""
    contexts: NDArray[np.int64]
    """Of sampled pairs; none where pairs come from the population."""
    tokens: NDArray[np.int64]

    @classmethod
    def of(cls, population: Population, dataset: Dataset | None) -> "Tables":
        """Of a population, or of pairs drawn from it."""
        sampler, sizes = population.sampler, torch.tensor(population.sizes)
        strides = torch.cat([(sizes + 1).flip(0).cumprod(0).flip(0)[1:], torch.ones(1, dtype=torch.int64)])
        index = _own(sampler.context_index)
        cumulative = sampler.cumulative[:1] if population.weights.stride(0) == 0 else sampler.cumulative
        total, parts = cumulative[:, -1:], cumulative.shape[1]
        begins = torch.arange(parts, dtype=torch.float64) / parts * total
        none = torch.zeros(population.runs, 0, dtype=torch.int64)
        pairs = (none, none) if dataset is None else (dataset.contexts, dataset.tokens)
        tables = (
            cumulative,
            torch.searchsorted(cumulative.contiguous(), begins, right=True).clamp_max(parts - 1).int(),
            index,
            torch.stack([_digit(index, at, size) for at, size in zip(strides, sizes, strict=True)], 1),
            sizes,
            strides,
            sampler.mass,
            sampler.token_position[:1] if _one_for_all(population) else sampler.token_position,
            *pairs,
        )
        return cls(*(each.contiguous().numpy() for each in tables))


def sgd_step(population: Population, state: State, step_size: float, batch: Batch) -> None:
    """One step on sampled pairs: softmax minus one-hot, for the sampled embeddings alone.

    Args:
        population: The batch of runs.
        state: Moved in place.
        step_size: Of this step.
        batch: Contexts and tokens of every run.
    """
    contexts, tokens = batch
    sampled, descend = state.encoder.sampled(state.parameters, contexts)
    logits = sampled @ state.unembedding.mT
    if population.token_mask is not None:
        logits.masked_fill_(~population.token_mask[:, None, :], -torch.inf)
    residual = torch.softmax(logits, dim=-1)
    residual.scatter_add_(2, tokens[..., None], residual.new_full((), -1.0).expand(*tokens.shape, 1))
    scale = -step_size / contexts.shape[1]
    slope = residual @ state.unembedding
    state.unembedding.baddbmm_(residual.mT, sampled, alpha=scale)
    descend(slope, scale)


def in_threads(share: Callable[[int, int], None], number: int, threads: int) -> None:
    """Do all of a number of things, each thread some that follow one another.

    Args:
        share: Does those from a first to before a last.
        number: Of things.
        threads: At most as many, this one among them.
    """
    edges = [number * part // threads for part in range(threads + 1)]
    if threads == 1:
        share(*edges)
        return
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(share, *edges[part : part + 2]) for part in range(1, threads)]
        share(*edges[:2])
        for each in others:
            each.result()


def _loop(population: Population, source: Source) -> ModuleType | None:
    """The compiled loop, where it knows what is drawn."""
    if population.device.type != "cpu" or _strange(population, source):
        return None
    try:
        return importlib.import_module("linrep.training.compiled")
    except ImportError:
        return None


def _strange(population: Population, source: Source) -> bool:
    """Whether pairs are drawn otherwise than concept by concept from a table of one process's own."""
    alone = population.shard.team.ranks == 1 and population.shard.cube.leading == 0
    other = isinstance(source, EmpiricalPopulation) or isinstance(population, SampledPopulation)
    return not alone or other or population.meanings is not None


def _digit(index: Tensor, stride: Tensor, size: Tensor) -> Tensor:
    return (index // stride % (size + 1)).to(torch.int8)


def _own(index: Tensor) -> Tensor:
    """Without the rows that are the first again."""
    return index[:1] if index.stride(0) == 0 else index


def _one_for_all(population: Population) -> bool:
    return population.token_index.stride(0) == 0 and population.token_mask is None
