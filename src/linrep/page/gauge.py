"""In which gauge cosines are read, said wherever they are shown."""

from linrep.page.numbers import cosine
from linrep.runs.summary import Cosines, Gauge


def gauge_words(gauge: Gauge | None) -> tuple[str, str] | None:
    """That tables were turned, and what was read before; None where they are read as they lie.

    Example:
        >>> gauge_words(None) is None
        True
    """
    if gauge is None or gauge.read == "as trained":
        return None
    claim = f"Cosines are read in the balanced gauge. As the tables lie: {_said(gauge.as_trained)}."
    detail = (
        f"There they are {_said(gauge.balanced)}. Both tables are turned to where FᵀF = GᵀG with G centred, "
        "which changes no logit: gradient descent stays there by itself, Adam and networks do not. The cube "
        "and the gauge imbalance are those of the tables as they lie."
    )
    return claim, detail


def _said(read: Cosines) -> str:
    g, f = (cosine(read.linearity[table].mean) for table in ("unembedding", "embedding"))
    return f"linearity of g {g}, of f {f}, alignment {cosine(read.alignment.mean)}"
