"""The gallery: every experiment with its answer, and every kind of page, as cards of one page."""

from collections.abc import Mapping, Sequence

import linrep
from linrep.page.cards import Card
from linrep.page.experiment import counted
from linrep.page.shell import Block, Page, Section


def gallery_page(experiments: Sequence[Card], kinds: Mapping[str, Sequence[Card]], missing: str = "") -> Page:
    """One card for each page that there is.

    Args:
        experiments: In the order of the catalogue.
        kinds: Pages of each kind, by the title of their group.
        missing: What to do for experiments that have not been run; empty where there are none.

    Example:
        >>> run = Card(title="A run", sentence="One world.", href="run.html")
        >>> gallery_page([], {"Runs": [run]}).title
        'A page of each kind'
    """
    groups = [("Experiments", experiments), *kinds.items()]
    asked = counted([each.there for each in experiments if each.there])
    sections = [
        Section(
            id=f"group-{place}",
            title=title,
            intro=[missing] if missing and title == "Experiments" else [],
            blocks=[Block(id=f"cards-{place}", kind="cards", title=title, cards=cards)] if cards else [],
        )
        for place, (title, cards) in enumerate(groups, start=1)
    ]
    return Page(
        title=f"{asked}; and a page of each kind" if experiments else "A page of each kind",
        kicker="Everything that linrep draws",
        sections=[section for section in sections if section.blocks or section.intro],
        footer=f"linrep {linrep.__version__}.",
    )
