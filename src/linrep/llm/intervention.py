"""Intervention: add a concept's direction to the state and watch which log-odds move.

At the head the direction is the state that represents the concept's mean unembedding direction under the
inner product (M ḡ), so that concepts orthogonal under it should not move; at a layer it is the mean
difference of paired contexts.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.llm.blocks import blocks
from linrep.llm.forward import HEAD, batch_states
from linrep.llm.head_law import HeadLaw, head_law
from linrep.llm.in_context import context_pairs, single_token_pairs
from linrep.llm.inner import InnerName, InnerProduct, inner_product
from linrep.llm.inputs import ContextsInput, PairsInput, as_contexts, as_pairs
from linrep.llm.loading import LanguageModel
from linrep.llm.measurement import Model, open_model
from linrep.llm.self_check import by_hand
from linrep.llm.source import LoadOptions
from linrep.llm.states import encode_context, read_states
from linrep.llm.tokens import TokenPolicy, tokenise_pairs
from linrep.llm.weights import model_table
from linrep.progress import counted
from linrep.runs.drawing import drawing
from linrep.runs.tidy import save
from linrep.seeds import generator

if TYPE_CHECKING:
    import pandas as pd

STRENGTHS = (-4.0, -2.0, 0.0, 2.0, 4.0)
SHOWN = 5
"""Likeliest next tokens kept for each prompt and strength."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteerRow:
    """The log-odds of one concept's word pairs after one push on one prompt."""

    prompt: str
    strength: float
    concept: str
    target: bool
    log_odds: float
    """Mean over the pairs, nats, towards the high words."""
    shift: float
    """What the push changed, nats."""
    pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SteerResult:
    """An intervention: its table, the likeliest next tokens, and a summary fit for JSON."""

    rows: tuple[SteerRow, ...]
    tokens: dict[str, dict[float, tuple[str, ...]]]
    """Prompt to strength to the likeliest next tokens, likeliest first."""
    summary: dict[str, Any]

    @property
    def table(self) -> "pd.DataFrame":
        """One row for each prompt × strength × concept."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows])

    def json(self) -> dict[str, Any]:
        """Summary, rows and tokens."""
        tokens = {prompt: {str(a): list(t) for a, t in by.items()} for prompt, by in self.tokens.items()}
        return {**self.summary, "rows": [asdict(row) for row in self.rows], "tokens": tokens}

    def save(self, folder: Path | str) -> Path:
        """Write `result.json`, `table.csv` and `table.parquet`; returns the folder."""
        return save(folder, self.json(), self.table)

    def plot(self) -> Any:
        """Shift against strength, target and off-target concepts, as a plotly figure."""
        return drawing("push plot")(self)


def steer(
    model: Model,
    concept: str,
    prompts: Sequence[str],
    *,
    seed: int,
    strengths: Sequence[float] = STRENGTHS,
    pairs: PairsInput = "builtin",
    contexts: ContextsInput = None,
    layer: int | None = None,
    inner: InnerName = "causal",
    policy: TokenPolicy | None = None,
    load: LoadOptions | None = None,
) -> SteerResult:
    """Push the last state of each prompt along a concept, and read the log-odds of every concept's word
    pairs.

    Naively: `logits(state + alpha * direction) - logits(state)`.

    Args:
        model: As for :func:`linrep.llm.measure`; it needs a head.
        concept: Which concept to push.
        prompts: Texts whose next word is watched.
        seed: Splits the concept's pairs: the direction comes from one half, its log-odds are read on the
            other.
        strengths: At the head in nats of the model's own logits, whatever scale it puts on them (1 moves the
            first half's mean log-odds by 1; before a soft-cap, if it has one: the result says what that lets
            through); at a layer in mean context differences.
        pairs: Word pairs of the concept and of those to watch.
        contexts: Paired contexts of the concept, for a push at a layer.
        layer: None pushes what the head reads, after the final norm; l pushes the residual stream after l
            blocks.
        inner: Inner product that says which state represents the direction, at the head.
        policy: How words become tokens.
        load: What passes through to the library.

    Returns:
        The intervention; shifts are against strength 0, which is always read.

    Raises:
        InputError: If the model has no head, the concept is unknown, or a layer is pushed without contexts.
    """
    lm = open_model(model, load)
    if lm.kind == "encoder":
        raise InputError(f"model {lm.name}: expected a model with a head to steer, got an encoder")
    table = model_table(lm)
    tokens = tokenise_pairs(lm.tokenizer, as_pairs(pairs), usable=table.usable, policy=policy)
    if concept not in tokens.concepts:
        raise InputError(f"concept: expected one of {', '.join(tokens.concepts)}, got {concept}")
    ids = {name: single_token_pairs(tokens, i) for i, name in enumerate(tokens.concepts)}
    order = torch.randperm(len(ids[concept]), generator=generator(seed, "split"))
    if len(order) < 4:
        raise InputError(
            f"concept: {concept} keeps {len(order)} single-token pairs, expected at least 4 to split"
        )
    half = len(order) // 2
    train, ids[concept] = ids[concept][order[:half]], ids[concept][order[half:]]
    if layer is None:
        gauge = inner_product(inner, table.vectors, table.usable, generator=generator(seed, "inner"))
        push = head_push(table.vectors, train, gauge)
    else:
        push = layer_push(lm, concept, contexts, layer)
    law, logits = read_law(lm, prompts)
    if layer is None:
        push = push / law.scale
    rows, shown = _intervene(lm, prompts, sorted({0.0, *strengths}), push, layer, ids, concept)
    effect = _effect(rows)
    summary = {
        "model": lm.name,
        "revision": lm.revision,
        "concept": concept,
        "seed": seed,
        "where": HEAD if layer is None else f"layer {layer}, last token, before the final norm",
        **(_unit_inside(law) if layer is not None else _unit(law, logits, table.vectors, ids[concept], push)),
        "inner": inner if layer is None else None,
        "direction_pairs": len(train),
        "held_out_pairs": len(ids[concept]),
        "notes": [*lm.notes, *(_said(law) if layer is None else [])],
        **effect,
    }
    return SteerResult(rows=tuple(rows), tokens=shown, summary=summary)


def head_push(
    table: Float[Tensor, "vocabulary dim"], pairs: Int64[Tensor, "pairs two"], inner: InnerProduct
) -> Float64[Tensor, " dim"]:
    """What to add to the state so that log-odds of the concept's pairs rise by 1 nat, along its mean
    direction.

    Its length is set by pairs left out of the direction one at a time: on its own pairs a direction looks
    better than it is.
    """
    pairs = pairs.to(table.device)
    difference = table[pairs[:, 1]].to("cpu", torch.float64) - table[pairs[:, 0]].to("cpu", torch.float64)
    vectors = inner.unembedding(difference)
    unit = torch.nn.functional.normalize(vectors, dim=1)
    others = (unit.sum(0) - unit) / (len(unit) - 1)
    gain = float((vectors * others).sum(1).mean())
    if not gain > 0:
        raise InputError(
            f"concept: its pairs have no common direction to push along (mean log-odds gain {gain:.3g})"
        )
    return inner.to_states(unit.mean(0, keepdim=True))[0] / gain


def layer_push(
    lm: LanguageModel, concept: str, contexts: ContextsInput, layer: int
) -> Float64[Tensor, " dim"]:
    """The mean difference of the concept's paired contexts in the residual stream after that many blocks."""
    records = [record for record in as_contexts(contexts) if record.concept == concept]
    if not records:
        raise InputError(f"contexts: expected paired contexts of {concept} to push a layer, got none")
    depth = len(blocks(lm.model))
    if not 0 <= layer <= depth:
        raise InputError(f"layer: expected 0..{depth}, got {layer}")
    paired = context_pairs(records)
    states = read_states(lm, paired.texts, layers=[layer]).at(layer).to(torch.float64)
    return (states[paired.pairs.high] - states[paired.pairs.low]).mean(0)


