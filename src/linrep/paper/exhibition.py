"""The gallery: one page, and one of Markdown, that lead to every experiment and to a page of every kind."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from linrep.errors import InputError
from linrep.files import one_line_errors, write_file
from linrep.page.cards import Card
from linrep.page.experiment import card
from linrep.page.gallery import gallery_page
from linrep.page.numbers import listed
from linrep.page.shell import assemble
from linrep.paper.catalogue import NAMES
from linrep.paper.page_kinds import KINDS, WORK, Kind
from linrep.paper.report import THUMBNAILS, pictures, records
from linrep.paper.results import GALLERY, told

INDEX, MARKDOWN = "index.html", GALLERY
ACROSS = 3
"""Cards of a row of Markdown."""
Progress = Callable[[int, int, str], None]
"""Given how many pages are made, how many there are, and which is being made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """What the gallery shows, and where it lies.

    Example:
        >>> shown = Gallery(page=Path("gallery/index.html"), experiments={}, kinds={}, left_out={})
        >>> shown.page.name
        'index.html'
    """

    page: Path
    experiments: Mapping[str, Card]
    """By name, in the order of the catalogue."""
    kinds: Mapping[str, Card]
    """By name; one that could not be made is not there."""
    left_out: Mapping[str, str]
    """Why a kind could not be made."""


def gallery(
    out: Path | str,
    found: Path | str | None = None,
    *,
    kinds: Sequence[Kind] | None = None,
    force: bool = False,
    results: Path | str | None = None,
    progress: Progress | None = None,
) -> Gallery:
    """Write the gallery: a page with a thumbnail, a sentence and an answer for everything that is drawn.

    Experiments are those of the catalogue that lie in a folder; of every kind of page a small one is made.

    Args:
        out: Folder of the gallery: its page, and a page of each kind, which is found again the next time.
        found: Where experiments lie: the folder of ``linrep reproduce``, or of its ``--results``.
        kinds: Of pages; by default all of them.
        force: Make pages again that are there.
        results: Also write the gallery as Markdown here, where the results of the same experiments lie.
        progress: Told of each page that is made.

    Returns:
        What it shows.

    Raises:
        InputError: There is no experiment where they should be, or a folder cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     gallery(place, kinds=[]).page.is_file()
        True
    """
    out, kinds = Path(out), KINDS if kinds is None else kinds
    experiments = {} if found is None else experiment_cards(Path(found), out)
    if found is not None and not experiments:
        raise InputError(f"{found}: expected experiments, got none; run `linrep reproduce --all --quick`")
    made: dict[str, Card] = {}
    left_out: dict[str, str] = {}
    with one_line_errors(out):
        (out / THUMBNAILS).mkdir(parents=True, exist_ok=True)
    for at, kind in enumerate(kinds):
        if progress is not None:
            progress(at, len(kinds), kind.title)
        try:
            made[kind.name] = _made(kind, out, force=force)
        except InputError as error:  # such as packages that are not here
            left_out[kind.name] = str(error)
    if progress is not None:
        progress(len(kinds), len(kinds), "")
    shown = Gallery(page=out / INDEX, experiments=experiments, kinds=made, left_out=left_out)
    with one_line_errors(out):
        groups = {title: list(cards.values()) for title, cards in _grouped(shown, kinds).items()}
        page = gallery_page(list(experiments.values()), groups, missing(experiments))
        write_file(shown.page, assemble(page).encode())
    if results is not None:
        _write_markdown(shown, kinds, Path(results))
    return shown


def experiment_cards(found: Path, out: Path) -> dict[str, Card]:
    """A card for every experiment that lies in a folder, whichever of its two kinds that is.

    Args:
        found: Of ``linrep reproduce``, or of its ``--results``.
        out: Folder of the page that holds the cards.
    """
    drawn = pictures(found)
    answers: list[tuple[Mapping[str, Any], str]] = [(each, each["page"]) for each in records(found)]
    if not answers:
        pages = [found / f"{name}.md" for name in NAMES]
        answers = [(told(page), page.name) for page in pages if page.is_file()]
    return {
        (name := Path(page).stem): card(each, _way(found / page, out), drawn.get(name, ""))
        for each, page in answers
    }


