"""The lookup table: every context has a row of its own, so nothing is said of a context never seen."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from linrep.population.sharding import Shard
from linrep.training.encoder.record import Descend, Encoder, PullBack, Shape
from linrep.training.normals import Normals


class Table(Encoder):
    """The one parameter is the embedding itself.

    Args:
        contexts: Rows.
        dim: k.
        init_scale: Standard deviation of every entry at the start.
    """

    def __init__(self, contexts: int, dim: int, *, init_scale: float) -> None:
        self.shapes = {"embedding": Shape((contexts, dim), init_scale)}

    def embed(self, parameters: list[Tensor]) -> Float[Tensor, "runs contexts dim"]:
        """The table itself, not a copy."""
        return parameters[0]

    def exact(self, parameters: list[Tensor]) -> tuple[Float[Tensor, "runs contexts dim"], PullBack]:
        """The table; its gradient is the embedding's."""
        return parameters[0], lambda slope: [slope]

    def sampled(
        self, parameters: list[Tensor], rows: Int64[Tensor, "runs batch"]
    ) -> tuple[Float[Tensor, "runs batch dim"], Descend]:
        """The sampled rows; only they are moved, a row drawn twice by both."""
        runs, contexts, dim = parameters[0].shape
        flat = (rows + contexts * torch.arange(runs, device=rows.device)[:, None]).reshape(-1)
        table = parameters[0].view(runs * contexts, dim)

        def descend(slope: Tensor, factor: float) -> None:
            table.index_add_(0, flat, slope.view(-1, dim), alpha=factor)

        return table[flat].view(runs, -1, dim), descend


class ShardedTable(Table):
    """One rank's rows of a table shared over processes.

    Every rank passes over all numbers of the start, a piece at a time, and keeps those of its own rows: the
    start is that of one process, and no rank ever has the whole.

    Args:
        shard: Which rows these are.
        dim: k.
        init_scale: Standard deviation of every entry at the start.
    """

    def __init__(self, shard: Shard, dim: int, *, init_scale: float) -> None:
        super().__init__(shard.width, dim, init_scale=init_scale)
        self.shard = shard

    def start(self, draws: Sequence[Normals], dtype: torch.dtype) -> list[Tensor]:
        """The rows of the start that this rank holds, zeros where a run has fewer than another."""
        whole = self.shapes["embedding"]
        contexts, dim = whole.shape
        held = torch.zeros(len(draws), int(self.shard.rows.max()), dim, dtype=dtype)
        for draw, rows, (first, last) in zip(draws, held, self.shard.held.tolist(), strict=True):
            draw.skip(first * dim)
            draw.fill(rows[: last - first], whole.scale)
            draw.skip((contexts - last) * dim)
        return [held]

    def sampled(
        self, parameters: list[Tensor], rows: Int64[Tensor, "runs batch"]
    ) -> tuple[Float[Tensor, "runs batch dim"], Descend]:
        """The sampled rows, those of other ranks (-1) by their answer; only this rank's own are moved."""
        elsewhere = (rows < 0).unsqueeze(-1)
        own, move = super().sampled(parameters, rows.clamp_min(0))

        def descend(slope: Tensor, factor: float) -> None:
            move(slope.masked_fill(elsewhere, 0.0), factor)

        return self.shard.team.total(own.masked_fill(elsewhere, 0.0)), descend