def read_law(
    lm: LanguageModel, prompts: Sequence[str]
) -> tuple[HeadLaw, Float64[Tensor, "prompts vocabulary"]]:
    """How the model's logits follow from f·g at these prompts, and the logits."""
    head = lm.model.get_output_embeddings()
    read = [torch.tensor([encode_context(lm, text)], device=lm.device) for text in prompts]
    pairs = [batch_states(lm, ids, torch.ones_like(ids)) for ids in read]
    plain = by_hand(head, torch.cat([found[HEAD] for found, _ in pairs]))
    logits = torch.cat([each for _, each in pairs if each is not None]).to("cpu", torch.float64)
    logits = logits[:, : plain.shape[1]]
    return head_law(plain, logits, config=lm.model.config, dtype=head.weight.dtype), logits


def _unit_inside(law: HeadLaw) -> dict[str, Any]:
    return {"unit": "mean context differences", "head": law.record()}


def _said(law: HeadLaw) -> list[str]:
    """What the head does to a push, where it is not nothing."""
    if law.soft_cap is not None:
        return [
            f"a strength is in nats before the head's soft-cap at {law.soft_cap:g}, which lets less through"
        ]
    if not law.explained:
        return [
            f"the model's logits are not a known function of f·g (they differ by up to {law.error:.3g}): a "
            "strength is in nats of f·g"
        ]
    return [] if law.scale == 1 else [f"the head's scale of {law.scale:g} is taken into account"]


