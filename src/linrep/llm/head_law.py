r"""What a model's head does to :math:`f \cdot g`: a bias, a scale and a soft-cap,
:math:`\mathrm{logit} = c \tanh(s (f \cdot g + b) / c)`.

It is found from the numbers, by comparing logits with the head applied to the state by hand, under whatever
name the configuration keeps it; the configuration is asked only for the exact value.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""Relative to the largest logit, by the head's precision."""
FEWEST = 3
"""Contexts that tell a bias of the tokens from what the state says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadLaw:
    """How logits follow from f·g plus the bias that the head itself holds."""

    scale: float
    """What they are multiplied by."""
    soft_cap: float | None
    """c in c·tanh(logit/c); None when there is none."""
    bias: bool
    """Whether a bias that the head's module does not hold is added for each token."""
    error: float
    """Largest |logit − what this explains|."""
    explained: bool

    def slope(self, logits: Float[Tensor, " ..."]) -> Float[Tensor, " ..."]:
        """The derivative of the logits by f·g, where they stand."""
        if self.soft_cap is None:
            return torch.full_like(logits, self.scale)
        return self.scale * (1 - (logits / self.soft_cap).clamp(-1, 1) ** 2)

    def record(self) -> dict[str, Any]:
        """For the result's JSON."""
        return {"scale": self.scale, "soft_cap": self.soft_cap, "explained": self.explained}

    def words(self) -> list[str]:
        """What is there, in words."""
        return [
            *([f"a logit scale of {self.scale:g}"] if self.scale != 1 else []),
            *([f"a soft-cap at {self.soft_cap:g}"] if self.soft_cap is not None else []),
        ]


def head_law(
    plain: Float[Tensor, "contexts vocabulary"],
    logits: Float[Tensor, "contexts vocabulary"],
    *,
    config: Any = None,
    dtype: torch.dtype = torch.float32,
) -> HeadLaw:
    """The simplest law that explains the logits: none, a scale, a soft-cap, a bias.

    Naively: `config.final_logit_softcapping`, which some call `logits_soft_cap`, and others hide in code.

    Args:
        plain: f·g plus the head's own bias, float64.
        logits: The model's own, float64.
        config: Where exact values stand among others.
        dtype: The head's precision.

    Returns:
        The law; `explained` is False where none of them holds.

    Example:
        >>> plain = torch.linspace(-3, 3, 50, dtype=torch.float64).view(2, 25)
        >>> law = head_law(plain, 2 * torch.tanh(0.5 * plain / 2))
        >>> round(law.scale, 3), round(law.soft_cap, 3), law.explained
        (0.5, 2.0, True)
    """
    tolerance = TOLERANCE.get(dtype, 5e-2) * max(1.0, float(logits.abs().max()))
    named = sorted(_numbers(config))
    best = HeadLaw(scale=1.0, soft_cap=None, bias=False, error=_error(plain, logits), explained=False)
    for scale, cap in _candidates(plain, logits, named):
        error = _error(_capped(scale * plain, cap), logits)
        # In half precision many laws are within tolerance: one must be clearly nearer than a simpler one.
        if error < best.error / 2 and best.error > tolerance / 50:
            best = HeadLaw(scale=scale, soft_cap=cap, bias=False, error=error, explained=False)
    if best.error > tolerance and len(plain) >= FEWEST:
        scale, bias = _with_bias(plain, logits)
        error = _error(scale * plain + bias, logits)
        if error < best.error / 2:
            best = HeadLaw(scale=scale, soft_cap=None, bias=True, error=error, explained=False)
    return HeadLaw(
        scale=best.scale,
        soft_cap=best.soft_cap,
        bias=best.bias,
        error=best.error,
        explained=best.error <= tolerance,
    )


def _candidates(plain: Tensor, logits: Tensor, named: list[float]) -> Iterator[tuple[float, float | None]]:
    """Scales and soft-caps to try, simplest first: a fitted scale, then both fitted, each also at the nearest
    number of the configuration.
    """
    scale = float((plain * logits).sum() / (plain * plain).sum().clamp_min(1e-300))
    if scale > 0:
        yield from ((each, None) for each in _near(scale, named))
    fitted, cap = _fit(plain, logits)
    yield from product(_near(fitted, named), _near(cap, named))


def _near(value: float, named: list[float]) -> list[float]:
    """Numbers of the configuration (or their inverse) that are near, one, and the value to six digits."""
    known = [1.0, *named, *(1 / each for each in named if each)]
    return [
        *(each for each in dict.fromkeys(known) if abs(each - value) < 5e-3 * abs(value)),
        float(f"{value:.6g}"),
    ]


def _fit(plain: Tensor, logits: Tensor) -> tuple[float, float]:
    """Least squares of c·tanh(s·x/c), in the logarithms of s and c."""
    from scipy.optimize import least_squares

    size = logits.abs().reshape(-1)
    keep = torch.linspace(0, len(size) - 1, min(len(size), 4000)).long()
    order = size.argsort()[keep]  # small and large ones alike: slope and cap show in different places
    x, y = (each.reshape(-1)[order].numpy() for each in (plain, logits))
    small = slice(0, max(len(x) // 4, 1))
    slope = abs(float(x[small] @ y[small]) / max(float(x[small] @ x[small]), 1e-300)) or 1.0

    def residual(parameters: np.ndarray) -> np.ndarray:
        s, c = np.exp(np.clip(parameters, -50, 50))
        return c * np.tanh(s * x / c) - y

    start = np.log([slope, 1.05 * max(float(size.max()), 1e-12)])
    found = least_squares(residual, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    s, c = np.exp(np.clip(found.x, -50, 50))
    return float(s), float(c)


def _with_bias(plain: Tensor, logits: Tensor) -> tuple[float, Tensor]:
    """A scale, and a bias of each token that no state changes."""
    x, y = plain - plain.mean(0), logits - logits.mean(0)
    scale = float((x * y).sum() / (x * x).sum().clamp_min(1e-300))
    scale = float(f"{scale:.6g}")
    return scale, (logits - scale * plain).mean(0)


def _capped(logits: Tensor, cap: float | None) -> Tensor:
    return logits if cap is None else cap * torch.tanh(logits / cap)


def _error(explained: Tensor, logits: Tensor) -> float:
    return float((explained - logits).abs().max())


def _numbers(config: Any) -> set[float]:
    """Every number in the configuration of the language part that could be a scale or a cap."""
    if config is None:
        return set()
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    values = text.to_dict().values()
    return {
        float(each)
        for each in values
        if isinstance(each, (int, float)) and not isinstance(each, bool) and each > 0
    }
