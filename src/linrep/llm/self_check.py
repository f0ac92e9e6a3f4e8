"""Does the model compute its logits as the theory writes them, f·g? What it adds (bias, scale, soft-cap) is
found by running the head again by hand, and said (R5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from linrep.llm.forward import HEAD, batch_states
from linrep.llm.loading import LanguageModel
from linrep.llm.states import encode_context, pad

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""Relative to the largest logit, by the head's precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """How the model's logits relate to head(state)."""

    contexts: int
    bias: bool
    scale: float
    """What the head's output is multiplied by."""
    soft_cap: float | None
    """c in c·tanh(logit/c); None when there is none."""
    max_error: float
    """Largest |logit − what bias, scale and soft-cap explain|."""
    explained: bool
    log_odds_gap_nats: float
    """Largest |the model's log-odds − f·Δg| over the contexts and pairs looked at."""
    warnings: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """For the result's JSON."""
        return {name: getattr(self, name) for name in self.__slots__} | {"warnings": list(self.warnings)}


def self_check(
    lm: LanguageModel,
    texts: Sequence[str],
    *,
    low: Int64[Tensor, " pairs"],
    high: Int64[Tensor, " pairs"],
) -> SelfCheck | None:
    """Compare the model's logits with its head applied to the state by hand.

    Naively: `assert torch.allclose(logits, state @ W.T)`, which fails on bias, logit scale and soft-cap
        without saying which.

    Args:
        lm: The model.
        texts: A few contexts.
        low: Token ids of pairs' low words.
        high: Token ids of their high words.

    Returns:
        What explains the logits; None for a model without a head.
    """
    if lm.kind == "encoder":
        return None
    head = lm.model.get_output_embeddings()
    ids, mask = pad([encode_context(lm, text) for text in texts], lm.tokenizer.pad_token_id or 0)
    found, logits = batch_states(lm, ids.to(lm.device), mask.to(lm.device))
    assert logits is not None
    tolerance = TOLERANCE.get(head.weight.dtype, 5e-2)
    state, weight = found[HEAD].to("cpu", torch.float64), head.weight.detach().to("cpu", torch.float64)
    bias = getattr(head, "bias", None)
    bare = state @ weight.mT
    plain = bare if bias is None else bare + bias.detach().to("cpu", torch.float64)
    logits = logits.to("cpu", torch.float64)[:, : plain.shape[1]]
    scale, soft_cap, error = _explain(plain, logits, lm.model.config)
    explained = error <= tolerance * max(1.0, float(logits.abs().max()))
    gap = (logits[:, high] - logits[:, low]) - (bare[:, high] - bare[:, low])
    largest = float(gap.abs().max()) if gap.numel() else 0.0
    has_bias = bias is not None and bool((bias != 0).any())
    causes = [
        *(["a bias"] if has_bias else []),
        *([f"a logit scale of {scale:g}"] if scale != 1 else []),
        *([f"a soft-cap at {soft_cap:g}"] if soft_cap is not None else []),
    ]
    warnings: list[str] = []
    if not explained:
        warnings.append(
            f"logits differ from head(state) by up to {error:.3g}, unexplained by bias, scale or soft-cap"
        )
    if largest > tolerance * max(1.0, float(logits.abs().max())):
        warnings.append(
            f"log-odds are not f·Δg (by up to {largest:.3g} nats) because of "
            + (" and ".join(causes) or "the model")
        )
    return SelfCheck(
        contexts=len(texts),
        bias=has_bias,
        scale=scale,
        soft_cap=soft_cap,
        max_error=error,
        explained=explained,
        log_odds_gap_nats=largest,
        warnings=tuple(warnings),
    )


def _explain(
    plain: Float[Tensor, "contexts vocabulary"], logits: Float[Tensor, "contexts vocabulary"], config: Any
) -> tuple[float, float | None, float]:
    """The scale and soft-cap, among those the configuration names, that come nearest, and how near."""
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    scales = [1.0]
    for name, power in (("logit_scale", 1), ("logits_scaling", -1), ("output_multiplier_scale", 1)):
        value = getattr(config, name, None)
        if isinstance(value, (int, float)) and value not in (0, 1):
            scales.append(float(value) ** power)
    caps: list[float | None] = [None]
    cap = getattr(config, "final_logit_softcapping", None)
    if cap:
        caps.append(float(cap))
    options = [(scale, cap, _error(plain * scale, cap, logits)) for scale in scales for cap in caps]
    return min(options, key=lambda option: option[2])


def _error(scaled: Tensor, cap: float | None, logits: Tensor) -> float:
    return float(((scaled if cap is None else cap * torch.tanh(scaled / cap)) - logits).abs().max())
