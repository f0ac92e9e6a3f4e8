"""Singular values over training: what of the logits and of both tables is there at every look."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

NAMES = ("logits", "embedding", "unembedding")
STORED = "singular_values"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """Singular values at every step of ``snapshot_steps``, descending; NaN from where a run diverged.

    Naively, at one look of one run: ``np.linalg.svdvals(F @ (G - G.mean(0)).T)``, and of F and of the centred
    G. As many first runs as snapshots are kept of; padding left out. Values below 1e-8 of the largest beside
    them are rounding.

    Example:
        >>> import linrep
        >>> result = linrep.run(world="cancer", runs=2, training={"steps": 20, "snapshots": 3})
        >>> result.spectrum.logits.shape, result.snapshot_steps  # of 3 looks, 2 runs, 5 dimensions
        (torch.Size([3, 2, 5]), (0, 1, 20))
    """

    logits: Float64[Tensor, "looks kept dim"]
    """Of F Gᵀ, all contexts and tokens, G centred."""
    embedding: Float64[Tensor, "looks kept dim"]
    """Of F, as trained."""
    unembedding: Float64[Tensor, "looks kept dim"]
    """Of G centred, as trained."""

    @classmethod
    def of_looks(cls, found: Float64[Tensor, "looks kept spectra dim"]) -> "Spectrum":
        """What looks at a training found, in the order of the names."""
        return cls(**dict(zip(NAMES, found.unbind(2), strict=True)))

    def as_tensors(self) -> dict[str, Tensor]:
        """By name, as a run folder has them."""
        return {STORED: torch.stack([getattr(self, name) for name in NAMES])}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "Spectrum | None":
        """What :meth:`as_tensors` gave, among other tensors; None where it is not, as in records of before.

        Example:
            >>> found = Spectrum(**{name: torch.ones(2, 1, 3).double() for name in NAMES})
            >>> Spectrum.from_tensors(found.as_tensors()).logits.shape, Spectrum.from_tensors({})
            (torch.Size([2, 1, 3]), None)
        """
        return cls(**dict(zip(NAMES, tensors[STORED], strict=True))) if STORED in tensors else None
