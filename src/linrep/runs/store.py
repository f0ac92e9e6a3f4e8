"""Run folders: found by what they contain, written whole or not at all.

``<root>/<key>/`` holds a finished run; ``<root>/.partial/<key>/`` the checkpoint of one under way. A folder
gets its final name by one rename, after everything in it is on disk, so a half-written run is never seen.
torch is loaded only where tensors are read or written: listing runs needs none.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from pydantic_core import from_json
from safetensors import SafetensorError, safe_open

from linrep.errors import BusyError, DamagedError, FolderError, InputError
from linrep.files import (
    make_folder,
    new_folder,
    one_line_errors,
    probe,
    sweep_up,
    write_files,
)

if TYPE_CHECKING:
    from torch import Tensor

PARTIAL, LOCK = ".partial", "lock"
BOARD = "board."
"""How the names of the sweeps' boards begin, among the partial folders; no key has a dot."""
PATIENCE = 0.2
"""Seconds for whoever holds a lock for a moment to let go of it."""
CONFIG, RESULT, TRACE = "config.json", "result.json", "trace.parquet"
WORLDS, TABLES, SNAPSHOTS, PROVENANCE = (
    "worlds.json",
    "tables.safetensors",
    "snapshots.safetensors",
    "provenance.json",
)
ANSWER = ".answer.json"
"""How the name of a sweep's answer ends; its page and its numbers lie beside it, beside the runs."""


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of runs."""

    root: Path

    def find(self, key: str) -> Path | None:
        """The folder of a finished run."""
        folder = self.root / key
        return folder if holds_run(folder) else None

    def resolve(self, name: str) -> Path:
        """The one finished run whose key starts with, or whose hash starts with, ``name``.

        Raises:
            InputError: None or several.
        """
        matches = [
            key for key in self.finished() if key.startswith(name) or key.rpartition("-")[2].startswith(name)
        ]
        if len(matches) == 1:
            return self.root / matches[0]
        if not matches:
            raise InputError(
                f"run {name!r}: none in {self.root}; `linrep runs --out {self.root}` lists what is there"
            )
        raise InputError(
            f"run {name!r}: expected one, got {len(matches)} ({', '.join(matches[:3])} …); give more of it"
        )

    def finished(self) -> list[str]:
        """Keys of all finished runs, sorted."""
        if not self.root.is_dir():
            return []
        return sorted(
            entry.name
            for entry in os.scandir(self.root)
            if not entry.name.startswith(".") and holds_run(Path(entry.path))
        )

    @contextlib.contextmanager
    def claim(self, key: str, *, patience: float = PATIENCE) -> Generator[Path, None, None]:
        """Hold a run's partial folder against other processes while it is trained.

        The system lets go of the lock when its holder ends, however it ends.

        Args:
            key: Of the run.
            patience: Seconds for another to let go of it.

        Raises:
            BusyError: Another process holds it.
            FolderError: The folder cannot be written or locked.
        """
        folder = self.root / PARTIAL / key
        busy = BusyError(f"run {key}: another process is training it; wait for that one to finish")
        with one_line_errors(self.root):
            make_folder(self.root)
        with locked(folder, busy, patience) as held:
            try:
                # Folders that a killed process was about to publish.
                for left in (self.root / PARTIAL).glob(f"{key}.*"):
                    shutil.rmtree(left, ignore_errors=True)
                with one_line_errors(self.root):
                    probe(folder)
                yield folder
            finally:
                # Once this run is published, another process may have begun a folder of the same name.
                if held() and {entry.name for entry in folder.glob("*")} == {LOCK}:
                    shutil.rmtree(folder, ignore_errors=True)

    def sweep_up(self) -> None:
        """Remove what killed processes left that nobody goes on from: checkpoints stay, of runs under way."""
        for folder in (self.root, *self.root.glob(".[a-z]*/")):
            sweep_up(folder)
        for name in sorted({entry.name for entry in (self.root / PARTIAL).glob("*/")}):
            with contextlib.suppress(BusyError, FolderError):
                if name.startswith(BOARD):
                    with locked(self.root / PARTIAL / name, BusyError(name), 0.0):
                        shutil.rmtree(self.root / PARTIAL / name, ignore_errors=True)
                else:
                    self._sweep_up_run(name.partition(".")[0])

    def _sweep_up_run(self, key: str) -> None:
        with self.claim(key, patience=0.0) as folder, contextlib.suppress(OSError):
            # Published, and killed before its partial folder was removed; not so where it is trained again.
            published = os.stat(self.root / key / RESULT).st_mtime_ns
            if all(each.stat().st_mtime_ns <= published for each in folder.iterdir() if each.name != LOCK):
                shutil.rmtree(folder, ignore_errors=True)

    def _aside(self, key: str) -> Path:
        """Move whatever bears a run's name to a folder that whoever claims the run next removes."""
        folder = self.root / key
        aside = new_folder(self.root / PARTIAL, f"{key}.old.")
        try:
            with contextlib.suppress(PermissionError):
                return folder.rename(aside / key).parent
            os.chmod(folder, 0o700)  # a folder that its owner may not write cannot be moved into another
            return folder.rename(aside / key).parent
        except OSError as error:
            raise InputError(f"{folder}: cannot be replaced ({error.strerror}); remove it") from None

    def publish(self, key: str, files: Mapping[str, "bytes | Mapping[str, Tensor]"]) -> Path:
        """Write a finished run under its final name in one rename, and drop its partial folder.

        Whoever publishes it has claimed it. What bears the name until then is replaced: an older run, a
        damaged one, a link.

        Args:
            key: The run's key.
            files: Name to bytes, or to the tensors of a safetensors file.
        """
        with one_line_errors(self.root):
            make_folder(self.root / PARTIAL)
            staged = new_folder(self.root / PARTIAL, f"{key}.")
            try:
                write_files(staged, files)
                folder = self.root / key
                if os.path.lexists(folder):  # a link that leads nowhere does not exist
                    replaced = self._aside(key)
                    staged.rename(folder)
                    shutil.rmtree(replaced, ignore_errors=True)
                else:
                    staged.rename(folder)
            except BaseException:
                shutil.rmtree(staged, ignore_errors=True)
                raise
            shutil.rmtree(self.root / PARTIAL / key, ignore_errors=True)
        return folder


