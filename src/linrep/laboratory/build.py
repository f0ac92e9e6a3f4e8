"""From a config to worlds: one place where the world, context and token sections become exact objects."""

import hashlib
import json
import math
from dataclasses import replace
from typing import assert_never

import torch
from jaxtyping import Int8, Int64
from torch import Tensor

from linrep.errors import InputError, counted, short
from linrep.laboratory.machine import device_for
from linrep.runs.config import Config
from linrep.runs.world_config import (
    CategoricalWorld,
    ChainWorld,
    CompleteContexts,
    CompleteTokens,
    FractionContexts,
    FractionTokens,
    IndependentWorld,
    KnownContexts,
    ListContexts,
    ListTokens,
    NetworkWorld,
    RandomWorld,
    SparseWorld,
    TablesWorld,
    WordTokens,
)
from linrep.seeds import generator
from linrep.worlds import contexts as context_sets
from linrep.worlds.categories import categorical
from linrep.worlds.codes import parse_contexts
from linrep.worlds.concepts import (
    ConceptModel,
    chain,
    drawn,
    from_tables,
    independent,
    random_dag,
    require_enumerable,
)
from linrep.worlds.contexts import World, world
from linrep.worlds.dependence import with_dependence
from linrep.worlds.frequency import shares, spoken_of
from linrep.worlds.network import load_network
from linrep.worlds.network_file import content, network_path, stem
from linrep.worlds.reduction import ancestral, indices, marginal, proposal
from linrep.worlds.sampled import sampled_world, sparse
from linrep.worlds.tokens import token_fraction, token_list
from linrep.worlds.truth import distinct
from linrep.worlds.words import Words, say, tell


def worlds(config: Config) -> tuple[World, ...]:
    """The exact world of every run; the same object where nothing in it is drawn per run.

    Args:
        config: A checked config.

    Returns:
        One world per run.

    Raises:
        InputError: Whatever cannot be built: a malformed network, an empty context set, too many concepts.

    Example:
        >>> from linrep.runs.toml import parse
        >>> built = worlds(parse({"runs": 2, "world": {"kind": "chain", "concepts": 3, "per_run": False}}))
        >>> built[0] is built[1], len(built[0].tokens)
        (True, 8)
    """
    if drawn_per_run(config):
        built = tuple(_world(config, run) for run in range(config.runs))
    else:
        built = (_world(config, 0),) * config.runs
    return _with_held_out(config, built)


def shifted(config: Config, built: tuple[World, ...]) -> tuple[World, ...]:
    """The worlds from the shift on: probabilities drawn anew, contexts and tokens as they were.

    Args:
        config: A checked config with a shift.
        built: Its worlds before.

    Returns:
        One world per run; the same object where runs share it.
    """
    assert config.shift is not None, "asked for only where there is one"
    given, strength = config.world, config.shift.strength
    assert isinstance(given, IndependentWorld | ChainWorld | RandomWorld), "the config was checked"
    found: dict[int, World] = {}
    for run, old in enumerate(built):
        if id(old) not in found:
            draw = generator(config.seed, "shift", run if given.per_run else 0)
            fresh = drawn(old.model.parents, given.probability_range, draw)
            mixed = zip(old.model.tables, fresh.tables, strict=True)
            tables = tuple((1 - strength) * before + strength * after for before, after in mixed)
            found[id(old)] = world(
                replace(old.model, tables=tables),
                codes=old.codes,
                tokens=old.tokens if old.words is None else old.words,
                weighting=config.contexts.weights,
            )
            if config.contexts.frequency_ratio != 1:
                found[id(old)] = replace(found[id(old)], weights=old.weights)
    return _with_held_out(config, tuple(found[id(old)] for old in built))


def resolve(config: Config, built: tuple[World, ...]) -> Config:
    """The config with every default that depends on the world or the machine filled in."""
    # A single token spans nothing, and still wants a vector.
    dim = config.model.dim or max(1, *(each.span for each in distinct(built)))
    threads = config.compute.threads or torch.get_num_threads()
    device = device_for(config.compute.device, _logits(config, built))
    return config.model_copy(
        update={
            "model": config.model.model_copy(update={"dim": dim}),
            "compute": config.compute.model_copy(update={"threads": threads, "device": device}),
        }
    )


def _logits(config: Config, built: tuple[World, ...]) -> float:
    """That a card's kernels would work out in all steps of all runs; 0 where they take no part."""
    training = config.training
    known = training.step_size == "auto" or config.compute.dtype == "float32"
    counted_out = training.optimizer != "sgd" or training.stream == "own"
    if training.optimizer == "newton" or config.model.encoder != "table" or not known or not counted_out:
        return 0.0
    contexts = max(len(each.codes) for each in distinct(built))
    tokens = max(len(each.tokens) for each in distinct(built))
    rows = training.batch_size if training.optimizer == "sgd" else contexts
    return float(config.runs) * training.steps * (rows or contexts) * tokens


def data_hash(config: Config) -> str | None:
    """SHA-256 of the file a config reads, unpacked, or None when it reads none."""
    if not isinstance(config.world, NetworkWorld):
        return None
    path = network_path(config.world.network)
    return hashlib.sha256(content(path, str(path))).hexdigest()


def drawn_per_run(config: Config) -> bool:
    """Whether the runs of a config differ in their worlds."""
    if config.contexts.frequency_ratio != 1:
        return True
    parts = [config.world, config.contexts, config.tokens]
    fixed = isinstance(config.world, IndependentWorld) and config.world.probabilities is not None
    # Words draw nothing but the pairs that are merged.
    if isinstance(config.tokens, WordTokens) and not config.tokens.merged:
        parts.remove(config.tokens)
    return any(getattr(part, "per_run", False) for part in (parts[1:] if fixed else parts))


