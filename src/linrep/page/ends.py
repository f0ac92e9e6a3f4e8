"""How a run ended, as figures show it: a shape and a colour of its own, the same on every page."""

from dataclasses import dataclass

from linrep.runs.summary import END_WORDS, EndWord

SEVERAL = "ended differently"
"""A run of several seeds of which only a median over all is kept."""
UNKNOWN = "not judged"
"""A record of before, in which how it ended was not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Of a dot."""

    symbol: str
    """As plotly names it."""
    colour: str
    """As the palette names it."""


LOOKS: dict[EndWord, Look] = {
    "converged": Look(symbol="circle", colour="--good"),
    "on a plateau": Look(symbol="square", colour="--fair"),
    "unfinished": Look(symbol="triangle-up", colour="--null"),
    "too narrow": Look(symbol="triangle-down", colour="--concept-9"),
    "diverged": Look(symbol="x", colour="--poor"),
}
COLOURS = tuple(LOOKS[word].colour for word in END_WORDS)
"""In the order of the words."""


def look(word: str) -> Look:
    """Of any word for how a run ended, of one that has none too.

    Example:
        >>> look("unfinished").symbol, look("not judged").symbol
        ('triangle-up', 'circle-open')
    """
    for known, found in LOOKS.items():
        if known == word:
            return found
    return Look(symbol="circle-open" if word == UNKNOWN else "star", colour="--muted")


def in_order(words: set[str]) -> list[str]:
    """Words for how runs ended, the best first.

    Example:
        >>> in_order({"not judged", "unfinished", "converged"})
        ['converged', 'unfinished', 'not judged']
    """
    order = [*END_WORDS, SEVERAL, UNKNOWN]
    return sorted(words, key=order.index)
