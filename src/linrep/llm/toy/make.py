"""A language model whose concepts we know: from a concept model to a trained transformer in a folder."""

import math
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from linrep.errors import InputError
from linrep.llm.toy.history import checkpoint_steps
from linrep.llm.toy.language import Language, language, named
from linrep.llm.toy.pairs import paired_contexts, rendered_pairs, word_pairs
from linrep.llm.toy.save import require_free, save
from linrep.llm.toy.tokenizer import tokenizer, word_ids
from linrep.llm.toy.train import Encoder, Progress, Snapshot, train, transformer
from linrep.runs.tidy import plain
from linrep.seeds import generator
from linrep.worlds import concepts as concept_models
from linrep.worlds.concepts import ConceptModel
from linrep.worlds.contexts import world as world_of
from linrep.worlds.frequency import shares, spoken_of

WorldKind = Literal["independent", "balanced", "chain", "random"]
FACTS = 64
STEPS, QUICK_STEPS = 1200, 480
BATCH_SIZE, QUICK_BATCH_SIZE = 64, 32
STEP_SIZE, STEP_SIZE_WIDTH = 5e-3, 64
"""The step size at that width; elsewhere by :func:`step_size_at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToySettings:
    """All that decides a toy model, but for its seed."""

    concepts: int = 5
    world: WorldKind | str = "independent"
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    tied: bool = False
    facts: int = FACTS
    steps: int = STEPS
    batch_size: int = BATCH_SIZE
    step_size: float = STEP_SIZE
    frequency_ratio: float = 1.0
    """How many times as often the commonest concept is spoken of as the rarest."""
    checkpoints: int = 0
    """How many are kept on the way."""

    def record(self) -> dict[str, object]:
        """As plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Toy:
    """A toy model in memory."""

    settings: ToySettings
    seed: int
    model: Any
    """A ``LlamaForCausalLM`` in evaluation mode."""
    tokenizer: Any
    language: Language
    encoder: Encoder
    history: tuple[tuple[int, float, float], ...]
    """(step, training loss per word, excess loss of the noun), in nats."""
    snapshots: tuple[Snapshot, ...] = ()
    """The model on its way, if that was asked for: step 0, …, the last."""
    counts: Counter[str] = field(default_factory=Counter[str])
    """How often each word of the language was read in training."""

    @property
    def excess_loss_nats(self) -> float:
        """At the end of training."""
        return self.history[-1][2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyReport:
    """What was made, and how well it predicts."""

    folder: Path
    concepts: tuple[str, ...]
    """Names, such as ``small-large``: the same in word pairs and paired contexts."""
    tokens: tuple[str, ...]
    """The noun of each token."""
    vocabulary: int
    parameters: int
    word_pairs: int
    """Of all concepts."""
    paired_contexts: int
    losses: tuple[tuple[int, float, float], ...]
    """(step, training loss per word, excess loss of the noun), in nats; NaN at step 0."""
    excess_loss_nats: float
    """Σ ω(d) KL(p(·|d) ‖ p̂(·|sentence of d)), exact in p, over four renderings of every context."""
    entropy_nats: float
    """Σ ω(d) H(p(·|d)): what no model can predict."""
    checkpoints: tuple[int, ...]
    """Steps of those kept, each in a folder `step…` of its own."""
    frequencies: tuple[float, ...]
    """The share of sentences that speak of each concept."""
    seconds: float

    def json(self) -> dict[str, Any]:
        """Everything, with null for what does not exist."""
        return plain(asdict(self) | {"folder": str(self.folder)})


def make_toy(
    out: Path | str,
    *,
    seed: int,
    concepts: int = 5,
    world: WorldKind | str = "independent",
    hidden: int = 64,
    layers: int = 2,
    heads: int = 4,
    tied: bool = False,
    facts: int = FACTS,
    steps: int | None = None,
    quick: bool = False,
    checkpoints: int = 0,
    frequency_ratio: float = 1.0,
    progress: Progress | None = None,
) -> ToyReport:
    """Train a small LLaMA-shaped transformer on a language whose world is known, and save it with its truth.

    Args:
        out: A new or empty folder. It gets the model and tokenizer in Hugging Face format, `pairs/` (word
            pairs in Park et al.'s format), `contexts.jsonl` (paired contexts), `counts.csv` (how often each
            word was read) and `world.json` (all that was planted).
        seed: Of world, language, start and text. Equal seeds give equal bits on CPU at equal thread counts.
        concepts: How many, m: 2^m nouns and 3^m contexts. Each has 2^(m-1) word pairs: with fewer than five
            concepts that is less than the ten the ruler asks for by default (``TokenPolicy.minimum_pairs``).
        world: Independent concepts, the same with both states equally likely (balanced), a Markov chain, or a
            random directed acyclic graph. Where states are not equally likely the nouns' own frequencies are
            a direction, before any concept is.
        hidden: Width of the residual stream.
        layers: Blocks.
        heads: Attention heads; twice their number divides the width.
        tied: Whether head and input table are one.
        facts: Names that have a place in the language, which has nothing to do with concepts; 0 for none.
        steps: Training steps; by default 1200, quick 480.
        quick: Fewer steps on smaller batches: linear and aligned, but further from the true probabilities.
        checkpoints: Keep so many on the way, in folders `step0`, `step32`, … up to the last, spaced evenly in
            the logarithm; each is a model of its own.
        frequency_ratio: Speak of the commonest concept so many times as often as of the rarest, of the others
            between, in an order that the seed draws; 1: of all equally often.
        progress: Called with (steps done, steps in all, excess loss in nats).

    Returns:
        The report.

    Raises:
        InputError: If the folder holds something, there are too many concepts to name, or a size is off.
        DivergedError: If the loss stops being finite.
    """
    folder = Path(out)
    require_free(folder)
    began = time.monotonic()
    settings = ToySettings(
        concepts=concepts,
        world=world,
        hidden=hidden,
        layers=layers,
        heads=heads,
        tied=tied,
        facts=facts,
        steps=(QUICK_STEPS if quick else STEPS) if steps is None else steps,
        batch_size=QUICK_BATCH_SIZE if quick else BATCH_SIZE,
        step_size=step_size_at(hidden),
        frequency_ratio=frequency_ratio,
        checkpoints=checkpoints,
    )
    toy = train_toy(settings, seed=seed, progress=progress)
    pairs = word_pairs(toy.language)
    contexts = paired_contexts(
        toy.language, rendered_pairs(toy.language, generator=generator(seed, "toy pairs"))
    )
    report = ToyReport(
        folder=folder,
        concepts=toy.language.world.model.names,
        tokens=toy.language.token_words,
        vocabulary=len(toy.tokenizer),
        parameters=sum(each.numel() for each in toy.model.parameters()),
        word_pairs=sum(map(len, pairs)),
        paired_contexts=sum(map(len, contexts)),
        losses=toy.history,
        excess_loss_nats=toy.excess_loss_nats,
        entropy_nats=toy.language.entropy_nats,
        checkpoints=tuple(each.step for each in toy.snapshots),
        frequencies=toy.language.frequencies,
        seconds=time.monotonic() - began,
    )
    save(
        folder,
        model=toy.model,
        tokenizer=toy.tokenizer,
        language=toy.language,
        pairs=pairs,
        contexts=contexts,
        record=_record(toy, report),
        counts=toy.counts,
        snapshots=toy.snapshots,
    )
    return report


def step_size_at(hidden: int) -> float:
    """Adam's step size for a width: 0.005 at 64, in proportion to 1/sqrt(width).

    With smaller steps narrow models stay long on the plateau where all nouns are alike.

    Example:
        >>> step_size_at(64), step_size_at(16)
        (0.005, 0.01)
    """
    return STEP_SIZE * (STEP_SIZE_WIDTH / max(hidden, 1)) ** 0.5


def train_toy(settings: ToySettings, *, seed: int, progress: Progress | None = None) -> Toy:
    """The model, tokenizer and language of these settings, in memory.

    Raises:
        InputError: As :func:`make_toy`.
        DivergedError: Likewise.
    """
    if settings.steps < 0 or settings.batch_size < 1:
        raise InputError(
            f"steps: expected at least 0, in batches of at least 1, got {settings.steps} and "
            f"{settings.batch_size}"
        )
    kept = checkpoint_steps(settings.checkpoints, settings.steps)
    spoken = toy_language(
        settings.concepts,
        settings.world,
        facts=settings.facts,
        frequency_ratio=settings.frequency_ratio,
        seed=seed,
    )
    reader = tokenizer(spoken)
    start, pad = reader.bos_token_id, reader.pad_token_id
    encoder = Encoder(spoken, word_ids(spoken, reader), start=start, pad=pad)
    model = transformer(
        len(reader),
        hidden=settings.hidden,
        layers=settings.layers,
        heads=settings.heads,
        tied=settings.tied,
        start=start,
        pad=pad,
        generator=generator(seed, "toy start"),
    )
    trained = train(
        model,
        encoder,
        steps=settings.steps,
        batch_size=settings.batch_size,
        step_size=settings.step_size,
        generator=generator(seed, "toy text"),
        checkpoints=kept,
        progress=progress,
    )
    return Toy(
        settings=settings,
        seed=seed,
        model=model.eval(),
        tokenizer=reader,
        language=spoken,
        encoder=encoder,
        history=trained.history,
        snapshots=trained.snapshots,
        counts=trained.counts,
    )


def toy_language(
    concepts: int, world: WorldKind | str, *, facts: int = 0, frequency_ratio: float = 1.0, seed: int
) -> Language:
    """The language of a world of that kind: complete contexts, weighted uniformly unless some are rarer.

    Raises:
        InputError: If it has too few words for the concepts, the kind is unknown, or the ratio is below 1.
    """
    drawn = world_of(named(_model(concepts, world, seed)))
    share = shares(concepts, frequency_ratio, generator=generator(seed, "toy frequency"))
    if frequency_ratio != 1:
        drawn = spoken_of(drawn, share)
    return language(drawn, facts=facts, generator=generator(seed, "toy nouns"))


def _model(concepts: int, world: WorldKind | str, seed: int) -> ConceptModel:
    draw = generator(seed, "world")
    if world == "independent":
        return concept_models.independent(concepts, generator=draw)
    if world == "balanced":
        return concept_models.independent(concepts, probabilities=[0.5] * concepts)
    if world == "chain":
        return concept_models.chain(concepts, generator=draw)
    if world == "random":
        return concept_models.random_dag(concepts, generator=draw)
    raise InputError(f"world: expected independent, balanced, chain or random, got {world!r}")


def _record(toy: Toy, report: ToyReport) -> dict[str, object]:
    """What `world.json` says besides the world; no clock time, so that equal seeds give equal folders."""
    return {
        "seed": toy.seed,
        "settings": toy.settings.record(),
        "excess_loss_nats": report.excess_loss_nats,
        "entropy_nats": report.entropy_nats,
        "losses": [
            {"step": at, "training_loss_nats": None if math.isnan(loss) else loss, "excess_loss_nats": excess}
            for at, loss, excess in report.losses
        ],
    }
