"""Stretches of training between which the world changes."""

from dataclasses import dataclass

import torch

from linrep.laboratory.build import shifted
from linrep.laboratory.gauge import keeps_gauge
from linrep.laboratory.held_out import HeldOut
from linrep.laboratory.ruler import BatchRuler
from linrep.population.empirical import EmpiricalPopulation
from linrep.population.gradient import Population
from linrep.population.sharding import ALONE, Team
from linrep.runs.config import Config
from linrep.seeds import generator
from linrep.training.dataset import Dataset
from linrep.worlds.contexts import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stretch of training in one world per run."""

    until: int
    """Its last step; what is measured there still belongs to it."""
    worlds: tuple[World, ...]
    population: Population
    dataset: Dataset | None
    """Where training knows sampled pairs alone: these, drawn from the population."""
    trained_on: Population
    """What full-batch steps descend on: the population, or the frequencies of the sampled pairs."""
    ruler: BatchRuler | None
    """On rank 0, which measures for all."""
    apart: HeldOut | None
    """Where contexts are held out: these and those of training, measured apart."""


def stages_of(config: Config, built: tuple[World, ...], team: Team = ALONE) -> list[Stage]:
    """All of training, or the part before a shift, if there is one, and the part after it.

    Args:
        config: Resolved.
        built: Its worlds, as training begins.
        team: The processes their contexts are shared over.
    """
    parts = [(config.training.steps, built)]
    if config.shift is not None:
        before = [(config.shift.step, built)] if config.shift.step else []
        parts = [*before, (config.training.steps, shifted(config, built))]
    dtype, device = getattr(torch, config.compute.dtype), torch.device(config.compute.device)
    found: list[Stage] = []
    for until, worlds in parts:
        population = Population.of(worlds, dtype=dtype, device=device, team=team)
        ruler = apart = None
        if team.rank == 0:
            # Where the tables lie, but where those of several processes are put together.
            there = device if team.ranks == 1 else "cpu"
            turns = not keeps_gauge(config)
            ruler = BatchRuler(
                worlds, seed=config.seed, settings=config.measure, balanced=turns, device=there
            )
            apart = HeldOut(worlds, config, device=there) if config.contexts.held_out else None
        dataset = _dataset(config, population)
        found.append(
            Stage(
                until=until,
                worlds=worlds,
                population=population,
                dataset=dataset,
                trained_on=_trained_on(config, population, dataset),
                ruler=ruler,
                apart=apart,
            )
        )
    return found


def _dataset(config: Config, population: Population) -> Dataset | None:
    samples = config.training.samples
    if samples is None:
        return None
    draws = [generator(config.seed, "samples", run) for run in range(config.runs)]
    return Dataset.of(population, samples, generators=draws)


def _trained_on(config: Config, population: Population, dataset: Dataset | None) -> Population:
    if dataset is None or config.training.optimizer == "sgd":
        return population
    return EmpiricalPopulation.of_pairs(population, dataset.contexts, dataset.tokens)