def missing(experiments: Collection[str]) -> str:
    """What to do for experiments that have not been run.

    Example:
        >>> missing(NAMES), missing(())[:36]
        ('', 'None is here yet. linrep reproduce -')
    """
    absent = [name for name in NAMES if name not in experiments]
    if not absent:
        return ""
    if not experiments:
        return "None is here yet. linrep reproduce --all --quick runs them; --from says where they lie."
    return f"Not run yet: {listed(absent)}. linrep reproduce runs them."


def _way(page: Path, out: Path) -> str:
    """From the gallery to a page, as a link."""
    return quote(Path(os.path.relpath(page.resolve(), out.resolve())).as_posix())


def _made(kind: Kind, out: Path, *, force: bool) -> Card:
    """A kind's card, its page and thumbnail being written if they are not there."""
    page, small = out / f"{kind.name}.html", out / THUMBNAILS / f"{kind.name}.svg"
    if force or not (page.is_file() and small.is_file()):
        made = kind.make(out / WORK)
        with one_line_errors(out):
            write_file(small, made.picture.encode())
            write_file(page, assemble(made.page).encode())
    return Card(
        title=kind.title,
        sentence=kind.sentence,
        href=page.name,
        command=kind.command,
        picture=small.read_text(encoding="utf-8"),
    )


def _grouped(shown: Gallery, kinds: Sequence[Kind]) -> dict[str, dict[str, Card]]:
    """Pages of each kind by their group, and by their name."""
    groups: dict[str, dict[str, Card]] = {}
    for kind in kinds:
        if kind.name in shown.kinds:
            groups.setdefault(kind.group, {})[kind.name] = shown.kinds[kind.name]
    return groups


def _write_markdown(shown: Gallery, kinds: Sequence[Kind], folder: Path) -> None:
    """The gallery as Markdown, and its thumbnails beside it."""
    with one_line_errors(folder):
        (folder / THUMBNAILS).mkdir(parents=True, exist_ok=True)
        for name, each in {**shown.experiments, **shown.kinds}.items():
            if not each.picture:
                continue
            write_file(folder / THUMBNAILS / f"{name}.svg", each.picture.encode())
        write_file(folder / MARKDOWN, markdown(shown, kinds).encode())


def markdown(shown: Gallery, kinds: Sequence[Kind]) -> str:
    """The gallery in Markdown: rows of thumbnails, and below each its name, answer and sentence.

    Args:
        shown: Experiments lead to the pages of their results, which lie beside.
        kinds: The groups of the others, which say by which command they are made.
    """
    parts = [
        "# Gallery",
        "Every experiment with its answer, and a page of each kind. `linrep gallery` makes it, as one page "
        "that leads to all of them.",
    ]
    if shown.experiments:
        cards = [_told(name, each, f"{name}.md") for name, each in shown.experiments.items()]
        parts += ["## Experiments", _table(cards)]
    for title, group in _grouped(shown, kinds).items():
        parts += [f"## {title}", _table([_told(name, each, "") for name, each in group.items()])]
    return "\n\n".join(parts) + "\n"


def _told(name: str, each: Card, page: str) -> tuple[str, str]:
    """Picture and words of a card."""
    drawn = f"![{each.title}]({THUMBNAILS}/{name}.svg)" if each.picture else ""
    title, sign = f"**{each.title}**", f" **{each.there}**" if each.there and each.there != "note" else ""
    words = f"{each.sentence}{f' `{each.command}`' if each.command else ''}".replace("|", "\\|")
    if not page:
        return drawn, f"{title}<br>{words}"
    return f"[{drawn}]({page})" if drawn else "", f"[{title}]({page}){sign}<br>{words}"


def _table(cards: Sequence[tuple[str, str]]) -> str:
    """Rows of pictures over rows of words; the first row of pictures is the table's head."""
    rows: list[tuple[str, ...]] = []
    for at in range(0, len(cards), ACROSS):
        some = cards[at : at + ACROSS]
        filled = (*some, *[("", "")] * (ACROSS - len(some)))
        rows += [tuple(each[part] for each in filled) for part in (0, 1)]
    text = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([text[0], "|" + "---|" * ACROSS, *text[1:]])
