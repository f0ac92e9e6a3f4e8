"""Cards: a small figure, a name, a sentence and its answer, each of which leads to a page."""

from base64 import b64encode
from dataclasses import dataclass

from linrep.page.scale import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A page as it is shown among others.

    Example:
        >>> Card(title="Run", sentence="One world.", href="run.html").source
        ''
    """

    title: str
    sentence: str
    href: str
    """Of the page, relative to the one that holds the card."""
    there: Standing | None = None
    """The answer; None where nothing is asked."""
    command: str = ""
    """By which such a page is made; empty where the page says it."""
    picture: str = ""
    """An SVG; empty: none."""

    @property
    def source(self) -> str:
        """The picture as an address that holds all of it; an image can neither run nor fetch anything."""
        if not self.picture:
            return ""
        return f"data:image/svg+xml;base64,{b64encode(self.picture.encode()).decode()}"
