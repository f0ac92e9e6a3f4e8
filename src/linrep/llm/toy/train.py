"""A small LLaMA-shaped transformer, trained on fresh sentences by plain next-token prediction."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from linrep.errors import DivergedError, InputError
from linrep.llm.toy.language import STOP, Language
from linrep.population.gradient import Population
from linrep.training.schedule import schedule
from linrep.worlds.contexts import conditional

CHUNK = 64
"""Steps whose sentences are rendered at once."""
WARM_UP = 50
"""Steps over which the step size rises."""
INPUT_SCALE, HEAD_SCALE, TIED_SCALE = 0.3, 0.02, 0.1
"""Standard deviations of input table and head; those of the blocks keep variance. At the library's 0.02
throughout, so narrow a model stays on its first plateau three times as long."""
UNTOLD = -100
"""The label of a position that is not predicted: padding."""
PANEL = 4
"""Renderings of every context that the excess loss is read on."""

Progress = Callable[[int, int, float], None]
"""Called with (steps done, steps in all, excess loss last read, in nats)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Sentences as token ids, right-padded, each up to and including its noun and full stop."""

    ids: Int64[Tensor, "sentences length"]
    noun: Int64[Tensor, " sentences"]
    """Where each sentence's noun stands."""
    length: Int64[Tensor, " sentences"]
    words: tuple[tuple[str, ...], ...]
    """The same before they were cut into tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A model on its way."""

    step: int
    weights: dict[str, Tensor]
    """As ``state_dict`` has them, copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What training leaves besides the model."""

    history: tuple[tuple[int, float, float], ...]
    """(step, training loss per word, excess loss of the noun), in nats, at every look from step 0."""
    snapshots: tuple[Snapshot, ...]
    counts: Counter[str]
    """How often each word was read, over all steps."""


class Encoder:
    """From words of the language to token ids: the tokenizer's ids, without its round trip."""

    def __init__(self, language: Language, ids: dict[str, tuple[int, ...]], *, start: int, pad: int) -> None:
        self.language, self.ids, self.start, self.pad = language, ids, start, pad
        self.nouns: Int64[Tensor, " tokens"] = torch.tensor([ids[word][0] for word in language.token_words])

    def context(self, words: tuple[str, ...]) -> list[int]:
        """The ids of a sentence up to its noun."""
        return [self.start, *(i for word in words for i in self.ids[word])]

    def text(self, sentences: list[tuple[str, ...]], tokens: Int64[Tensor, " sentences"]) -> Text:
        """Sentences completed by the nouns of these tokens."""
        rows = [self.context(words) for words in sentences]
        noun = torch.tensor([len(row) for row in rows])
        width, stop = int(noun.max()) + 2, self.ids[STOP][0]
        chosen = tokens.tolist()
        nouns = self.nouns[tokens].tolist()
        ids = [
            [*row, last, stop, *[self.pad] * (width - len(row) - 2)]
            for row, last in zip(rows, nouns, strict=True)
        ]
        completed = (
            (*words, self.language.token_words[token], STOP)
            for words, token in zip(sentences, chosen, strict=True)
        )
        return Text(ids=torch.tensor(ids), noun=noun, length=noun + 2, words=tuple(completed))