def _unit(
    law: HeadLaw,
    logits: Float64[Tensor, "prompts vocabulary"],
    table: Float[Tensor, "vocabulary dim"],
    pairs: Int64[Tensor, "pairs two"],
    push: Float64[Tensor, " dim"],
) -> dict[str, Any]:
    """What a strength of 1 is, and what the head does to it."""
    head = law.record()
    if law.soft_cap is not None:
        rise = law.scale * (table[pairs.to(table.device)].to("cpu", torch.float64) @ push)
        rises = rise * law.slope(logits[:, pairs]) / law.scale
        low, high = rises.unbind(2)
        passed = float((high - low).mean() / (rise[:, 1] - rise[:, 0]).mean())
        return {"unit": f"nats before the soft-cap at {law.soft_cap:g}", "head": head | {"passes": passed}}
    if not law.explained:
        return {"unit": "nats of f·g, which the head changes in a way that was not found", "head": head}
    return {"unit": "nats", "head": head}


def _intervene(
    lm: LanguageModel,
    prompts: Sequence[str],
    strengths: Sequence[float],
    push: Float64[Tensor, " dim"],
    layer: int | None,
    pairs: dict[str, Int64[Tensor, "pairs two"]],
    concept: str,
) -> tuple[list[SteerRow], dict[str, dict[float, tuple[str, ...]]]]:
    rows = [torch.tensor([encode_context(lm, text)], device=lm.device) for text in prompts]
    logits: dict[float, Tensor] = {}
    for strength in counted(strengths, "pushes"):

        def edit(state: Tensor, strength: float = strength) -> Tensor:
            return state + (strength * push).to(state)

        # At 0 nothing is edited, so that the reference is the model itself.
        head = edit if layer is None and strength else None
        inside = {} if layer is None or not strength else {layer: edit}
        found = [
            batch_states(lm, ids, torch.ones_like(ids), head_edit=head, layer_edits=inside)[1] for ids in rows
        ]
        logits[strength] = torch.cat([each for each in found if each is not None]).to("cpu", torch.float64)
    made: list[SteerRow] = []
    for strength in strengths:
        for name, both in pairs.items():
            if not len(both):
                continue
            now, before = (_log_odds(logits[a], both) for a in (strength, 0.0))
            made += [
                SteerRow(
                    prompt=prompt,
                    strength=strength,
                    concept=name,
                    target=name == concept,
                    log_odds=float(now[i]),
                    shift=float(now[i] - before[i]),
                    pairs=len(both),
                )
                for i, prompt in enumerate(prompts)
            ]
    return made, {
        prompt: {a: _likeliest(lm, x[i]) for a, x in logits.items()} for i, prompt in enumerate(prompts)
    }


def _log_odds(
    logits: Float64[Tensor, "prompts vocabulary"], pairs: Int64[Tensor, "pairs two"]
) -> Float64[Tensor, " prompts"]:
    return (logits[:, pairs[:, 1]] - logits[:, pairs[:, 0]]).mean(1)


def _likeliest(lm: LanguageModel, logits: Tensor) -> tuple[str, ...]:
    best = logits.topk(min(SHOWN, len(logits))).indices.tolist()
    return tuple(lm.tokenizer.decode([token]) for token in best)


def _effect(rows: Sequence[SteerRow]) -> dict[str, float | None]:
    """Mean shift per unit of strength: of the target, and in size of the others, and their ratio."""
    slopes = {True: list[float](), False: list[float]()}
    for row in rows:
        if row.strength:
            slopes[row.target].append(row.shift / row.strength)
    target = sum(slopes[True]) / max(len(slopes[True]), 1)
    others = [abs(slope) for slope in slopes[False]]
    other = sum(others) / len(others) if others else None
    return {
        "target_shift_per_unit": target,
        "other_shift_per_unit": other,
        "other_to_target": None if other is None or target == 0 else other / abs(target),
    }
