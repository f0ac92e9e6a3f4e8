"""The files of Bayesian networks: where one of a name lies, and its text, compressed or not."""

import gzip
import importlib.util
import os
import zlib
from pathlib import Path

from linrep.errors import InputError, short

NETWORKS = ("asia", "cancer", "earthquake")
"""Published networks that come with the package."""

OF_PGMPY = (
    *("alarm", "andes", "barley", "child", "diabetes", "hailfinder", "hepar2", "insurance", "link", "mildew"),
    *("munin", "munin1", "munin2", "munin3", "munin4", "pathfinder", "pigs", "sachs", "survey", "water"),
    "win95pts",
)
"""More of them, which come with pgmpy."""

SIZE_LIMIT_BYTES = 2**23
"""Longest text that is read; the largest published network has 5.5 million bytes."""

_GZIP = b"\x1f\x8b"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def network_path(name_or_path: str | Path) -> Path:
    """The file that :func:`load_network` reads.

    Raises:
        InputError: If there is neither a network nor a file of that name.

    Example:
        >>> network_path("asia").name
        'asia.bif'
    """
    found = named(name_or_path)
    if found is not None:
        return found
    path = Path(name_or_path)
    if not os.path.exists(path):
        raise InputError(
            f"network: expected one of {', '.join(NETWORKS)}, a network of pgmpy such as alarm, or the path "
            f"of a BIF file, got '{short(_line(path))}'; there is no such file in {short(os.getcwd())}"
        )
    return path


def named(name: str | Path) -> Path | None:
    """The file of a published network, None if it is no name of one.

    Raises:
        InputError: The installed pgmpy has no file of it.

    Example:
        >>> named("survey").name, named("my.bif")
        ('survey.bif.gz', None)
    """
    if name in NETWORKS:
        return Path(__file__).parent / "networks" / f"{name}.bif"
    if name not in OF_PGMPY:
        return None
    pgmpy = importlib.util.find_spec("pgmpy")
    for folder in (pgmpy and pgmpy.submodule_search_locations) or ():
        path = Path(folder) / "utils" / "example_models" / f"{name}.bif.gz"
        if path.is_file():
            return path
    raise InputError(
        f"network: '{name}' is a file of pgmpy, got {'one without it' if pgmpy else 'none installed'}; "
        "install pgmpy 1.1.2, or give the path of the file from https://www.bnlearn.com/bnrepository"
    )


def stem(name_or_path: str | Path) -> str:
    """The name of a network without the folder and endings of its file.

    Example:
        >>> stem("alarm"), stem("nets/my.bif"), stem("my.bif.gz")
        ('alarm', 'my', 'my')
    """
    name = str(name_or_path).replace("\\", "/").rsplit("/", 1)[-1]
    return Path(name.removesuffix(".gz")).stem


def content(path: Path, source: str) -> bytes:
    """The bytes of a file, unpacked if it is compressed; equal texts are equal here.

    Args:
        path: The file.
        source: What an error message calls it.

    Raises:
        InputError: No file, one that is too large, or one that cannot be unpacked.
    """
    if not os.path.exists(path):
        raise InputError(f"{source}: no such file; check the path")
    if not os.path.isfile(path):
        raise InputError(f"{source}: expected a BIF file, got a folder or a device")
    size = path.stat().st_size
    if size > SIZE_LIMIT_BYTES:
        raise InputError(f"{source}: expected a BIF file of at most {SIZE_LIMIT_BYTES:,} bytes, got {size:,}")
    try:
        found = path.read_bytes()
        if not found.startswith(_GZIP):
            return found
        with gzip.open(path) as packed:
            found = packed.read(SIZE_LIMIT_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{source}: cannot be unpacked ({_line(error)}); is the file whole?") from None
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror})") from None
    if len(found) > SIZE_LIMIT_BYTES:
        raise InputError(
            f"{source}: expected a BIF file of at most {SIZE_LIMIT_BYTES:,} bytes, got more when unpacked"
        )
    return found


def text(path: Path, source: str) -> str:
    """The text of a file.

    Args:
        path: The file, compressed with gzip or not.
        source: What an error message calls it.

    Raises:
        InputError: As :func:`content`, and for what is no text in UTF-8, with what it looks like.
    """
    found = content(path, source)
    if found.startswith(_UTF_16):
        raise InputError(
            f"{source}: expected UTF-8 text, got UTF-16; `iconv -f UTF-16 -t UTF-8` converts it, or save it "
            "anew as UTF-8"
        )
    if b"\0" in found:
        raise InputError(f"{source}: expected text, got a binary file")
    try:
        decoded = found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: expected UTF-8 text, got {_undecoded(found, error.start)}") from None
    if not decoded.strip():
        raise InputError(f"{source}: expected a network, got an empty file")
    # As Python reads text: every line ends alike.
    return decoded.replace("\r\n", "\n").replace("\r", "\n")


def _undecoded(found: bytes, at: int) -> str:
    line = found.count(b"\n", 0, at) + 1
    if any(byte < 32 and byte not in b"\t\n\f\r" for byte in found):
        return "a binary file; is it a BIF file?"
    return (
        f"byte 0x{found[at]:02x} in line {line}, as Windows-1252 and Latin-1 have letters; "
        "`iconv -f WINDOWS-1252 -t UTF-8` converts it, or save it anew as UTF-8"
    )


def _line(value: object) -> str:
    return " ".join(str(value).split())
