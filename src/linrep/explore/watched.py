"""A run in a tab, with what theory says of it and what the tab was told."""

import logging
from concurrent.futures import Future
from dataclasses import dataclass

from linrep.explore.course import Course
from linrep.explore.measures import Ahead
from linrep.explore.view import View


@dataclass(slots=True)
class Watched:
    """A run in a tab."""

    number: int
    course: Course
    view: View
    theory: "Future[Ahead]"
    told_step: int = -1
    """Of the last look."""
    told_theory: bool = False
    told_end: bool = False

    @property
    def untold(self) -> bool:
        """Whether there is something to be said of it."""
        if self.told_theory:
            return self.course.over and not self.told_end
        return self.theory.done()


def found_of(theory: "Future[Ahead]") -> Ahead:
    """What theory says; where it broke down, that it did."""
    if (error := theory.exception()) is None:
        return theory.result()
    logging.getLogger(__name__).error("the prediction failed", exc_info=error)
    return Ahead(status="", reason="the prediction failed", no_price="the prediction failed")
