"""The built-in data in a terminal."""

from typing import TYPE_CHECKING

import typer

from linrep.errors import many
from linrep.page.numbers import ABSENT, count

if TYPE_CHECKING:
    from linrep.llm.catalogue import Catalogue, CataloguedConcept

WORDS = ("concept", "example", "dropped")
"""Columns of words, read from the left."""


def show(found: "Catalogue") -> None:
    """One line for each concept, then all of it in numbers."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    counted = found.tokenizer is not None
    own = ("kept", "dropped") if counted else ()
    shown = Table(box=None, header_style="bold")
    for head in ("concept", "example", "pairs", *own, "contexts", "frames"):
        shown.add_column(head, justify="left" if head in WORDS else "right", no_wrap=head == "concept")
    for each in found.concepts:
        shown.add_row(*map(escape, _cells(each)))
    console = Console()
    console.print(shown)
    pairs = sum(len(each.pairs) for each in found.concepts)
    said = f"{many(len(found.concepts), 'concept')}, {many(pairs, 'word pair')}"
    if counted:
        kept = sum(each.kept.kept for each in found.concepts if each.kept is not None)
        said += f" ({count(kept)} kept by {found.tokenizer}, leading space: {found.leading_space}, "
        said += f"words of several tokens: {found.multi_token})"
    said += f"; {sum(map(len, found.squares))} word squares; {len(found.winograd)} Winograd pairs."
    console.print(escape(said), soft_wrap=True)
    first = found.concepts[0].pairs
    typer.echo(f"All of it: {first.provenance}, {first.licence}.")


def _cells(concept: "CataloguedConcept") -> list[str]:
    pairs, contexts, kept = concept.pairs, concept.contexts, concept.kept
    cells = [pairs.concept, " / ".join(pairs.pairs[0]), count(len(pairs))]
    if kept is not None:
        why = ", ".join(f"{number} {reason}" for reason, number in kept.dropped.items())
        cells += [count(kept.kept), why]
    numbers = (0, 0) if contexts is None else (len(contexts), len(contexts.frames))
    return [*cells, *(count(number) if number else ABSENT for number in numbers)]
