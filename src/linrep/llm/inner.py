r"""Inner products: which gauge of (F A, G A^{-T}) cosines are taken in.

Euclid is the identity. *Causal* [P24] is :math:`M = Cov(g)^{-1}`: unembeddings are read as :math:`A g` and
embeddings as :math:`A^{-T} f` with :math:`A^T A = M`, which keeps every logit. *Random* has the causal
spectrum with its eigenvectors turned at random: what a gauge that knows nothing of the model would show.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from linrep.errors import InputError

InnerName = Literal["euclid", "causal", "random"]
BLOCKS = 8
CHUNK_ROWS = 2048
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerProduct:
    """A change of basis that keeps f·g, with what was done to make it well posed."""

    name: InnerName
    signs: Float64[Tensor, "rounds dim"] | None
    """Random only: a rotation comes first, rounds of these signs and a cosine transform."""
    lower: Float64[Tensor, "dim dim"] | None
    """Cholesky factor L of the covariance: A = L^{-1}."""
    modes: Float64[Tensor, "dim dim"] | None
    """Eigenvectors, where some were clamped."""
    scale: Float64[Tensor, " dim"] | None
    """Clamped eigenvalues of those modes."""
    clamped: int
    """How many eigenvalues were raised to the floor."""
    shrinkage: float
    centred: bool
    rows: int
    """Rows of the table that the covariance was taken over."""

    def unembedding(self, vectors: Float[Tensor, "rows dim"]) -> Float64[Tensor, "rows dim"]:
        """A g, row by row, in float64."""
        x = self._turned(vectors)
        if self.lower is not None:
            return torch.linalg.solve_triangular(self.lower, x.mT, upper=False).mT.contiguous()
        if self.modes is not None and self.scale is not None:
            return (x @ self.modes) * self.scale.rsqrt()
        return x

    def embedding(self, vectors: Float[Tensor, "rows dim"]) -> Float64[Tensor, "rows dim"]:
        """A^{-T} f, row by row, in float64: every f·g stays what it was."""
        x = self._turned(vectors)
        if self.lower is not None:
            return x @ self.lower
        if self.modes is not None and self.scale is not None:
            return (x @ self.modes) * self.scale.sqrt()
        return x

    def to_states(self, vectors: Float[Tensor, "rows dim"]) -> Float64[Tensor, "rows dim"]:
        """A^T e, row by row: the state whose embedding in this gauge is e; undoes `embedding`."""
        x = vectors.to(torch.float64)
        if self.lower is not None:
            x = torch.linalg.solve_triangular(self.lower.mT, x.mT, upper=True).mT
        elif self.modes is not None and self.scale is not None:
            x = (x * self.scale.rsqrt()) @ self.modes.mT
        return _turn_back(x, self.signs).contiguous()

    def dual(self, vectors: Float[Tensor, "rows dim"]) -> Float64[Tensor, "rows dim"]:
        r"""M g: the state that represents an unembedding direction, :math:`Cov(g)^{-1} \bar g` [P24]."""
        return self.to_states(self.unembedding(vectors))

    def record(self) -> dict[str, str | int | float | bool]:
        """What a result says about it."""
        return {
            "inner": self.name,
            "clamped_modes": self.clamped,
            "shrinkage": self.shrinkage,
            "centred": self.centred,
            "rows": self.rows,
        }

    def _turned(self, vectors: Tensor) -> Tensor:
        return _turn(vectors.to(torch.float64), self.signs)


def euclid() -> InnerProduct:
    """The inner product that gradient descent from a small start leaves in place (claim C5)."""
    return InnerProduct(
        name="euclid",
        signs=None,
        lower=None,
        modes=None,
        scale=None,
        clamped=0,
        shrinkage=0.0,
        centred=False,
        rows=0,
    )


def covariance(
    table: Float[Tensor, "vocabulary dim"],
    usable: Bool[Tensor, " vocabulary"] | None = None,
    *,
    centred: bool = True,
) -> Float64[Tensor, "dim dim"]:
    """Covariance of the usable rows, accumulated in float64 chunk by chunk; only one triangle is multiplied
    out.

    Naively: `torch.cov(table[usable].double().T, correction=0)`, which needs the whole table in float64
        twice.

    A half-precision table is multiplied in float32 within a chunk (its own rounding is 4,000 times coarser),
    any other in float64.

    Args:
        table: Token vectors of any float type, one a row.
        usable: Rows to take; all when None.
        centred: Whether the mean is subtracted; without it, the raw second moment.

    Returns:
        Symmetric, in float64, divided by the number of rows.
    """
    rows = torch.arange(len(table)) if usable is None else usable.nonzero()[:, 0]
    if len(rows) == 0:
        raise InputError("table: expected usable rows, got none; the tokenizer names no row of it")
    dim = table.shape[1]
    chunks = rows.split(CHUNK_ROWS)
    mean = torch.zeros(dim, dtype=torch.float64)
    if centred:
        mean = sum((_rows(table, part).sum(0) for part in chunks), mean) / len(rows)
    total = torch.zeros(dim, dim, dtype=torch.float64)
    product = torch.float32 if table.element_size() == 2 else torch.float64
    edges = torch.linspace(0, dim, BLOCKS + 1).round().int().tolist() if dim >= 64 * BLOCKS else [0, dim]
    for part in chunks:
        deviation = _rows(table, part).sub_(mean).to(product)
        for start, stop in pairwise(edges):
            # Columns from `start` on: the upper triangle by block rows, (1 + 1/BLOCKS)/2 of the full product.
            total[start:stop, start:] += deviation[:, start:stop].mT @ deviation[:, start:]
    return torch.triu(total).add_(torch.triu(total, 1).mT).div_(len(rows))


def inner_product(
    name: InnerName,
    table: Float[Tensor, "vocabulary dim"],
    usable: Bool[Tensor, " vocabulary"] | None = None,
    *,
    generator: torch.Generator,
    centred: bool = True,
    shrinkage: float = 0.0,
    floor: float = 1e-6,
) -> InnerProduct:
    r"""The inner product of that name for a model's unembedding table.

    Naively: `torch.linalg.inv(torch.cov(table.T))`, which divides by eigenvalues that may be rounding noise.

    Args:
        name: `euclid`, `causal` or `random`.
        table: The model's unembedding vectors g, one a row.
        usable: Rows that are words; all when None.
        generator: Turns the eigenvectors of `random`.
        centred: Whether the covariance is about the mean.
        shrinkage: In [0, 1): the covariance is mixed with that share of its mean eigenvalue times the
            identity.
        floor: Eigenvalues below this share of the largest are raised to it, and counted.

    Returns:
        The inner product. When no eigenvalue is below the floor (certified by a Cholesky factor of
        Cov − floor·λ_max) no eigendecomposition is made.

    Raises:
        InputError: If no usable row varies.

    References:
        :cite:`park:24`.
    """
    if name == "euclid":
        return euclid()
    if not 0 <= shrinkage < 1:
        raise InputError(f"shrinkage: expected 0 <= shrinkage < 1, got {shrinkage}")
    cov = covariance(table, usable, centred=centred)
    base = causal_from_covariance(
        cov,
        rows=len(table) if usable is None else int(usable.sum()),
        centred=centred,
        shrinkage=shrinkage,
        floor=floor,
    )
    return base if name == "causal" else turned(base, generator=generator)


def causal_from_covariance(
    cov: Float64[Tensor, "dim dim"], *, rows: int, centred: bool, shrinkage: float = 0.0, floor: float = 1e-6
) -> InnerProduct:
    """The causal inner product from a covariance that is at hand."""
    mean_eigenvalue = float(cov.diagonal().mean())
    if not mean_eigenvalue > 0:
        raise InputError("table: expected rows that differ, got none that do; the covariance is zero")
    if shrinkage:
        cov = cov * (1 - shrinkage)
        cov.diagonal().add_(shrinkage * mean_eigenvalue)
    edge = floor * _largest_eigenvalue(cov)
    shifted = cov.clone()
    shifted.diagonal().sub_(edge)
    # Only the returned code is wanted: zero certifies that every eigenvalue is above the floor.
    failed = int(torch.linalg.cholesky_ex(shifted, out=(shifted, torch.empty(0, dtype=torch.int32))).info)
    del shifted
    lower = modes = scale = None
    clamped = 0
    if failed:
        values, modes = torch.linalg.eigh(cov)
        edge = floor * float(values[-1])
        clamped = int((values < edge).sum())
        scale = values.clamp(min=edge)
    else:
        lower = torch.linalg.cholesky(cov)
    return InnerProduct(
        name="causal",
        signs=None,
        lower=lower,
        modes=modes,
        scale=scale,
        clamped=clamped,
        shrinkage=shrinkage,
        centred=centred,
        rows=rows,
    )


def turned(base: InnerProduct, *, generator: torch.Generator) -> InnerProduct:
    """The same spectrum, eigenvectors turned at random: the null for the causal inner product.

    The rotation is a product of random signs and orthonormal cosine transforms, which needs dim log dim
    operations a vector where a rotation drawn uniformly would need dim^3 to draw (Yu et al. 2016, orthogonal
    random features).
    """
    size = base.lower if base.lower is not None else base.modes
    if size is None:
        raise InputError("inner: expected a causal inner product to turn, got the Euclidean one")
    drawn = torch.randint(0, 2, (ROUNDS, len(size)), generator=generator)
    return replace(base, name="random", signs=(2 * drawn - 1).to(torch.float64))


def _turn(x: Tensor, signs: Tensor | None) -> Tensor:
    from scipy.fft import dct

    for row in [] if signs is None else signs:
        x = torch.from_numpy(dct((x * row).numpy(), axis=-1, norm="ortho"))
    return x


def _turn_back(x: Tensor, signs: Tensor | None) -> Tensor:
    from scipy.fft import idct

    for row in [] if signs is None else signs.flip(0):
        x = torch.from_numpy(idct(x.numpy(), axis=-1, norm="ortho")) * row
    return x


def _rows(table: Tensor, rows: Tensor) -> Tensor:
    return table[rows.to(table.device)].to("cpu", torch.float64)


def _largest_eigenvalue(cov: Tensor, steps: int = 64) -> float:
    vector = cov.diagonal().clone()
    for _ in range(steps):
        vector = cov @ (vector / vector.norm())
    return float(vector.norm())
