r"""One world over many processes: each holds some of the contexts, and everything that has a row per context.

Every process (rank) of a team computes the gradient of its own rows of F, and the sum over its own contexts
of the gradient of G; only the latter travels. A process by itself is a team of one, for which every exchange
is the identity: the code that trains knows of one case only.

From the start on and during steps a rank holds its own rows only, of F, of its gradient and of Adam's
moments; logits and targets are never whole anywhere. To measure, rank 0 gathers all of F; a checkpoint passes
through it a block at a time.

.. math::

    \nabla_{g(c)} L = \sum_{\text{ranks}} \; \sum_{d \text{ on that rank}} \omega(d) \,
    (\hat p(c|d) - p(c|d)) \, f(d)
"""

import contextlib
import math
import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from linrep.errors import InputError, LostError
from linrep.worlds.transforms import Cube

TIMEOUT = timedelta(minutes=30)
"""How long a rank waits for another: longer than rank 0 takes to measure a snapshot."""
BLOCK = 2**20
"""Numbers of a table that travel at once."""
PIECES = 32
"""Prefixes per rank at least, so that shares differ by a few percent."""


@dataclass(frozen=True, slots=True)
class Team:
    """The processes that share one world; a process by itself is a team of one."""

    rank: int = 0
    """Which of them this is. Rank 0 measures and writes."""
    ranks: int = 1

    def total(self, part: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
        """The sum of every rank's tensor, the same bits on each; may overwrite the one given."""
        if self.ranks == 1:
            return part
        whole = part.contiguous()
        with _still_here():
            dist.all_reduce(whole)
        return whole

    def any(self, *asked: bool) -> tuple[bool, ...]:
        """Whether any rank says yes, question by question."""
        if self.ranks == 1:
            return asked
        return tuple(bool(votes) for votes in self.total(torch.tensor(asked, dtype=torch.int64)))

    def told(self, *tensors: Tensor) -> None:
        """Overwrite tensors by those of rank 0."""
        if self.ranks == 1:
            return
        for tensor in tensors:
            whole = tensor.contiguous()
            with _still_here():
                dist.broadcast(whole, 0)
            tensor.copy_(whole)


ALONE = Team()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shard:
    """A rank's part of the contexts: those whose first digits lie in a range."""

    team: Team
    cube: Cube
    """Which contexts this rank holds."""
    cuts: Int64[Tensor, "runs edges"]
    """Rank r holds rows ``cuts[run, r]`` to ``cuts[run, r + 1]`` of each run's contexts."""

    @classmethod
    def of(cls, sizes: tuple[int, ...], context_index: Sequence[Tensor], team: Team = ALONE) -> "Shard":
        """The part of this rank, cut where it leaves every rank about equally many contexts.

        Args:
            sizes: Number of states of each concept.
            context_index: Flat index of each run's contexts, ascending if there are several ranks.
            team: All ranks; each computes the same cuts.

        Raises:
            InputError: If there are too few contexts for so many ranks, or they are not in order.
        """
        if team.ranks == 1:
            cuts = torch.tensor([[0, len(index)] for index in context_index])
            return cls(team=team, cube=Cube(sizes=sizes), cuts=cuts)
        if any(bool((index.diff() <= 0).any()) for index in context_index):
            raise InputError("contexts: expected ascending order to share them over ranks; sort them")
        leading = 0
        while leading < len(sizes) and _prefixes(sizes[:leading]) < PIECES * team.ranks:
            leading += 1
        cube = Cube(sizes=sizes, leading=leading)
        held = torch.zeros(_prefixes(sizes[:leading]), dtype=torch.int64)
        for index in context_index:
            held += torch.bincount(index.cpu() // cube.stride, minlength=len(held))
        upto = torch.cat([held.new_zeros(1), held.cumsum(0)])
        wanted = torch.arange(team.ranks + 1) * int(upto[-1]) // team.ranks
        edges = (upto - wanted[:, None]).abs().argmin(1)
        edges[-1] = len(held)
        if bool((upto[edges].diff() <= 0).any()):
            raise InputError(
                f"ranks: expected no more than the contexts can be shared over, got {team.ranks} for "
                f"{max(len(index) for index in context_index)} contexts; start fewer processes"
            )
        bounds = edges * cube.stride
        cuts = torch.stack([torch.searchsorted(index.cpu(), bounds) for index in context_index])
        first, last = edges[team.rank : team.rank + 2].tolist()
        return cls(team=team, cube=Cube(sizes=sizes, leading=leading, prefixes=(first, last)), cuts=cuts)

    def select(self, runs: Tensor) -> "Shard":
        """The same part of some of the runs."""
        return Shard(team=self.team, cube=self.cube, cuts=self.cuts[runs.to(self.cuts.device)])

    def own(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """The rows of this rank, one tensor per run, contexts first."""
        return [each[first:last] for each, (first, last) in zip(rows, self.held.tolist(), strict=True)]

    @property
    def held(self) -> Int64[Tensor, "runs 2"]:
        """The first of this rank's rows of each run, and the one after its last."""
        return self.cuts[:, self.team.rank : self.team.rank + 2]

    @property
    def rows(self) -> Int64[Tensor, " runs"]:
        """How many contexts of each run this rank holds."""
        return self.held[:, 1] - self.held[:, 0]

    @property
    def width(self) -> int:
        """Rows of the widest run, all ranks together."""
        return int(self.cuts[:, -1].max())

    def mass_before(self, mass: Float[Tensor, " runs"]) -> Float[Tensor, "runs edges"]:
        """What lies before each rank, and at last the sum of all: the same bits on every rank."""
        spread = mass.new_zeros(len(mass), self.team.ranks + 1)
        spread[:, self.team.rank + 1] = mass
        return self.team.total(spread).cumsum(1)

    def gather(self, part: Float[Tensor, "runs rows dim"]) -> Float[Tensor, "runs contexts dim"] | None:
        """Every rank's rows as one table on the CPU of rank 0, None elsewhere; alone, the table itself."""
        if self.team.ranks == 1:
            return part
        if self.team.rank:
            self.send(part)
            return None
        whole = part.new_zeros(len(part), self.width, part.shape[2], device="cpu")
        for run, first, block in self.blocks(part):
            whole[run, first : first + len(block)] = block
        return whole

    def blocks(
        self, part: Float[Tensor, "runs rows dim"]
    ) -> Iterator[tuple[int, int, Float[Tensor, "some dim"]]]:
        """Every rank's rows, few at a time, on the CPU of rank 0: their run, the first's number, and they.

        Args:
            part: This rank's; the others have to :meth:`send` theirs.
        """
        for run, rank, rows in self._stretches(part.shape[2]):
            if rank == 0:
                block = part[run, rows].detach().cpu()
            else:
                block = part.new_empty(rows.stop - rows.start, part.shape[2], device="cpu")
                with _still_here():
                    dist.recv(block, rank)
            yield run, rows.start, block

    def send(self, part: Float[Tensor, "runs rows dim"]) -> None:
        """What :meth:`blocks` on rank 0 waits for, on every other rank."""
        for run, rank, rows in self._stretches(part.shape[2]):
            if rank == self.team.rank:
                block = part[run, self._here(run, rows)].detach().cpu().contiguous()
                with _still_here():
                    dist.send(block, 0)

    def deal(self, whole: Any, part: Float[Tensor, "runs rows dim"]) -> None:
        """Overwrite every rank's part by its rows of rank 0's whole, few at a time.

        Args:
            whole: Anything that has rows at ``[run, first:last]``, in memory or not; not looked at elsewhere.
            part: This rank's.
        """
        for run, rank, rows in self._stretches(part.shape[2]):
            if self.team.rank not in (0, rank):
                continue
            if self.team.rank:
                block = part.new_empty(rows.stop - rows.start, part.shape[2], device="cpu")
                with _still_here():
                    dist.recv(block, 0)
            else:
                block = whole[run, rows].to(part.dtype).contiguous()
            if rank == self.team.rank:
                part[run, self._here(run, rows)] = block
            else:
                with _still_here():
                    dist.send(block, rank)

    def _stretches(self, dim: int) -> Iterator[tuple[int, int, slice]]:
        """All rows of a table, as every rank goes through them: the run, the rank, some of its rows."""
        some = max(1, BLOCK // dim)
        for run, edges in enumerate(self.cuts.tolist()):
            for rank, (first, last) in enumerate(pairwise(edges)):
                for start in range(first, last, some):
                    yield run, rank, slice(start, min(start + some, last))

    def _here(self, run: int, rows: slice) -> slice:
        """Where this rank has rows of the whole."""
        first = int(self.held[run, 0])
        return slice(rows.start - first, rows.stop - first)


@contextlib.contextmanager
def team(device: str = "cpu", *, timeout: timedelta = TIMEOUT) -> Generator[Team, None, None]:
    """Join the processes that torchrun started beside this one; without torchrun, a team of one.

    Args:
        device: Where they compute. With "cuda" every rank of a machine takes a card of its own.
        timeout: How long to wait for another rank before giving up.

    Yields:
        The team, for as long as the context lasts.

    Raises:
        InputError: Not enough cards, or one named that all ranks would share.
        LostError: The ranks do not find each other.

    Example:
        >>> with team() as alone:
        ...     alone.ranks
        1
    """
    ranks = int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1
    if ranks == 1:
        yield ALONE
        return
    if device == "auto":
        raise InputError(
            "compute.device: expected a name with several processes, got 'auto'; say 'cpu' or 'cuda'"
        )
    if torch.device(device).type == "cuda":
        _take_card(device)
    nccl = torch.cuda.is_available() and dist.is_nccl_available()
    with _still_here():
        dist.init_process_group("cpu:gloo,cuda:nccl" if nccl else "gloo", timeout=timeout)
    try:
        yield Team(int(os.environ["RANK"]), ranks)
    finally:
        dist.destroy_process_group()


def _take_card(device: str) -> None:
    local, cards = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if ":" in device:
        raise InputError(
            f"compute.device: expected 'cuda' with several processes, got {device!r}; each takes its own card"
        )
    if local >= cards:
        raise InputError(f"ranks: expected a card each, got {cards} for process {local}; start fewer here")
    torch.cuda.set_device(local)


@contextlib.contextmanager
def _still_here() -> Generator[None, None, None]:
    """A rank that ended or hangs is one line on the others."""
    try:
        yield
    except RuntimeError as error:
        # Gloo puts a place in its source before what happened, and advice after it.
        reason = str(error).partition("\n")[0].rpartition(".cc:")[2].partition("] ")
        reason = (reason[2] or reason[0]).partition(". ")[0] or type(error).__name__
        raise LostError(
            f"another process ended or does not answer ({reason}); see its own words, then run again"
        ) from None


def _prefixes(sizes: Sequence[int]) -> int:
    return math.prod(size + 1 for size in sizes)
