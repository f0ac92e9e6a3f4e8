"""Does the model compute its logits as the theory writes them, f·g? What it adds (bias, scale, soft-cap) is
found by running the head again by hand, and said (R5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from linrep.llm.forward import HEAD, batch_states
from linrep.llm.head_law import TOLERANCE, head_law
from linrep.llm.loading import LanguageModel
from linrep.llm.states import encode_context, pad


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
    bias = getattr(head, "bias", None)
    plain = by_hand(head, found[HEAD])
    bare = plain if bias is None else plain - bias.detach().to("cpu", torch.float64)
    logits = logits.to("cpu", torch.float64)[:, : plain.shape[1]]
    law = head_law(plain, logits, config=lm.model.config, dtype=head.weight.dtype)
    gap = (logits[:, high] - logits[:, low]) - (bare[:, high] - bare[:, low])
    largest = float(gap.abs().max()) if gap.numel() else 0.0
    has_bias = law.bias or (bias is not None and bool((bias != 0).any()))
    causes = [*(["a bias"] if has_bias else []), *law.words()]
    warnings: list[str] = []
    if not law.explained:
        warnings.append(
            f"logits differ from head(state) by up to {law.error:.3g}, unexplained by bias, scale or soft-cap"
        )
    if largest > tolerance * max(1.0, float(logits.abs().max())):
        warnings.append(
            f"log-odds are not f·Δg (by up to {largest:.3g} nats) because of "
            + (" and ".join(causes) or "the model")
        )
    return SelfCheck(
        contexts=len(texts),
        bias=has_bias,
        scale=law.scale,
        soft_cap=law.soft_cap,
        max_error=law.error,
        explained=law.explained,
        log_odds_gap_nats=largest,
        warnings=tuple(warnings),
    )


def by_hand(head: Any, states: Float[Tensor, "contexts dim"]) -> Float64[Tensor, "contexts vocabulary"]:
    """f·g plus the bias that the head's module holds."""
    weight, bias = head.weight.detach().to("cpu", torch.float64), getattr(head, "bias", None)
    plain = states.to("cpu", torch.float64) @ weight.mT
    return plain if bias is None else plain + bias.detach().to("cpu", torch.float64)
