"""Files written whole or not at all, and what the system says of them as one line."""

import contextlib
import errno
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from linrep.errors import FolderError, InputError

if TYPE_CHECKING:
    from torch import Tensor


def write_file(path: Path, content: "bytes | Mapping[str, Tensor]") -> None:
    """Write a file whole and flushed to disk, replacing an older one only at the end."""
    if not path.name or path.is_dir():
        raise InputError(f"{path}: expected the name of a file, got a folder; name a file in it")
    with replacing(path) as temporary:
        if isinstance(content, bytes):
            temporary.write_bytes(content)
        else:
            from safetensors.torch import save_file

            save_file({name: tensor.contiguous() for name, tensor in content.items()}, temporary)
            os.chmod(temporary, 0o644)


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
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text.encode())
    return path


@contextlib.contextmanager
def replacing(path: Path) -> Generator[Path, None, None]:
    """Where to write a file: at the end it is flushed to disk and takes the place of an older one, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
