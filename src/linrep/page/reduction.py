"""What was made of a network before it was trained on, in words."""

from linrep.errors import many
from linrep.page.numbers import count, listed
from linrep.runs.summary import Reduced

FEW = 4
"""Most arrows that are named."""


def reduction_words(found: Reduced | None, kept: int) -> str | None:
    """What was left out of a network, and what that does to its graph; None where it is whole.

    Args:
        found: Of a summary.
        kept: How many concepts there are.

    Example:
        >>> reduction_words(Reduced(variables=8, added=(("tub", "xray"),)), 3)
        '3 of 8 variables, the others summed out exactly; that adds 1 arrow (tub to xray).'
    """
    if found is None:
        return None
    words = [f"{count(kept)} of {count(found.variables)} variables, the others summed out exactly"]
    if kept == found.variables:
        words = [f"All {count(kept)} variables"]
    if found.merged:
        words.append(f"states of {listed(list(found.merged))} are merged")
    arrows = [f"{parent} to {child}" for parent, child in found.added]
    named = f" ({listed(arrows)})" if 0 < len(arrows) <= FEW else ""
    adds = many(len(arrows), "arrow") if arrows else "no arrow"
    words.append(f"that adds {adds}{named}")
    return f"{'; '.join(words)}."
