"""How a language model is to be measured."""

from dataclasses import dataclass, field
from pathlib import Path

from linrep.llm.inner import InnerName
from linrep.llm.tokens import TokenPolicy
from linrep.llm.weights import TableName


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """How to measure; every choice is recorded in the result.

    Example:
        >>> MeasureOptions(draws=99).draws
        99
    """

    table: TableName = "output"
    inner: InnerName = "causal"
    """The inner product of the main table; heatmaps are made under all three."""
    layer: int | str | None = None
    """None: the state the head reads. A number: the residual stream after that many blocks. "all": also every
    layer.
    """
    policy: TokenPolicy = field(default_factory=TokenPolicy)
    centred: bool = True
    shrinkage: float = 0.0
    draws: int = 400
    """Draws of each null."""
    batch_size: int = 32
    cache: Path | None = None
