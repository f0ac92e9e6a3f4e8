"""Stories: a world to look at, and three sentences, each true of a number on screen once training ends."""

from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import TypeAdapter

from linrep.runs.world_config import Table


class Sentence(Table):
    """A sentence, and what has to hold of which number for it to be true."""

    text: str
    measure: str
    """A curve, such as "linearity.unembedding"."""
    run: int = 0
    """0, or 1 for the one beside it."""
    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float | None) -> bool:
        """Whether it is true of a number.

        Example:
            >>> Sentence(text="", measure="alignment", at_least=0.9).holds(0.95)
            True
        """
        low = float("-inf") if self.at_least is None else self.at_least
        high = float("inf") if self.at_most is None else self.at_most
        return value is not None and low <= value <= high


class Story(Table):
    """What to look at.

    Example:
        >>> all_stories()[0].name
        'cube'
    """

    name: str
    """In the address: #story=cube."""
    title: str
    sentences: tuple[Sentence, Sentence, Sentence]
    config: dict[str, Any]
    second: dict[str, Any] | None = None
    """Of a run beside it."""
    pace: str = "fast"


@cache
def all_stories() -> tuple[Story, ...]:
    """Every story, in order.

    Example:
        >>> all(len(story.sentences) == 3 for story in all_stories())
        True
    """
    import tomllib

    text = files("linrep.explore").joinpath("stories.toml").read_text(encoding="utf-8")
    told = tomllib.loads(text)["story"]
    return tuple(TypeAdapter(Story).validate_python(_in_tuples(each)) for each in told)


def _in_tuples(story: dict[str, Any]) -> dict[str, Any]:
    """TOML has lists where the record has three sentences."""
    return {**story, "sentences": tuple(story["sentences"])}