def holds_run(folder: Path) -> bool:
    """Whether a finished run lies in a folder, readable or not."""
    try:
        os.lstat(folder / RESULT)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def locked(
    folder: Path, busy: BusyError, patience: float = PATIENCE
) -> Generator[Callable[[], bool], None, None]:
    """Hold a folder by a lock in it, made if need be; the system lets go of it when its holder ends.

    Args:
        folder: Held.
        busy: Raised where another holds it.
        patience: Seconds for it to let go: whoever sweeps up holds a lock for a moment.

    Yields:
        Whether the lock still lies there.

    Raises:
        FolderError: The folder cannot be written or locked.
    """
    path, last = folder / LOCK, time.monotonic() + patience
    while (handle := _lock(path)) is None:
        if time.monotonic() >= last:
            raise busy
        time.sleep(PATIENCE / 10)
    with handle:
        yield lambda: _lies_at(handle, path)


def _lock(path: Path) -> IO[str] | None:
    """The file of a lock, held; None where somebody else holds it."""
    with one_line_errors(path.parents[2]):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = open(path, "w")  # noqa: SIM115 - closed by whoever holds it
        except FileNotFoundError:  # its holder until now removed the folder, in this very moment
            return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _lies_at(handle, path):
            return handle
    except BlockingIOError:
        pass
    except OSError as error:
        handle.close()
        raise FolderError(
            f"{path}: cannot be locked ({error}); the file system of --out must know flock"
        ) from None
    handle.close()
    return None


def _lies_at(handle: IO[str], path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.stat(path).st_ino == os.fstat(handle.fileno()).st_ino
    return False


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a run folder.

    Raises:
        DamagedError: Missing, unreadable or no object.
    """
    return parse_json(read_bytes(path), path)


def parse_json(text: bytes, path: Path) -> dict[str, Any]:
    """The JSON object that a file holds.

    Args:
        text: Its content.
        path: Named in errors.

    Raises:
        DamagedError: Malformed or no object.
    """
    try:
        content = from_json(text)
    except ValueError as error:
        raise DamagedError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(content, dict):
        raise DamagedError(f"{path}: expected a JSON object, got {type(content).__name__}")
    return content


def read_intact(path: Path, expected: object) -> bytes:
    """A file's bytes, if their hash is the one recorded for it.

    Args:
        path: The file.
        expected: Hashes by file name, as provenance has them.

    Raises:
        DamagedError: Missing, unreadable or changed.
    """
    recorded = expected.get(path.name) if isinstance(expected, dict) else None
    if not isinstance(recorded, str):
        raise DamagedError(f"{path}: damaged, its hash is not recorded")
    content = read_bytes(path)
    if hashlib.sha256(content).hexdigest() != recorded:
        raise DamagedError(f"{path}: damaged, its hash is not the one recorded")
    return content


def read_tensors(path: Path) -> "dict[str, Tensor]":
    """Every tensor of a safetensors file.

    Raises:
        DamagedError: Missing or malformed.
    """
    try:
        # It would wait for a pipe, and calls missing what it may not read.
        with _opened(path), safe_open(path, framework="pt") as handle:
            return {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - no mapping
    except DamagedError:
        raise
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise DamagedError(f"{path}: cannot be read as safetensors ({error})") from None


def read_bytes(path: Path) -> bytes:
    """What a file holds.

    Raises:
        DamagedError: Missing or unreadable.
    """
    with _opened(path) as file:
        return file.read()


@contextlib.contextmanager
def _opened(path: Path) -> Generator[BinaryIO, None, None]:
    """A file to read; never a pipe, into which nobody may ever write."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DamagedError(f"{path}: cannot be read (expected a file, got a device or a pipe)")
            yield file
    except OSError as error:
        raise DamagedError(f"{path}: cannot be read ({error.strerror or error})") from None


def file_hashes(files: Mapping[str, "bytes | Mapping[str, Tensor]"]) -> dict[str, str]:
    """SHA-256 of each file's bytes, for tensors of their names and values."""
    import torch

    def digest(content: "bytes | Mapping[str, Tensor]") -> str:
        if isinstance(content, bytes):
            return hashlib.sha256(content).hexdigest()
        running = hashlib.sha256()
        for name in sorted(content):
            running.update(name.encode())
            running.update(content[name].reshape(-1).view(torch.uint8).numpy().tobytes())
        return running.hexdigest()

    return {name: digest(content) for name, content in files.items()}