def transformer(
    vocabulary: int,
    *,
    hidden: int,
    layers: int,
    heads: int,
    tied: bool,
    start: int,
    pad: int,
    generator: torch.Generator,
) -> Any:
    """A ``LlamaForCausalLM`` with normal weights and norms at 1.

    Args:
        vocabulary: Number of token ids.
        hidden: Width of the residual stream, divisible by twice the heads.
        layers: Blocks.
        heads: Attention heads.
        tied: Whether the head is the input table.
        start: Id of the start token.
        pad: Id of the padding token.
        generator: Draws the weights; the library's own draw, which uses the global state, is undone.

    Raises:
        InputError: If a size is not positive or the heads do not divide the width.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    if min(hidden, layers, heads) < 1:
        raise InputError(
            f"sizes: hidden, layers and heads must be positive, got {hidden}, {layers} and {heads}"
        )
    if hidden % (2 * heads):
        raise InputError(
            f"hidden: expected a multiple of 2 x heads = {2 * heads}, got {hidden}; "
            "choose such a width, or other heads"
        )
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=8 * round(hidden / 3) or 8,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=128,
        tie_word_embeddings=tied,
        bos_token_id=start,
        eos_token_id=None,
        pad_token_id=pad,
        use_cache=False,
    )
    with torch.random.fork_rng(devices=[]):
        model = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, parameter.shape[1] ** -0.5, generator=generator)
            else:
                parameter.fill_(1.0)
        # Tied, they are one tensor: drawn twice, the second draw stays.
        scales = (TIED_SCALE, TIED_SCALE) if tied else (INPUT_SCALE, HEAD_SCALE)
        tables: tuple[Any, ...] = (model.get_input_embeddings(), model.get_output_embeddings())
        for table, scale in zip(tables, scales, strict=True):
            table.weight.normal_(0.0, scale, generator=generator)
    return model


def train(
    model: Any,
    encoder: Encoder,
    *,
    steps: int,
    batch_size: int,
    step_size: float,
    generator: torch.Generator,
    looks: int = 10,
    checkpoints: Sequence[int] = (),
    progress: Progress | None = None,
) -> Training:
    """Adam on fresh sentences: contexts drawn by their weight, tokens by p(token | context).

    Args:
        model: What :func:`transformer` made; changed in place.
        encoder: The language in ids.
        steps: Number of steps.
        batch_size: Sentences a step.
        step_size: The largest step size, reached after a warm-up; it falls to a hundredth by a cosine.
        generator: Draws sentences.
        looks: How often the excess loss is read.
        checkpoints: Steps after which the weights are copied, among 0 to `steps`.
        progress: Called at every look.

    Returns:
        Losses, checkpoints and the words that were read.

    Raises:
        DivergedError: If the loss stops being finite, naming the step.
    """
    rate = schedule("cosine", step_size, steps, step_size / 100)
    optimiser = torch.optim.AdamW(model.parameters(), lr=step_size, betas=(0.9, 0.98), weight_decay=0.1)
    panel = Panel(encoder, generator=generator)
    every = max(steps // max(looks, 1), 1)
    history = [(0, float("nan"), panel.excess(model))]
    kept = frozenset(checkpoints)
    snapshots = [_snapshot(model, 0)] if 0 in kept else []
    counts = Counter[str]()
    texts: list[Text] = []
    for step in range(steps):
        if step % CHUNK == 0:
            texts = _texts(encoder, min(CHUNK, steps - step), batch_size, generator)
        text = texts[step % CHUNK]
        loss = _loss(model, text)
        if not bool(torch.isfinite(loss)):
            raise DivergedError(
                f"training left the finite numbers at step {step}; lower the step size {step_size}"
            )
        for group in optimiser.param_groups:
            group["lr"] = rate(step) * min(1.0, (step + 1) / WARM_UP)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        counts.update(word for words in text.words for word in words)
        if step + 1 in kept:
            snapshots.append(_snapshot(model, step + 1))
        if (step + 1) % every == 0 or step + 1 == steps:
            history.append((step + 1, float(loss.detach()), panel.excess(model)))
            if progress is not None:
                progress(step + 1, steps, history[-1][2])
    return Training(history=tuple(history), snapshots=tuple(snapshots), counts=counts)


def _snapshot(model: Any, step: int) -> Snapshot:
    return Snapshot(step=step, weights={name: each.clone() for name, each in model.state_dict().items()})


class Panel:
    """A fixed set of sentences, a few of every context, to read the excess loss on."""

    def __init__(self, encoder: Encoder, *, generator: torch.Generator, renderings: int = PANEL) -> None:
        world = encoder.language.world
        sentences = encoder.language.sentences(
            world.codes.repeat_interleave(renderings, 0), generator=generator
        )
        self.text = encoder.text(sentences, torch.zeros(len(sentences), dtype=torch.int64))
        self.target = conditional(world).repeat_interleave(renderings, 0)
        self.weights = (world.weights / renderings).repeat_interleave(renderings)
        self.entropy = encoder.language.entropy_nats
        self.nouns = encoder.nouns

    def excess(self, model: Any) -> float:
        """Σ ω(d) KL(p(·|d) ‖ p̂(·|sentence of d)) in nats, over the whole vocabulary."""
        logits = head_states(model, self.text).logits.to(torch.float64)
        surprise = -(self.target * logits.log_softmax(-1)[:, self.nouns]).sum(1)
        return float(self.weights @ surprise) - self.entropy


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadStates:
    """What the head reads just before each noun, and what it says."""

    states: Float64[Tensor, "sentences dim"]
    logits: Float64[Tensor, "sentences vocabulary"]


def head_states(model: Any, text: Text, batch_size: int = 256) -> HeadStates:
    """States after the final norm at the position before each noun."""
    states: list[Tensor] = []
    logits: list[Tensor] = []
    with torch.no_grad():
        for ids, noun in zip(text.ids.split(batch_size), text.noun.split(batch_size), strict=True):
            # Right padding is never seen: attention is causal.
            hidden = model.model(input_ids=ids[:, : int(noun.max())]).last_hidden_state
            state = hidden[torch.arange(len(ids)), noun - 1]
            states.append(state.to(torch.float64))
            logits.append(model.get_output_embeddings()(state).to(torch.float64))
    return HeadStates(states=torch.cat(states), logits=torch.cat(logits))


def _texts(encoder: Encoder, steps: int, batch_size: int, generator: torch.Generator) -> list[Text]:
    """Fresh batches for some steps."""
    world = encoder.language.world
    contexts, tokens = Population.of([world]).sample(steps * batch_size, generator=generator)
    sentences = encoder.language.sentences(world.codes[contexts[0]], generator=generator)
    return [
        encoder.text(sentences[start : start + batch_size], tokens[0, start : start + batch_size])
        for start in range(0, len(sentences), batch_size)
    ]


def _loss(model: Any, text: Text) -> Tensor:
    """Mean next-token loss over every word of the sentences."""
    logits = model(input_ids=text.ids[:, :-1]).logits
    labels = text.ids[:, 1:].clone()
    labels[torch.arange(1, text.ids.shape[1]) >= text.length[:, None]] = UNTOLD
    return nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=UNTOLD)
