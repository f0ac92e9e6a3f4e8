"""The API reference: a page for each room, with every name that its stub makes public.

The pages are written anew by every build from the rooms themselves, and the build ends where a public name
has no docstring or did not reach the reference. References in docstrings to what is not public are shown as
code, if they name something that exists.
"""

import importlib
import inspect
from pathlib import Path
from types import ModuleType

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

import linrep

FOLDER = "api"


def rooms() -> list[str]:
    """Names of the modules that have public names: linrep itself first."""
    public = [name for name in linrep.__all__ if inspect.ismodule(getattr(linrep, name))]
    return ["linrep", *(f"linrep.{name}" for name in public if names(f"linrep.{name}"))]


def names(room: str) -> list[str]:
    """Public names of a room, without the rooms within."""
    module = importlib.import_module(room)
    found = [name for name in getattr(module, "__all__", ()) if not name.startswith("_")]
    return [name for name in found if not inspect.ismodule(getattr(module, name))]


def told() -> set[str]:
    """Every public name under the one place where it is told: under linrep where it is one of its own."""
    return {f"{room}.{name}" for room in rooms() for name in names(room) if not _elsewhere(room, name)}


def page(room: str) -> str:
    """The reStructuredText of a room's page."""
    module = importlib.import_module(room)
    missing = [name for name in names(room) if _undocumented(module, name)]
    if missing:
        raise ExtensionError(f"{room}: without a docstring: {', '.join(missing)}")
    parts = [room, "=" * len(room), "", f".. automodule:: {room}", "   :no-members:", ""]
    for name in names(room):
        parts += [*_entry(module, room, name), ""]
    return "\n".join(parts)


def _elsewhere(room: str, name: str) -> bool:
    """Whether it is one of linrep's own too, and told there."""
    found = getattr(importlib.import_module(room), name)
    return room != "linrep" and name in names("linrep") and getattr(linrep, name) is found


def _undocumented(module: ModuleType, name: str) -> bool:
    found = getattr(module, name)
    return callable(found) and not (found.__doc__ or "").strip()


def _entry(module: ModuleType, room: str, name: str) -> list[str]:
    found = getattr(module, name)
    kind = "class" if inspect.isclass(found) else "func"
    if _elsewhere(room, name):
        return [f"- :{kind}:`linrep.{name}`, told there."]
    if inspect.isclass(found):
        members = [] if issubclass(found, Exception) else ["   :members:"]
        return [f".. autoclass:: {room}.{name}", *members]
    if callable(found):
        return [f".. autofunction:: {room}.{name}"]
    return [f".. autodata:: {room}.{name}", "   :no-value:"]


def write(app: Sphinx) -> None:
    """Write the pages, and leave those alone that would not change."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(exist_ok=True)
    entries = "\n".join(f"   {room}" for room in rooms())
    heading = "API reference"
    index = f"{heading}\n{'=' * len(heading)}\n\nEvery public name, by room.\n\n.. toctree::\n\n{entries}\n"
    wanted = {"index": index, **{room: page(room) for room in rooms()}}
    for path in folder.glob("*.rst"):
        if path.stem not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = folder / f"{name}.rst"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def check(_: Sphinx, env: BuildEnvironment) -> None:
    """End the build where a public name is not in the reference."""
    missing = sorted(told() - env.domains.python_domain.objects.keys())
    if missing:
        raise ExtensionError(f"public names that are missing from the reference: {', '.join(missing)}")


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: nodes.Element
) -> nodes.Element | None:
    """Link what is public under its public name, show as code what is importable, let the rest be told."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].lstrip("~.")
    places = ("", _module(node), "linrep.errors.")
    found = next((found for place in places if (found := _imported(f"{place}{target}")) is not None), None)
    if found is None and node.source not in {None, "<unknown>"}:  # those are the types in signatures
        return None
    public = _public_name(found)
    if public is None:
        return shown
    docname, anchor = env.domains.python_domain.objects[public][:2]
    if docname is None or node.get("refdoc") is None:
        return shown
    uri = f"{app.builder.get_relative_uri(node['refdoc'], docname)}#{anchor}"
    return nodes.reference("", "", shown, internal=True, refuri=uri)


def _module(node: nodes.Node) -> str:
    """The module in whose docstring a reference stands, with a dot behind it."""
    path, of, _ = (node.source or "").partition(".py:docstring of ")
    return f"linrep.{'.'.join(path.rpartition('/linrep/')[2].split('/'))}." if of else ""


def _imported(name: str) -> object | None:
    """The object that a dotted name names, or None."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            found = getattr(found, part, None)
        return found
    return None


def _public_name(found: object) -> str | None:
    if found is None or inspect.ismodule(found):
        return None
    for room in rooms():
        module = importlib.import_module(room)
        for name in names(room):
            if getattr(module, name) is found:
                return f"{room}.{name}"
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Write before anything is read, check after all is."""
    app.connect("builder-inited", write)
    app.connect("env-updated", check)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
