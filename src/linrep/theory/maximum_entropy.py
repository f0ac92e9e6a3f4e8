r"""Of all distributions with given marginals the one with most entropy, for many contexts, certified."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

GAP = 1e-12
"""Nats between the bounds at which a context is done."""
MOST_STEPS = 100
SUFFICIENT_DECREASE = 1e-4
SMALLEST_STEP = 2.0**-40
REDUNDANT = 1e-9
"""Directions in which the features vary less than this share of the largest do not vary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Least KL divergence from each distribution to its log-linear family, between two bounds, in nats."""

    upper: Float64[Tensor, " contexts"]
    """KL(p ‖ q) of the member q that was found."""
    lower: Float64[Tensor, " contexts"]
    """No member comes closer: H(r) − H(p) of a distribution r with the marginals of p."""


def divergence_to_family(
    probability: Float64[Tensor, "contexts tokens"],
    features: Float64[Tensor, "contexts tokens features"],
    exists: Bool[Tensor, "contexts tokens"],
) -> Divergence:
    r"""Least :math:`KL(p \,\|\, q)` over :math:`q(c) \propto e^{\theta \cdot t(c)}` on the tokens that exist.

    The minimiser has the mean features of p and, of all distributions that have them, the most entropy H: the
    least divergence is max H(r) − H(p). Newton's method on the convex
    :math:`\ln \sum_c e^{\theta \cdot t(c)} - \theta \cdot E_p t`. Its own last step s bounds from below:
    :math:`r = q\,(1 + (t - E_q t) \cdot s)` has the mean features of p exactly, and is a distribution once s
    is small.

    Naively: ``scipy.optimize.minimize(lambda a: logsumexp(t @ a) - a @ (p @ t), 0)``, context by context.

    Args:
        probability: p, rows sum to 1, positive where a token exists, 0 elsewhere.
        features: t, any numbers where no token exists.
        exists: False marks padding.

    Returns:
        Both bounds; the lower is 0 where the last step was too large to make a distribution.

    Example:
        >>> p = torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64)
        >>> t = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)
        >>> bool(divergence_to_family(p, t, p > 0).upper < 1e-12)  # three tokens, two free parameters
        True

    References:
        Csiszár 1975, I-projections.
    """
    t = _coordinates(features, exists)
    mean = (probability.unsqueeze(1) @ t).squeeze(1)
    minus_entropy = torch.xlogy(probability, probability).sum(1)
    theta = torch.zeros_like(mean)
    log_q, value = _member(theta, t, exists, mean)
    lower = torch.zeros_like(value)
    upper = value + minus_entropy
    for _ in range(MOST_STEPS):
        q = log_q.exp()
        here = (q.unsqueeze(1) @ t).squeeze(1)
        step = _newton(q, t, here, mean - here)
        tilted = q * (1 + ((t - here.unsqueeze(1)) @ step.unsqueeze(2)).squeeze(2))
        bound = torch.where((tilted >= 0).all(1), minus_entropy - torch.xlogy(tilted, tilted).sum(1), 0.0)
        lower = torch.maximum(lower, bound)
        if bool((upper - lower <= GAP).all()):
            break
        theta, log_q, value = _search(theta, step, value, t, exists, mean)
        upper = torch.minimum(upper, value + minus_entropy)
    return Divergence(upper=upper.clamp_min(0), lower=lower)


def _coordinates(features: Tensor, exists: Tensor) -> Tensor:
    """Features without redundancy: orthonormal over the tokens that exist, zero where nothing varies."""
    mask = exists.unsqueeze(2)
    centred = torch.where(mask, features, 0.0)
    centred = torch.where(mask, centred - centred.sum(1, keepdim=True) / mask.sum(1, keepdim=True), 0.0)
    variance, directions = torch.linalg.eigh(centred.mT @ centred)
    varies = variance > REDUNDANT * variance.amax(1, keepdim=True).clamp_min(1e-300)
    scale = torch.where(varies, variance, 1.0).rsqrt() * varies
    return centred @ directions * scale.unsqueeze(1)


def _member(theta: Tensor, t: Tensor, exists: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of a member of the family, and the convex function, :math:`H(p, q)` from p."""
    logits = (t @ theta.unsqueeze(2)).squeeze(2).masked_fill(~exists, -torch.inf)
    normaliser = torch.logsumexp(logits, 1)
    return logits - normaliser.unsqueeze(1), normaliser - (theta * mean).sum(1)


def _newton(q: Tensor, t: Tensor, here: Tensor, missing: Tensor) -> Tensor:
    """The step that would bring the mean features home, were they linear in θ; on a unit diagonal."""
    covariance = t.mT @ (q.unsqueeze(2) * t) - here.unsqueeze(2) * here.unsqueeze(1)
    spread = covariance.diagonal(dim1=1, dim2=2)
    scale = torch.where(spread > 0, spread, 1.0).rsqrt() * (spread > 0)
    scaled = covariance * scale.unsqueeze(2) * scale.unsqueeze(1)
    values, vectors = torch.linalg.eigh(scaled)
    inverse = torch.where(values > 1e-13, 1 / values, 0.0).unsqueeze(1)
    return ((vectors * inverse) @ (vectors.mT @ (scale * missing).unsqueeze(2))).squeeze(2) * scale


def _search(
    theta: Tensor, step: Tensor, value: Tensor, t: Tensor, exists: Tensor, mean: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Armijo's rule, each context by itself; one that finds no decrease stays where it is."""
    log_q, _ = _member(theta, t, exists, mean)
    here = (log_q.exp().unsqueeze(1) @ t).squeeze(1)
    slope = ((here - mean) * step).sum(1)
    size = torch.ones_like(value)
    while True:
        tried = theta + size.unsqueeze(1) * step
        log_q, new = _member(tried, t, exists, mean)
        short = new > value + SUFFICIENT_DECREASE * size * slope + 1e-15
        if not bool(short.any()):
            return tried, log_q, new
        size = torch.where(short, size / 2, size)
        size = torch.where(size < SMALLEST_STEP, 0.0, size)
