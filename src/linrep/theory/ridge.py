"""Tables under a vanishing ridge: the path that must approach the infinite-time limit."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from linrep.errors import InputError
from linrep.worlds.contexts import World, conditional

Rows = Float64[Tensor, "contexts tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RidgePoint:
    """The minimiser at one strength, with how well it is one."""

    strength: float
    """λ, beside a loss summed over contexts (each of weight ω times their number)."""
    embedding: Float64[Tensor, "contexts dim"]
    unembedding: Float64[Tensor, "tokens dim"]
    excess_loss: float
    """Mean KL over contexts, nats."""
    gradient: float
    """Largest entry of the gradient of objective/λ, beside tables of order one."""
    solver_status: str


def ridge_path(
    world: World, strengths: Sequence[float], *, dim: int, generator: torch.Generator
) -> tuple[RidgePoint, ...]:
    r"""Minimise Σ_d KL(d) + λ/2 (‖F‖² + ‖G‖²) for one λ after another, each from the minimiser before it.

    Divided by λ and with :func:`excess_terms` for the loss, so that nothing cancels when KL is far below
    its entropy; plain losses stall near λ = 1e-4.

    Naively: ``LBFGS`` on cross-entropy plus weight decay.

    Args:
        world: Contexts, tokens and their probabilities.
        strengths: The λ, positive and decreasing.
        dim: Width of the tables; the limit of claim C6 asks for at least its rank.
        generator: Draws the start and a nudge of 1e-3 at every λ, which leaves saddle points.

    Returns:
        One point per λ. A search that stopped early says so in ``solver_status`` and ``gradient``.

    Raises:
        InputError: If the strengths are not positive and decreasing, or dim is below 1.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> toy = world(independent(1, probabilities=[0.5], generator=None))
        >>> points = ridge_path(toy, [0.1, 0.01], dim=2, generator=torch.Generator().manual_seed(0))
        >>> points[1].excess_loss < points[0].excess_loss
        True

    References:
        Theory claim C6, "Ridge path on tables".
    """
    import numpy as np
    from scipy.optimize import minimize

    falling = all(a > b for a, b in itertools.pairwise(strengths))
    if not strengths or min(strengths) <= 0 or not falling:
        raise InputError(f"strengths: expected positive, decreasing numbers, got {list(strengths)}")
    if dim < 1:
        raise InputError(f"dim: expected at least 1, got {dim}; give the width of the tables")
    target = conditional(world)
    weights = world.weights * len(world.weights)
    contexts, tokens = target.shape
    size = (contexts + tokens) * dim
    flat = 0.3 * torch.randn(size, generator=generator, dtype=torch.float64)
    points: list[RidgePoint] = []
    for strength in strengths:

        def objective(x: np.ndarray, strength: float = strength) -> tuple[float, np.ndarray]:
            value, gradient = _objective(torch.from_numpy(x).view(-1, dim), target, weights, strength)
            return value, gradient.flatten().numpy()

        start = flat + 1e-3 * torch.randn(size, generator=generator, dtype=torch.float64)
        options = {"maxcor": 100, "maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-16, "gtol": 1e-10}
        found = minimize(objective, start.numpy(), jac=True, method="L-BFGS-B", options=options)
        for _ in range(20):
            # A fresh start forgets a stale curvature estimate; a search that no longer moves is done.
            found = minimize(objective, found.x, jac=True, method="L-BFGS-B", options=options)
            if found.nit < 3:
                break
        flat = torch.from_numpy(found.x.copy())
        embedding, unembedding = flat.view(-1, dim).split([contexts, tokens])
        excess, _ = excess_terms(embedding @ unembedding.T, target)
        points.append(
            RidgePoint(
                strength=strength,
                embedding=embedding,
                unembedding=unembedding,
                excess_loss=float(world.weights @ excess),
                gradient=float(abs(found.jac).max()),
                solver_status=str(found.message),
            )
        )
    return tuple(points)


def excess_terms(logits: Rows, target: Rows) -> tuple[Float64[Tensor, " contexts"], Rows]:
    r"""KL(d) and its derivative in the logits, p̂ − p, without cancellation as both vanish.

    :math:`KL = \ln(1 + e^{\delta}) + \sum_{c \sim d} p (e^q - 1 - q)`, δ = lse off − lse on the support, q
    = logit − lse on − ln p.

    Naively: ``(target * (target.log() - logits.log_softmax(1))).nansum(1), logits.softmax(1) - target``.

    Args:
        logits: f(d)·g(c).
        target: p(c | d); zeros mark what cannot follow.

    Returns:
        Nats per context and the derivative of each context's KL; invariant to a shift of each row of logits.

    Example:
        >>> p = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
        >>> f"{float(excess_terms(torch.tensor([[0.0, 0.0, -50.0]], dtype=torch.float64), p)[0]):.3e}"
        '9.644e-23'

    References:
        Theory section 1, "Excess loss".
    """
    support: Bool[Tensor, "contexts tokens"] = target > 0
    on = torch.where(support, logits, -torch.inf).logsumexp(1, keepdim=True)
    off = torch.where(support, -torch.inf, logits).logsumexp(1, keepdim=True)
    delta = off - on
    spill = torch.nn.functional.softplus(delta, threshold=40)
    excess = torch.where(support, logits - on - torch.where(support, target, 1.0).log(), 0.0)
    grown = torch.expm1(excess)
    value = spill[:, 0] + (target * (grown - excess)).sum(1)
    leaked = torch.sigmoid(delta)
    inside = target * (grown * (1 - leaked) - leaked)
    return value, torch.where(support, inside, torch.exp(logits - on - spill))


def extrapolate(strengths: Sequence[float], values: Sequence[float]) -> float:
    """Value at λ = 0 of a quadratic in 1/ln(1/λ) through the points, by least squares.

    Naively: ``numpy.polyfit(1 / log(1 / strengths), values, 2)[-1]``.

    Args:
        strengths: The λ, all below 1, three or more.
        values: What was measured at each.

    Returns:
        The intercept, in the unit of the values.

    Raises:
        InputError: With fewer than three points or a λ outside (0, 1).

    Example:
        >>> from math import log
        >>> round(extrapolate([0.1, 0.01, 0.001], [2 + 1 / log(10), 2 + 1 / log(100), 2 + 1 / log(1000)]), 9)
        2.0

    References:
        Theory claim C6: norms grow like ln(1/λ), so cosines approach their limit in its inverse.
    """
    if len(strengths) < 3 or not all(0 < s < 1 for s in strengths):
        raise InputError(f"strengths: expected three or more in (0, 1), got {list(strengths)}")
    x = 1 / -torch.tensor(list(strengths), dtype=torch.float64).log()
    design = torch.stack([torch.ones_like(x), x, x * x], 1)
    answer = torch.linalg.lstsq(
        design, torch.tensor(list(values), dtype=torch.float64)[:, None], driver="gelsd"
    )
    return float(answer.solution[0, 0])


def _objective(
    tables: Float64[Tensor, "rows dim"], target: Rows, weights: Float64[Tensor, " contexts"], strength: float
) -> tuple[float, Float64[Tensor, "rows dim"]]:
    embedding, unembedding = tables.split([target.shape[0], target.shape[1]])
    excess, slope = excess_terms(embedding @ unembedding.T, target)
    pull = slope * (weights / strength)[:, None]
    value = float(weights @ excess) / strength + 0.5 * float(tables.square().sum())
    return value, tables + torch.cat([pull @ unembedding, pull.T @ embedding])