def _with_held_out(config: Config, built: tuple[World, ...]) -> tuple[World, ...]:
    share = config.contexts.held_out
    if not share:
        return built
    return tuple(
        context_sets.hold_out(each, share, generator=generator(config.seed, "held_out", run))
        for run, each in enumerate(built)
    )


def _world(config: Config, run: int) -> World:
    model = concept_model(config, run)
    ratio = config.contexts.frequency_ratio
    if isinstance(config.world, SparseWorld):
        given = config.world
        if ratio != 1:
            raise InputError(
                f"contexts.frequency_ratio: weighs complete contexts, got {ratio:g} with contexts that a "
                "sparse world samples; leave it out"
            )
        return sampled_world(
            model,
            samples=given.samples,
            flips=given.flips,
            contexts=given.contexts,
            known=given.known,
            known_off=given.known_off,
            occurrence=config.contexts.weights == "occurrence",
            generator=generator(config.seed, "world", run if given.per_run else 0),
        )
    built = world(
        model,
        codes=_codes(config, model, run),
        tokens=_tokens(config, model, run),
        weighting=config.contexts.weights,
    )
    if ratio == 1:
        return built
    if built.dropped_contexts:
        raise InputError(
            f"contexts.frequency_ratio: {counted(built.dropped_contexts)} contexts cannot occur, so that no "
            "weights make concepts as rare as was asked for; use tokens and a world that exclude none"
        )
    return spoken_of(built, shares(model.concepts, ratio, generator=generator(config.seed, "frequency", run)))


def concept_model(config: Config, run: int) -> ConceptModel:
    """The concepts of one run; the joint is enumerated only where some of their dependence is taken away.

    Raises:
        InputError: A malformed network, or too many concepts.
    """
    model = _whole_model(config, run)
    return with_dependence(model, getattr(config.world, "dependence", 1.0))


def _whole_model(config: Config, run: int) -> ConceptModel:
    match config.world:
        case NetworkWorld() as given:
            return _reduced(load_network(given.network), given, stem(given.network))
        case TablesWorld() as given:
            whole = from_tables(
                [variable.name for variable in given.variables],
                {variable.name: variable.table for variable in given.variables},
                parents={variable.name: variable.parents for variable in given.variables},
                states={variable.name: variable.states for variable in given.variables},
            )
            return _reduced(whole, given, "tables")
        case SparseWorld() as given:
            return sparse(given.concepts, probability=given.probability)
        case IndependentWorld() | ChainWorld() | RandomWorld() | CategoricalWorld() as given:
            draw = generator(config.seed, "world", run if given.per_run else 0)
    low_high = given.probability_range
    match given:
        case IndependentWorld():
            return independent(
                given.concepts, probabilities=given.probabilities, probability_range=low_high, generator=draw
            )
        case ChainWorld():
            return chain(given.concepts, probability_range=low_high, generator=draw)
        case RandomWorld():
            return random_dag(
                given.concepts,
                edge_probability=given.edge_probability,
                probability_range=low_high,
                generator=draw,
            )
        case CategoricalWorld():
            return categorical(
                given.sizes,
                nests=given.nests,
                edge_probability=given.edge_probability,
                probability_range=low_high,
                generator=draw,
            )
        case _:
            assert_never(given)


def _reduced(model: ConceptModel, given: NetworkWorld | TablesWorld, name: str) -> ConceptModel:
    """What is asked of a network; of what is too large to enumerate, some variables are proposed."""
    if given.ancestors_of is not None:
        model = ancestral(model, given.ancestors_of)
    if given.keep is not None or given.merge is not None:
        model = marginal(model, given.keep, merge=given.merge)
    try:
        require_enumerable(model.sizes)
    except InputError:
        contexts = counted(math.prod(size + 1 for size in model.sizes))
        raise InputError(
            f"world: {short(name)} has {model.concepts} variables and {contexts} contexts, too many to "
            f"enumerate; keep some of them, such as world.keep = {json.dumps(proposal(model))}"
        ) from None
    return model


def _codes(config: Config, model: ConceptModel, run: int) -> Int8[Tensor, "contexts concepts"] | None:
    match config.contexts:
        case KnownContexts() as given:
            of = None if given.of is None else indices(model, given.of, "contexts.of")
            return context_sets.known(model.sizes, at_least=given.at_least, at_most=given.at_most, of=of)
        case FractionContexts() as given:
            draw = generator(config.seed, "contexts", run if given.per_run else 0)
            tokens = _tokens(config, model, run)
            if isinstance(tokens, Words):
                tokens = None
            return context_sets.fraction(model, given.fraction, tokens=tokens, generator=draw)
        case ListContexts() as given:
            return parse_contexts(model, given.contexts)
        case CompleteContexts():
            return None


def _tokens(config: Config, model: ConceptModel, run: int) -> Int64[Tensor, " tokens"] | Words | None:
    match config.tokens:
        case FractionTokens() as given:
            draw = generator(config.seed, "tokens", run if given.per_run else 0)
            return token_fraction(model, given.fraction, generator=draw)
        case ListTokens() as given:
            return token_list(model, given.tokens)
        case WordTokens(said=dict() as said):
            return say(model, said)
        case WordTokens() as given:
            return tell(
                model,
                of=given.of,
                merge=given.merge,
                merged=given.merged,
                synonyms=given.synonyms,
                generator=generator(config.seed, "tokens", run if given.per_run else 0),
            )
        case CompleteTokens():
            return None
