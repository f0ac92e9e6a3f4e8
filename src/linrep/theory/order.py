r"""In which order directions appear, and when: the modes of the first gradient.

Tables that start small leave every token alike, so that the loss falls along one matrix,

.. math::

    M = \operatorname{diag}(\omega)\,(P - \tfrac{1}{V} 1 1^\top) = \sum_i \sigma_i u_i v_i^\top, \qquad
    F \leftarrow F + \eta M G, \quad G \leftarrow G + \eta M^\top F,

with V tokens. Half the sum of :math:`u_i^\top F` and :math:`v_i^\top G` grows by the factor
:math:`1 + \eta \sigma_i` a step (:math:`e^{\sigma_i t}` under gradient flow), whatever the other modes do,
until logits are no longer small. So directions appear in the order of the singular values, each after a time
in inverse proportion to its own. Concepts are among them: M is the expected token of each context, less the
mean.

The support matrix has the same form for a distribution that is uniform over what can follow; there it is that
Zhao et al. 2024 (arXiv 2408.15417) read the order off.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.errors import InputError
from linrep.worlds.contexts import World
from linrep.worlds.truth import conditional


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """Singular triples of a centred matrix of contexts and tokens, the strongest first.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> modes = first_modes(world(independent(1, probabilities=[0.5], generator=None)))
        >>> modes.rates, modes.contexts.shape, modes.tokens.shape
        (tensor([0.3333], dtype=torch.float64), torch.Size([3, 1]), torch.Size([2, 1]))
    """

    rates: Float64[Tensor, " modes"]
    """σ, by which a mode grows under gradient flow, per unit of time; none is zero."""
    contexts: Float64[Tensor, "contexts modes"]
    """u, orthonormal columns."""
    tokens: Float64[Tensor, "tokens modes"]
    """v, orthonormal columns, each of which sums to zero."""

    def lengths(self, unembedding: Float64[Tensor, "*looks tokens dim"]) -> Float64[Tensor, "*looks modes"]:
        r"""How far a table reaches along each mode, :math:`\|v_i^\top G\|`.

        Args:
            unembedding: g of every token.

        Example:
            >>> from linrep.worlds.concepts import independent
            >>> from linrep.worlds.contexts import world
            >>> modes = first_modes(world(independent(1, probabilities=[0.5], generator=None)))
            >>> modes.lengths(torch.tensor([[1.0], [-1.0]], dtype=torch.float64))
            tensor([1.4142], dtype=torch.float64)
        """
        return (self.tokens.T @ unembedding).norm(dim=-1)


def first_modes(world: World, *, support: bool = False) -> Modes:
    """The modes along which tables leave a small start.

    Naively: ``np.linalg.svd(weights[:, None] * (P - 1 / P.shape[1]))`` with ``P = conditional(world)``.

    Args:
        world: Small enough for its contexts × tokens to be stored.
        support: Of what can follow a context, each with equal probability, whatever its true one.

    Returns:
        As many modes as the matrix has rank.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> fair = world(independent(3, probabilities=[0.5] * 3, generator=None))
        >>> [round(rate, 4) for rate in first_modes(fair).rates.tolist()]  # concepts, pairs, the triple
        [0.0556, 0.0556, 0.0556, 0.0454, 0.0454, 0.0454, 0.037]

    References:
        Saxe, McClelland and Ganguli 2014 for the modes of linear networks; Zhao et al. 2024 for the support.
    """
    found = conditional(world)
    if support:
        found = (found > 0).double()
        found = found / found.sum(1, keepdim=True)
    found = world.weights[:, None] * (found - 1 / found.shape[1])
    left, rates, right = torch.linalg.svd(found, full_matrices=False)
    rank = int((rates > 1e-12 * rates[0]).sum())
    return Modes(rates=rates[:rank], contexts=left[:, :rank], tokens=right[:rank].T)


def steps_to_length(
    rates: Float64[Tensor, " modes"], *, dim: int, scale: float, step_size: float, length: float = 1.0
) -> Float64[Tensor, " modes"]:
    r"""Steps of gradient descent until each mode has a length, :math:`\ln(\ell / a) / \ln(1 + \eta\sigma_i)`.

    Both tables start as normal numbers; so a mode starts at :math:`a \approx s \sqrt{k / 2}`, half the
    length of a sum of two.

    Naively: ``a = scale * (dim / 2) ** 0.5``, then ``a *= 1 + step_size * rate`` until it is ``length``.

    Args:
        rates: Of :func:`first_modes`.
        dim: Width k of the tables.
        scale: s, the standard deviation of their start.
        step_size: η, for both tables.
        length: ℓ, as :meth:`Modes.lengths` has it.

    Returns:
        Steps, not rounded.

    Raises:
        InputError: A number is not positive, or the start is as long as the length already.

    Example:
        >>> rates = torch.tensor([0.05, 0.025], dtype=torch.float64)
        >>> [round(n) for n in steps_to_length(rates, dim=8, scale=1e-3, step_size=5.0).tolist()]
        [28, 53]
    """
    if not (dim > 0 and scale > 0 and step_size > 0 and bool((rates > 0).all())):
        raise InputError(
            "steps_to_length: expected rates, dim, scale and step_size above 0; mend what is not"
        )
    start = scale * math.sqrt(dim / 2)
    if start >= length:
        raise InputError(
            f"steps_to_length: a start of scale {scale:g} reaches {start:.3g} along each mode already, "
            f"expected less than length = {length:g}; make the scale smaller"
        )
    return math.log(length / start) / torch.log1p(step_size * rates)


def steps_along(
    modes: Modes,
    direction: Float64[Tensor, " tokens"],
    *,
    dim: int,
    scale: float,
    step_size: float,
    length: float = 1.0,
) -> float:
    r"""Steps until g has a length along any direction of tokens, such as a concept's, that modes share.

    Along h the length after n steps is on average
    :math:`a (\sum_i (v_i \cdot h)^2 (1 + \eta\sigma_i)^{2n})^{1/2}`.

    Naively: grow every mode as :func:`steps_to_length` does, and add squares.

    Args:
        modes: Of :func:`first_modes`.
        direction: h, of length 1.
        dim: As there.
        scale: As there.
        step_size: As there.
        length: As there.

    Returns:
        Steps, not rounded; infinite where no mode has a share in the direction.

    Raises:
        InputError: As there.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> modes = first_modes(world(independent(2, probabilities=[0.5, 0.5], generator=None)))
        >>> concept = torch.tensor([-0.5, -0.5, 0.5, 0.5], dtype=torch.float64)
        >>> round(steps_along(modes, concept, dim=4, scale=1e-3, step_size=1.0))
        51
    """
    from scipy.optimize import brentq  # a third of a second and 20 MB

    each = steps_to_length(modes.rates, dim=dim, scale=scale, step_size=step_size, length=length)
    shares = (modes.tokens.T @ direction).square()
    there = shares > 1e-18
    if not bool(there.any()):
        return math.inf
    shares, growth = shares[there], 2 * torch.log1p(step_size * modes.rates[there])
    needed = 2 * math.log(length / (scale * math.sqrt(dim / 2)))

    def short_of(steps: float) -> float:
        return float(torch.logsumexp(shares.log() + steps * growth, 0)) - needed

    # The strongest mode alone would take longer, all of it in one mode less long.
    alone = float((each[there] * (1 - shares.log() / needed)).min())
    root: Any = brentq(short_of, 0.0, alone + 1.0)
    return float(root)
