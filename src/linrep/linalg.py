"""Linear algebra on rows of representations: cosine, normalise, centre, whiten; and the median."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from linrep.errors import InputError


def normalise(x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    r"""Every vector over its Euclidean length; a zero vector stays zero.

    Naively: ``x / x.norm(dim=-1, keepdim=True)``.

    Example:
        >>> normalise(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return torch.where(length > 0, x / length, 0.0)


def median(x: Float[Tensor, "*batch values"]) -> Float[Tensor, "*batch"]:
    """The middle of the numbers that are there, of an even number the mean of the two middles.

    ``torch.median`` takes the lower of two, ``torch.quantile`` no more than 2^24 numbers.

    Naively: ``x.nanquantile(0.5, dim=-1)``.

    Args:
        x: Numbers, infinite ones too; NaN where there is none.

    Returns:
        NaN where there are none at all. Invariant to the order of the numbers.

    Example:
        >>> median(torch.tensor([[4.0, 1.0, 2.0, 9.0], [5.0, float("nan"), float("nan"), float("nan")]]))
        tensor([3., 5.])
    """
    if not x.shape[-1]:
        return x.new_full(x.shape[:-1], torch.nan)
    ordered = x.sort(dim=-1).values  # NaN comes last
    there = (~x.isnan()).sum(-1, keepdim=True)
    low = ordered.gather(-1, (there - 1).clamp_min(0) // 2)
    high = ordered.gather(-1, (there // 2).clamp_max(x.shape[-1] - 1))
    return torch.where(low == high, low, torch.lerp(low, high, 0.5)).squeeze(-1)


def cosine(x: Float[Tensor, "*batch dim"], y: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
    r"""Cosine of the angle between vectors, :math:`\langle x, y\rangle / (\|x\| \|y\|)`.

    Naively: ``(x * y).sum(-1) / (x.norm(dim=-1) * y.norm(dim=-1))``.

    Args:
        x: Vectors, finite and non-zero.
        y: As many vectors, or ones that broadcast.

    Returns:
        In [-1, 1], no unit. Invariant to one rotation of both and to positive rescaling of either.

    Raises:
        InputError: If a vector is zero.

    Example:
        >>> cosine(torch.tensor([1.0, 0.0]), torch.tensor([2.0, 2.0]))
        tensor(0.7071)
    """
    for name, vectors in (("x", x), ("y", y)):
        if bool((vectors == 0).all(-1).any()):
            raise InputError(f"{name}: expected non-zero vectors, got a zero vector; leave it out")
    return (normalise(x) * normalise(y)).sum(-1).clamp(-1, 1)


def centre(x: Float[Tensor, "*batch rows dim"]) -> Float[Tensor, "*batch rows dim"]:
    """The rows less their mean.

    Naively: ``x - x.mean(-2, keepdim=True)``.

    Example:
        >>> centre(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
        tensor([[-1.,  0.],
                [ 1.,  0.]])
    """
    return x - x.mean(-2, keepdim=True)


def second_moment(
    x: Float[Tensor, "rows dim"], *, centre: bool, chunk: int = 2**21
) -> tuple[Float64[Tensor, "dim dim"], Float64[Tensor, " dim"]]:
    """Mean outer product of the rows in float64, about their mean if `centre`, and that mean (zero if not).

    Args:
        x: Rows of any float type; converted chunk by chunk, so half-precision tables stay small.
        centre: Whether to subtract the mean first: covariance, or raw second moment.
        chunk: Numbers converted at a time.
    """
    rows = max(chunk // max(x.shape[1], 1), 1)
    mean = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
    if centre:
        mean = sum((part.to(torch.float64).sum(0) for part in x.split(rows)), mean) / len(x)
    outer = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64, device=x.device)
    for part in x.split(rows):
        deviation = part.to(torch.float64) - mean
        outer.addmm_(deviation.mT, deviation)
    return outer / len(x), mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Whitening:
    """A linear map after which the rows have identity second moment."""

    matrix: Float64[Tensor, "dim dim"]
    """W = M^{-1/2}, symmetric; whitened rows are ``(x - mean) @ matrix``."""
    mean: Float64[Tensor, " dim"]
    """What is subtracted first: zero unless centred."""
    eigenvalues: Float64[Tensor, " dim"]
    """Of the second moment M, ascending, as found, before clamping."""
    clamped: int
    """How many eigenvalues were raised to the floor, where the map is not an exact inverse root."""
    centred: bool
    """Whether M is the covariance (True) or the raw second moment (False)."""


def whiten(x: Float[Tensor, "rows dim"], *, centre: bool, floor: float = 1e-10) -> Whitening:
    r"""The symmetric whitening of the rows, :math:`M^{-1/2}` with M their second moment.

    Naively: ``torch.linalg.inv(scipy.linalg.sqrtm(x.T @ x / len(x)))``.

    Args:
        x: At least one row, finite.
        centre: Whether M is taken about the mean (covariance, as in the causal inner product) or about zero.
        floor: Eigenvalues below `floor` times the largest are raised to that and counted.

    Returns:
        The whitening. With it, :math:`\langle Wx, Wy\rangle = x^T M^{-1} y`. Float64.

    Raises:
        InputError: If there is no row, or the second moment is zero or not finite.

    Example:
        >>> w = whiten(torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), centre=True)
        >>> w.matrix.diagonal(), w.clamped
        (tensor([0.7071, 1.4142], dtype=torch.float64), 0)

    References:
        :cite:`park:24`, causal inner product; docs/theory, claim C5.
    """
    if len(x) == 0:
        raise InputError("x: expected at least one row, got none; give rows to whiten")
    moment, mean = second_moment(x, centre=centre)
    if not bool(torch.isfinite(moment).all()):
        raise InputError("x: expected finite numbers, got NaN or infinity; drop the rows that hold them")
    values, vectors = torch.linalg.eigh(moment)
    largest = float(values[-1])
    if largest <= 0:
        raise InputError("x: expected rows that vary, got a second moment of zero; nothing to whiten")
    low = values < floor * largest
    root = values.clamp(min=floor * largest).rsqrt()
    return Whitening(
        matrix=(vectors * root) @ vectors.mT,
        mean=mean,
        eigenvalues=values,
        clamped=int(low.sum()),
        centred=centre,
    )


def balanced(
    f: Float[Tensor, "*batch rows dim"], g: Float[Tensor, "*batch others dim"], width: int | None = None
) -> tuple[Float[Tensor, "*batch rows width"], Float[Tensor, "*batch others width"]]:
    r"""The best approximation of a rank of the logits :math:`F G^\top`, its singular values shared evenly.

    So :math:`F^\top F = G^\top G`, the diagonal of the singular values that were kept: the balanced gauge, if
    G is centred.

    Naively: ``U, S, Vh = svd(f @ g.mT); U[:, :k] * S[:k] ** 0.5, Vh[:k].T * S[:k] ** 0.5``.

    Args:
        f: F.
        g: G.
        width: How many singular directions to keep; by default as many as the tables are wide.

    Returns:
        Both tables; directions that are not there are 0. Invariant to F A, G A^{-T}, up to signs.

    Example:
        >>> f, g = balanced(4 * torch.eye(2), torch.eye(2))
        >>> bool((f.mT @ f - g.mT @ g).abs().max() < 1e-5), round(float((f @ g.mT).trace()), 4)
        (True, 8.0)

    References:
        Theory claim C5.
    """
    width = f.shape[-1] if width is None else width
    side_f, core_f = torch.linalg.qr(f)
    side_g, core_g = torch.linalg.qr(g)
    u, values, vh = torch.linalg.svd(core_f @ core_g.mT, full_matrices=False)
    root = values[..., None, :width].sqrt()
    found_f, found_g = side_f @ (u[..., :width] * root), side_g @ (vh.mT[..., :width] * root)
    missing = width - found_f.shape[-1]
    if missing > 0:
        found_f, found_g = (torch.nn.functional.pad(table, (0, missing)) for table in (found_f, found_g))
    return found_f, found_g
