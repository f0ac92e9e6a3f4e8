"""What a run leaves behind: the config, the worlds, the trained tables, the trace and the summary."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor

from linrep.runs.config import Config
from linrep.runs.summary import Summary
from linrep.worlds.contexts import World

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One experiment, finished.

    Runs may have tables of different heights when each has its own contexts or tokens: row ``i`` of a run's
    table belongs to context (token) ``i`` of its world, and rows past the world's last are padding.
    """

    key: str
    """Name and content hash; also the folder's name."""
    config: Config
    """Resolved: every default filled in."""
    worlds: tuple[World, ...]
    """One per run; the same object where runs share it."""
    embedding: Float[Tensor, "runs contexts dim"]
    """f of every context, as trained."""
    unembedding: Float[Tensor, "runs tokens dim"]
    """g, as trained."""
    parameters: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Weights of the encoder by name, run axis first; empty for a table, whose weights are the embedding."""
    trace: "pd.DataFrame"
    """Tidy: step, run, measure, table, concept, kind, value."""
    snapshot_steps: tuple[int, ...]
    snapshots: Float[Tensor, "snapshots kept tokens dim"]
    """Unembeddings of the first runs over training, as many runs as fit the budget."""
    summary: Summary
    """Everything measured at the end; ``as_dict()`` makes plain data of it, as ``result.json`` has it."""
    provenance: dict[str, Any]
    """Versions, seed, hashes, machine, time."""
    folder: Path | None = None
    """Where it lies, when it was stored."""
