"""Both answers in a terminal: is it there, in a word, and how much, as a bar to a stated end."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from linrep.page.scale import Scale, Standing, bar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from linrep.page.shell import Line

LEGEND = "▒ 95 % interval, ┃ chance; yes: all of the interval lies beyond it, no: none"
NARROWEST, WIDEST = 8, 24
"""Characters of a bar."""
COLOURS: dict[Standing, str] = {"yes": "green", "no": "red", "undecided": "yellow", "note": "bright_black"}


def measures(scales: Sequence[Scale], width: int) -> "Table":
    """A line for each measure: whether it is there, its name, its bar, its number and the end of its scale.

    Args:
        scales: Those with a number are shown.
        width: Of the terminal, in characters.
    """
    from rich.table import Table
    from rich.text import Text

    shown = [scale for scale in scales if scale.value is not None]
    heads = ("there", "measure", "how much", "of")
    ends = [f"{s.write(s.end) if s.end % 1 else f'{s.end:g}'}{s.end_name and ' predicted'}" for s in shown]
    cells = [(s.there, s.name, s.number, end) for s, end in zip(shown, ends, strict=True)]
    taken = sum(max(map(len, column)) for column in zip(heads, *cells, strict=True))
    room = min(max(width - taken - 2 * len(heads), NARROWEST), WIDEST)
    table = Table(
        *heads[:2], "", *heads[2:], box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold"
    )
    for column in table.columns:
        column.no_wrap = True
    for scale, (there, name, number, end) in zip(shown, cells, strict=True):
        table.add_row(Text(there, COLOURS[scale.there]), name, bar(scale, room), Text(number), end)
    return table


def say(console: "Console", lines: Iterable["Line"]) -> None:
    """Every line of a verdict: its answer, its sentence, and how much, with the bar, below.

    Sentences are broken at the terminal's width and stand beside their answer, not below it.

    Args:
        console: Where to.
        lines: Of a page.
    """
    from rich.table import Table
    from rich.text import Text

    shown = Table.grid(padding=(0, 2, 0, 0))
    shown.add_column(no_wrap=True, min_width=len("undecided"))
    shown.add_column(overflow="fold")
    for line in lines:
        said = f"{line.claim} {line.detail}".rstrip()
        shown.add_row(Text(line.word or line.there, COLOURS[line.there]), Text(said))
        for scale in line.scales:
            if scale.value is not None:
                shown.add_row("", Text(f"{bar(scale)}  {scale.words}"))
    console.print(shown)
