r"""Second derivatives of the least objective as a function of the unembedding alone.

.. math::

    \Phi(G) = \min_F J(F, G), \qquad
    \nabla^2 \Phi = J_{GG} - J_{GF} J_{FF}^{-1} J_{FG},

exact, both the curvature of the softmax and that of the product f·g. One context contributes, with r = p̂ − p,
a(c) = p̂(c) (g(c) − ḡ), H its own k × k block and everything times C·ω(d),

.. math::

    \big( \mathrm{diag}(\hat p) - \hat p \hat p^\top - A H^{-1} A^\top \big) \otimes f f^\top
    - r r^\top \otimes H^{-1} - (A H^{-1}) \otimes (r f^\top) - \text{its transpose},

so that over all contexts it is three matrix products, and no T·k × T·k matrix of a single one is formed.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.population.residuals import Residuals
from linrep.training.best_embedding import covariance, square

TILE = 32
"""Tokens of a tile of a context's T × T part, which is symmetric: only tiles on and above the diagonal are
formed."""
BLOCK = 2**18
"""Numbers of one tile of contexts of all runs held at once, float64: about what a core's cache holds."""


def curvature(
    residuals: Residuals,
    weights: Float64[Tensor, "runs contexts"],
    f: Float64[Tensor, "runs contexts dim"],
    g: Float64[Tensor, "runs tokens dim"],
    ridge: Float64[Tensor, " runs"],
) -> Float64[Tensor, "runs unknowns unknowns"]:
    """The Hessian of Φ where F is best for G, unknowns token by token.

    Naively: the Schur complement of ``torch.autograd.functional.hessian`` of J in both tables.

    Args:
        residuals: Of the population.
        weights: C·ω(d) of each context.
        f: F, the best for G.
        g: G.
        ridge: λ of each run.
    """
    sums = _Sums(g, len(ridge))
    step = max(1, BLOCK // (len(ridge) * min(TILE, g.shape[1]) ** 2))
    for block in residuals.blocks(f, g):
        predicted = (block.residual + block.target).clamp_min_(0.0)
        own_weights, own_f = weights[:, block.rows], f[:, block.rows]
        pull = own_weights.unsqueeze(-1) * block.residual
        for start in range(0, pull.shape[1], step):
            part = slice(start, start + step)
            sums.add(own_weights[:, part], own_f[:, part], predicted[:, part], pull[:, part], ridge)
    return sums.hessian(ridge)


class _Sums:
    """The three products, over the contexts so far."""

    def __init__(self, g: Float64[Tensor, "runs tokens dim"], runs: int) -> None:
        self.g = g
        tokens, dim = g.shape[1:]
        self.pair = torch.triu_indices(dim, dim, device=g.device)
        tiles = [slice(start, min(start + TILE, tokens)) for start in range(0, tokens, TILE)]
        self.tiles = [(one, other) for number, one in enumerate(tiles) for other in tiles[number:]]
        self.even = [
            g.new_zeros(runs, (one.stop - one.start) * (other.stop - other.start), self.pair.shape[1])
            for one, other in self.tiles
        ]
        self.mixed = g.new_zeros(runs, dim * tokens, tokens * dim)

    def add(self, weights: Tensor, f: Tensor, predicted: Tensor, pull: Tensor, ridge: Tensor) -> None:
        """Some contexts more."""
        g, (first, second) = self.g, self.pair
        own = weights[..., None, None] * covariance(predicted, g)
        own.diagonal(dim1=-2, dim2=-1).add_(ridge[:, None, None])
        inverse = torch.cholesky_inverse(torch.linalg.cholesky_ex(own).L)
        mass = weights.unsqueeze(-1) * predicted
        cross = mass.unsqueeze(-1) * (g.unsqueeze(1) - (predicted @ g).unsqueeze(2))
        solved = inverse @ cross.mT
        self.mixed.baddbmm_((f.unsqueeze(3) * pull.unsqueeze(2)).flatten(2).mT, solved.mT.flatten(2))
        left = torch.cat([cross, mass.unsqueeze(3)], 3).neg_()
        right = torch.cat([solved, predicted.unsqueeze(2)], 2)
        products, inverses = f[..., first] * f[..., second], inverse[..., first, second]
        for (one, other), even in zip(self.tiles, self.even, strict=True):
            tile = left[:, :, one] @ right[..., other]
            if one == other:
                tile.diagonal(dim1=-2, dim2=-1).add_(mass[..., one])
            even.baddbmm_(tile.flatten(2).mT, products)
            torch.mul(pull[..., one].unsqueeze(3), pull[..., other].unsqueeze(2), out=tile)
            even.baddbmm_(tile.flatten(2).mT, inverses, alpha=-1)

    def hessian(self, ridge: Tensor) -> Float64[Tensor, "runs unknowns unknowns"]:
        """All of it, the ridge added."""
        runs, (tokens, dim) = len(ridge), self.g.shape[1:]
        found = self.g.new_empty(runs, tokens, dim, tokens, dim)
        for (one, other), even in zip(self.tiles, self.even, strict=True):
            tile = square(even.view(runs, one.stop - one.start, other.stop - other.start, -1), dim)
            found[:, one, :, other] = tile.permute(0, 1, 3, 2, 4)
            found[:, other, :, one] = tile.permute(0, 2, 3, 1, 4)
        # (j, c') by (c, j') to (c, j) by (c', j').
        mixed = self.mixed.view(runs, dim, tokens, tokens, dim).permute(0, 3, 1, 2, 4)
        found = found.sub_(mixed).view(runs, tokens * dim, tokens * dim)
        found -= mixed.reshape_as(found).mT
        found.diagonal(dim1=-2, dim2=-1).add_(ridge[:, None])
        return found
