"""Files written whole or not at all, and what the system says of them as one line.

What is made here has the rights that the umask and the folder give, as what `open` and `mkdir` make: groups
share a folder with the set-group-ID bit, and umask 077 keeps it private.
"""

import contextlib
import errno
import hashlib
import os
import re
import socket
import threading
from collections.abc import Generator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from linrep.errors import FolderError, InputError

if TYPE_CHECKING:
    from torch import Tensor

LONGEST_NAME = 100
"""Bytes of a file's name that the name of its unfinished form repeats; a file system allows 255."""
PROBE = bytes(2**16)
"""Written to see whether a folder can be written."""


def write_file(path: Path, content: "bytes | Mapping[str, Tensor]") -> None:
    """Write a file whole and flushed to disk, replacing an older one only at the end."""
    require_target(path)
    with replacing(path) as temporary:
        _write(temporary, content)


def write_files(folder: Path, files: "Mapping[str, bytes | Mapping[str, Tensor]]") -> None:
    """Write files into a new folder, and flush them: one that is damaged on the way is seen by nobody.

    Args:
        folder: Empty, and not yet where it is looked for.
        files: Name to bytes, or to the tensors of a safetensors file.
    """
    from concurrent.futures import ThreadPoolExecutor

    for name, content in files.items():
        (folder / name).touch(exist_ok=False)
        with _own_rights(folder / name):
            _write(folder / name, content)
    # All written first, and flushed at once: the disk then takes them together, in the time of one.
    with ThreadPoolExecutor(max(1, len(files))) as threads:
        for _ in threads.map(_flush, [folder / name for name in files]):
            pass


def _flush(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _write(path: Path, content: "bytes | Mapping[str, Tensor]") -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
        return
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in content.items()}, path)


@contextlib.contextmanager
def _own_rights(path: Path) -> Generator[None, None, None]:
    """Keep a file's rights: safetensors puts a file of its own in its place, for its owner's eyes only."""
    rights = path.stat().st_mode & 0o777
    yield
    if path.stat().st_mode & 0o777 != rights:
        path.chmod(rights)


def write_text(path: Path | str, text: str) -> Path:
    """Write a text whole; its folder is made if it is not there, and what is wrong with it is one line.

    Raises:
        InputError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_text(Path(folder) / "new" / "page.html", "<p>").name
        'page.html'
    """
    path = Path(path)
    with one_line_errors(path.parent):
        make_folder(path.parent)
        write_file(path, text.encode())
    return path


@contextlib.contextmanager
def replacing(path: Path) -> Generator[Path, None, None]:
    """Where to write a file: at the end it is flushed to disk and takes the place of an older one, whole."""
    sweep_up(path.parent)
    temporary = path.with_name(_unfinished(path.name))
    try:
        temporary.touch(exist_ok=False)
        with _own_rights(temporary):
            yield temporary
        _flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless they are there.

    Raises:
        InputError: A link that leads nowhere stands in its place.
        OSError: It cannot be made.
    """
    for each in (folder, *folder.parents):
        if each.is_symlink() and not each.exists():
            raise InputError(
                f"{each}: is a link to {os.readlink(each)}, which is not there; make that, or remove the link"
            )
    folder.mkdir(parents=True, exist_ok=True)


def new_folder(parent: Path, prefix: str) -> Path:
    """Make a folder that nobody else has, of a name that begins so; others may enter it as the umask says."""
    folder = parent / f"{prefix}{os.urandom(6).hex()}"
    folder.mkdir()
    return folder


def usual_rights(folder: Path) -> None:
    """Give every file of a folder the rights of a new one: libraries write some for the owner's eyes only."""
    new = folder / _unfinished("new")
    new.touch(exist_ok=False)
    rights = new.stat().st_mode & 0o777
    new.unlink()
    for path in folder.iterdir():
        if path.is_file():
            path.chmod(rights)


def require_writable(folder: Path | None) -> None:
    """See that a file can be written into a folder: before hours of work, not after them.

    Args:
        folder: Made when there is something to write into it; None needs nothing.

    Raises:
        FolderError: It cannot be made or written.
        InputError: A link that leads nowhere stands in its place.
    """
    if folder is None:
        return
    absent = [each for each in (folder, *folder.parents) if not each.exists()]
    with one_line_errors(folder):
        make_folder(folder)
        probe(folder)
    with contextlib.suppress(OSError):  # another command may have put something there meanwhile
        for each in absent:
            each.rmdir()


def probe(folder: Path) -> None:
    """Write a file into a folder, and remove it.

    Raises:
        OSError: No file can be written there.
    """
    path = folder / _unfinished("probe")
    try:
        with open(path, "xb") as file:
            file.write(PROBE)
    finally:
        path.unlink(missing_ok=True)


def require_target(path: Path) -> None:
    """Refuse the name of a folder where a file is to be written.

    Raises:
        InputError: It is one, or there is no name.
    """
    if not path.name or path.is_dir():
        raise InputError(f"{path}: expected the name of a file, got a folder; name a file in it")


@contextlib.contextmanager
def one_line_errors(root: Path) -> Generator[None, None, None]:
    """Turn a full disk, a read-only folder or a file in the way into one line."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        # An error of safetensors has no number, but the system's words.
        full = any(os.strerror(number) in reason for number in (errno.ENOSPC, errno.EDQUOT))
        remedy = "free space or choose another place" if full else "choose another place"
        raise FolderError(f"{root}: cannot be written ({reason}); {remedy}") from None


@cache  # once a process: it looks through the whole folder
def sweep_up(folder: Path) -> None:
    """Remove files that processes of this machine left unfinished in a folder when they were killed."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            found = _UNFINISHED.fullmatch(entry.name)
            if found and found["machine"] == _machine() and not _lives(int(found["process"])):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


_UNFINISHED = re.compile(r"\..*\.(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-\d+\.tmp", re.DOTALL)


def _unfinished(name: str) -> str:
    """What a file is called until it is whole: tells whose it is, in case they are killed over it."""
    if len(os.fsencode(name)) > LONGEST_NAME:
        _require_short(name)
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return f".{name}.{_machine()}-{os.getpid()}-{threading.get_ident()}.tmp"


def _require_short(name: str) -> None:
    """Refuse at the beginning what the file system refuses at the end."""
    if len(os.fsencode(name)) > 255:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


@cache
def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's
        return True
    return True
