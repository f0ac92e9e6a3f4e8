"""Every link within the built site leads somewhere, nothing is fetched from outside; else the build ends."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
NOT_FETCHED = {"canonical", "search", "index", "next", "prev", "genindex", "license"}
"""Values of ``rel`` under which a browser loads nothing."""


class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, path: Path) -> None:
        """Read it whole."""
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down one tag."""
        found = {name: value for name, value in attrs if value}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if tag in FETCHED and FETCHED[tag] in found and found.get("rel") not in NOT_FETCHED:
            self.loads.add(found[FETCHED[tag]])


def broken(site: Path) -> list[str]:
    """One line for each link that leads nowhere and each thing fetched from outside."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    lines: list[str] = []
    for path, page in pages.items():
        where = path.relative_to(site.resolve())
        lines += [f"{where}: loads {url}" for url in sorted(page.loads) if urlsplit(url).netloc]
        for link in sorted(page.links | page.loads):
            if not _leads(link, path, pages):
                lines.append(f"{where}: {link} leads nowhere")
    return lines


def _leads(link: str, path: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if parts.fragment and target in pages:
        return unquote(parts.fragment) in pages[target].places
    return target.exists()


def check(app: Sphinx, error: Exception | None) -> None:
    """Look through the pages once they are written."""
    if error is None and app.builder.format == "html" and (lines := broken(Path(app.outdir))):
        raise ExtensionError("broken links:\n" + "\n".join(lines))


def setup(app: Sphinx) -> dict[str, bool]:
    """After all else."""
    app.connect("build-finished", check, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
