r"""Co-occurrence training: eigenvectors of who is seen with whom, learned one after another.

Two tokens co-occur when both are drawn after one context, :math:`P(c, c') = \sum_d \omega(d)\, p(c \mid d)\,
p(c' \mid d)`. Word embeddings of the quartic loss :math:`\tfrac14 \|W W^\top - M\|^2`, with

.. math::

    M(c, c') = \frac{P(c, c')}{P(c)\, P(c')} - 1 = \sum_k \lambda_k v_k v_k^\top,

follow gradient flow :math:`\dot W = (M - W W^\top) W`: from a small start every
:math:`s_k = \|v_k^\top W\|^2` rises along its own logistic curve to :math:`\lambda_k`, and eigenvectors with
:math:`\lambda_k \le 0` are not learned. Of independent concepts in complete contexts M + 1 is a Kronecker
product, a factor a concept. Of fair ones its eigenvectors are the Walsh characters, single concepts first:
parallelograms come from those.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Integer
from torch import Tensor

from linrep.errors import InputError
from linrep.worlds.contexts import World
from linrep.worlds.truth import conditional

TIE = 1e-9
"""Eigenvalues that differ by less, of the largest, are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eigenmodes:
    """Of M, the largest eigenvalue first.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> modes = eigenmodes(co_occurrence(world(independent(1, probabilities=[0.5], generator=None))))
        >>> table = modes.table(1, generator=torch.Generator())
        >>> [round(x, 4) for x in modes.values.tolist()], table.shape
        ([1.3333, 0.0], torch.Size([2, 1]))
    """

    values: Float64[Tensor, " tokens"]
    """λ, of any sign."""
    tokens: Float64[Tensor, "tokens tokens"]
    """v, orthonormal columns."""

    def table(self, dim: int, *, generator: torch.Generator) -> Float64[Tensor, "tokens dim"]:
        """Where training at a width ends: W up to a rotation, the largest positive eigenvalues alone.

        Args:
            dim: Columns of W; those beyond the positive eigenvalues are 0.
            generator: Of the start. Where more eigenvectors tie than there is width left for, it says which
                subspace of theirs is learned, each as likely as another.
        """
        vectors = self.tokens.clone()
        tied = (self.values - self.values[min(dim, len(self.values)) - 1]).abs() < TIE * self.values[0].abs()
        space = vectors[:, tied]
        drawn = torch.randn(space.shape, dtype=torch.float64, generator=generator)
        vectors[:, tied] = torch.linalg.qr(space @ (space.T @ drawn)).Q
        return vectors[:, :dim] * self.values[:dim].clamp_min(0).sqrt()


def co_occurrence(world: World) -> Float64[Tensor, "tokens tokens"]:
    r"""How often two tokens are drawn after one context, :math:`\sum_d \omega(d) p(c|d) p(c'|d)`; sums to 1.

    Naively: ``sum(w * np.outer(p, p) for w, p in zip(world.weights, conditional(world)))``.

    Args:
        world: Small enough for its contexts × tokens to be stored.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> co_occurrence(world(independent(1, probabilities=[0.5], generator=None)))
        tensor([[0.4167, 0.0833],
                [0.0833, 0.4167]], dtype=torch.float64)
    """
    p = conditional(world)
    return p.T @ (world.weights[:, None] * p)


def without_pairs(
    joint: Float64[Tensor, "tokens tokens"], token_codes: Integer[Tensor, "tokens concepts"], concept: int
) -> Float64[Tensor, "tokens tokens"]:
    """The same corpus without the co-occurrences of tokens that differ in one concept alone.

    Args:
        joint: Of :func:`co_occurrence`.
        token_codes: Of the tokens.
        concept: Whose pairs, such as king and queen, never meet any more.

    Returns:
        Summing to 1 again.

    Example:
        >>> codes = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]])
        >>> (16 * without_pairs(torch.full((4, 4), 1 / 16, dtype=torch.float64), codes, 0) > 0).long()
        tensor([[1, 0, 1, 1],
                [0, 1, 1, 1],
                [1, 1, 1, 0],
                [1, 1, 0, 1]])

    References:
        :cite:`korchinski:25b`, for the question.
    """
    unlike = token_codes[:, None] != token_codes
    pairs = unlike[..., concept] & (unlike.sum(-1) == 1)
    left = joint.masked_fill(pairs, 0.0)
    return left / left.sum()


def eigenmodes(joint: Float64[Tensor, "tokens tokens"]) -> Eigenmodes:
    """Of M, by who co-occurs with whom.

    Naively: ``np.linalg.eigh(P / np.outer(P.sum(1), P.sum(1)) - 1)``.

    Args:
        joint: Symmetric; every token occurs.

    Raises:
        InputError: A token that never occurs.

    Example:
        >>> joint = torch.tensor([[0.4, 0.1], [0.1, 0.4]], dtype=torch.float64)
        >>> [round(x, 4) for x in eigenmodes(joint).values.tolist()]
        [1.2, 0.0]

    References:
        :cite:`karkada:25`, with 2M / (M + 2) in the place of M; :cite:`korchinski:25b`.
    """
    alone = joint.sum(1)
    if not bool((alone > 0).all()):
        raise InputError("joint: expected every token to occur, got one that never does; leave it out")
    values, vectors = torch.linalg.eigh(joint / (alone[:, None] * alone) - 1)
    return Eigenmodes(values=values.flip(0), tokens=vectors.flip(1))


def strengths(values: Float64[Tensor, " modes"], *, time: float, start: float) -> Float64[Tensor, " modes"]:
    r"""Of every mode after a time, :math:`\lambda / (1 + (\lambda/s_0 - 1) e^{-2 \lambda t})`.

    Args:
        values: λ, not 0.
        time: t; of gradient descent, steps × step size.
        start: s₀, of each mode, as of orthonormal columns along it.

    Example:
        >>> found = strengths(torch.tensor([1.0, 0.5], dtype=torch.float64), time=10.0, start=1e-4)
        >>> [round(x, 3) for x in found.tolist()]
        [1.0, 0.408]

    References:
        :cite:`karkada:25`, their solution from a small start; after Saxe et al. 2014.
    """
    return values / (1 + (values / start - 1) * torch.exp(-2 * values * time))


def half_times(values: Float64[Tensor, " modes"], *, start: float) -> Float64[Tensor, " modes"]:
    r"""When each mode is half learned, :math:`\ln(\lambda / s_0 - 1) / 2\lambda`.

    Naively: the time at which :func:`strengths` is ``values / 2``.

    Args:
        values: λ, each above twice the start.
        start: s₀.

    Raises:
        InputError: A mode that starts half learned, or is none that is learned.

    Example:
        >>> values = torch.tensor([1.0, 0.5], dtype=torch.float64)
        >>> [round(x, 2) for x in half_times(values, start=1e-4).tolist()]
        [4.61, 8.52]
    """
    if not bool((values > 2 * start).all()) or not start > 0:
        raise InputError(
            f"half_times: expected eigenvalues above twice start = {start:g} > 0, got "
            f"{float(values.min()):g}; leave out what is not learned, or start smaller"
        )
    return torch.log(values / start - 1) / (2 * values)
