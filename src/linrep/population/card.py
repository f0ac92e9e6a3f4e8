"""The exact gradient by the kernels of :mod:`linrep.population.kernels`, where a card is at hand.

A world of few tokens goes through in one tile; a large one by a pass for each side, its targets by sums over
compatible pairs where it is complete and binary, else by the transforms that the CPU takes.
"""

import contextlib
import functools
import importlib.util
import os
import warnings
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from linrep.errors import InputError
from linrep.population.packed import Packed
from linrep.population.population import Population
from linrep.population.residual_sums import Room

if TYPE_CHECKING:
    from linrep.population.kernels import launches

MOST_OF_A_TILE = 256
"""Tokens up to which they are one tile: beyond, its numbers no longer fit the registers."""
WIDEST, MOST_NUMBERS, MOST_RUNS = 64, 2**31, 2**16 - 1
"""k, numbers of a run's table of halves, and runs that the kernels are made for: places within a run have 32
bits, and a launch has no more rows of programs."""
BLOCK = 64
"""Contexts to a multiple of which those tables are filled up."""
INTERPRETED = "TRITON_INTERPRET"
"""In the environment where Triton's interpreter takes the place of a card."""
OLDEST = (8, 0)
"""The first kind of card whose tensor cores add half-precision products in float32 as is needed here."""


def usable(population: Population, dim: int) -> bool:
    """Whether tables of that width can be given to kernels here: float32 on a card that Triton knows.

    Args:
        population: The batch of runs.
        dim: k.
    """
    return fits(population, dim) and known_to_triton(population.device)


def require(population: Population, dim: int) -> None:
    """Refuse what kernels cannot be asked for by name.

    Raises:
        InputError: Neither a card that Triton knows nor its interpreter, float64, or too wide a table.
    """
    if fits(population, dim) and (known_to_triton(population.device) or interpreted()):
        return
    raise InputError(
        f"method: 'kernels' takes float32 tables up to k = {WIDEST} on a card that Triton knows, got "
        f"{population.dtype} and k = {dim} on {population.device}; use 'auto'"
    )


@functools.cache
def known_to_triton(device: torch.device) -> bool:
    """Whether kernels run on a device: Triton is there, knows it, and compiles.

    Warns:
        UserWarning: Once, where it does not compile, with its reason; all goes on in PyTorch's own way.
    """
    if device.type != "cuda" or torch.version.cuda is None or importlib.util.find_spec("triton") is None:
        return False
    if interpreted() or torch.cuda.get_device_capability(device) < OLDEST:
        return False
    from linrep.population.kernels import launches

    try:
        with current(device):
            launches.probe(device)
    except Exception as error:  # a compiler, a driver or a library that is not as Triton wants it
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        warnings.warn(f"kernels cannot be compiled here ({reason}); PyTorch's own are taken", stacklevel=2)
        return False
    return True


def interpreted() -> bool:
    """Whether the environment asks for Triton's interpreter, which is slower than all else."""
    return os.environ.get(INTERPRETED, "").lower() in ("1", "true", "yes", "on", "y")


def current(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Where kernels are launched, which is a matter of the process: that card for a while."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def fits(population: Population, dim: int) -> bool:
    """Whether the kernels are made for tables like these, wherever they are."""
    wide = 128 if dim == 64 else 64 if dim > 31 else 32 if dim > 15 else 16
    runs, contexts = population.weights.shape
    held = (contexts + -contexts % BLOCK) * wide
    narrow = population.dtype == torch.float32 and dim <= WIDEST
    return narrow and held < MOST_NUMBERS and runs <= MOST_RUNS


class CardGradient:
    """Gradients of both tables, of one width; made once, then the same launches at every call.

    Naively: ``population_gradient(population, f, g, method="fused")``.

    Args:
        population: The batch of runs.
        dim: k.
    """

    def __init__(self, population: Population, dim: int) -> None:
        from linrep.population.kernels import launches

        self.launches, self.population, self.dim = launches, population, dim
        packed = Packed.of(population)
        tokens = population.token_index.shape[1]
        self.tile = None
        if packed is not None and tokens <= MOST_OF_A_TILE:
            self.tile = launches.Tile(packed, dim)
        self.subsets = None
        binary = set(population.sizes) == {2}
        if packed is not None and self.tile is None and binary and population.complete:
            self.subsets = launches.Subsets(packed, len(population.sizes), dim)

    def __call__(
        self,
        f: Float[Tensor, "runs contexts dim"],
        g: Float[Tensor, "runs tokens dim"],
        *,
        normaliser: bool,
        out: Room = (None, None),
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Both gradients by rows, this rank's part of that of G, and the divergence of each context if asked.

        Args:
            f: F.
            g: G.
            normaliser: Whether the divergence is wanted.
            out: Where to write the gradients, if it lies by rows.
        """
        f, g = f.contiguous(), g.contiguous()
        to_f, to_g = (_room(table, at) for table, at in zip((f, g), out, strict=True))
        with current(f.device):
            if self.tile is not None and not normaliser:
                self.tile(f, g, to_f, to_g)
                return to_f, to_g, None
            mean, total = self._targets(f, g)
            log_sum = self.sides(f, g, mean, total, to_f, to_g)
        if not normaliser:
            return to_f, to_g, None
        bound = (f * mean).sum(-1) + self.population.entropy.to(f.dtype)
        return to_f, to_g, log_sum - bound

    def _targets(self, f: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        if self.subsets is not None:
            return self.subsets.mean(g, torch.empty_like(f)), self.subsets.total(f, torch.empty_like(g))
        population = self.population
        return (
            population.conditional_mean(g).contiguous(),
            population.conditional_mean_transpose(f).contiguous(),
        )

    @cached_property
    def sides(self) -> "launches.Sides":
        """Room for the two passes, made where they are first needed."""
        population = self.population
        tokens = population.token_index.shape[1]
        weights = population.weights.float()
        return self.launches.Sides(weights, population.token_mask, tokens, self.dim)


def _room(table: Tensor, columns: Tensor | None) -> Tensor:
    """Where a gradient goes: where it was asked for, if that lies by rows."""
    rows = None if columns is None else columns.mT
    return torch.empty_like(table) if rows is None or not rows.is_contiguous() else rows
