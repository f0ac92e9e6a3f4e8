"""What a file of numbers holds before it is read, and what it can do wrong, in one line that names it."""

import tokenize
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from linrep.errors import InputError
from linrep.unpacking import require_readable

FORMATS = ".safetensors, .npz, .npy, .parquet or .csv"


@contextmanager
def one_line(path: Path) -> Generator[None]:
    """What a file can do wrong, in one line that names it."""
    from pyarrow import ArrowException
    from safetensors import SafetensorError

    try:
        # A head of a file may announce a product of sizes that overflows, of which numpy warns first.
        with np.errstate(all="ignore"):
            yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except OSError as error:
        words = " ".join(str(error.strerror or error).split())
        raise InputError(f"{path}: cannot be read ({words[:160]}); check the file") from None
    except MemoryError:
        raise InputError(f"{path}: announces more numbers than memory holds; is it damaged?") from None
    except (ValueError, TypeError, KeyError, EOFError, RuntimeError, OverflowError, SyntaxError, zlib.error,
            zipfile.BadZipFile, tokenize.TokenError, SafetensorError, ArrowException) as error:  # fmt: skip
        words = " ".join(str(error).split())
        if "pickle" in words or "Object arrays" in words:
            raise InputError(
                f"{path}: holds pickled objects, which are refused; save plain numbers"
            ) from None
        raise InputError(f"{path}: cannot be read ({words[:160]}); expected {FORMATS}") from None


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a safetensors file, all of which can be read.

    Raises:
        InputError: Missing or malformed file.
    """
    from safetensors import safe_open

    with one_line(path), safe_open(path, framework="pt") as file:
        return {key: tuple(file.get_tensor(key).shape) for key in file.keys()}  # noqa: SIM118


def parquet_schema(path: Path) -> dict[str, bool]:
    """The columns of a Parquet file, and whether each holds numbers or lists of them.

    Raises:
        InputError: Missing or malformed file, or one that unpacks into too much.
    """
    import pyarrow.parquet as pq
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_list, types.is_fixed_size_list)
    with one_line(path):
        require_readable(path)
        return {field.name: any(test(field.type) for test in tests) for field in pq.read_schema(path)}
