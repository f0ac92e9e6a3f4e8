"""Vectors from a file or from memory: one finite row for each item, with ids where the file has them."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from linrep.errors import InputError
from linrep.runs.formats import FORMATS, one_line, parquet_schema, require_room
from linrep.vectors.ids import BY_ORDER, ID_NAMES, as_text, distinct_ids, id_column_of, index_ids
from linrep.vectors.text import WORDS, read_words, separators

if TYPE_CHECKING:
    import pandas as pd

VectorsInput = Any
"""A path, a tensor, a numpy array or a pandas frame with one column for each dimension."""
CALLED = ("vectors", "embeddings", "embedding")
"""Names that mark the array meant, where a file holds several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """Vectors as they were given."""

    table: Float[Tensor, "rows dim"]
    """Float32 or float64, finite."""
    ids: tuple[str, ...] | None
    """One for each row, distinct; None where the source has none, and rows go by order."""
    source: str

    @property
    def called(self) -> str:
        """What to call it beside others."""
        return "vectors" if self.source == "memory" else self.source


def read_vectors(
    source: VectorsInput, *, id_column: str | None = None, tensor: str | None = None, name: str = "vectors"
) -> Vectors:
    """Read vectors; a pickle is refused wherever it hides.

    Args:
        source: A path, a tensor ``[rows, dim]``, a numpy array or a pandas frame.
        id_column: The column (or array, in an npz) that names rows; by default one called "id", an index that
            was written without a name, or a frame's own; "none" for none.
        tensor: Which array, where a file holds several.
        name: What to call them in errors.

    Raises:
        InputError: If there are no two-dimensional finite numbers in it, or an id comes twice.

    Example:
        >>> read_vectors(torch.eye(2)).table.shape
        torch.Size([2, 2])
    """
    if isinstance(source, str | Path):
        path = Path(source)
        with one_line(path):
            table, ids = _read(path, id_column, tensor)
        return _checked(table, ids, str(path), name)
    if isinstance(source, Tensor | np.ndarray | list | tuple):
        if id_column not in (None, BY_ORDER):
            raise InputError(f"{name}: an array has no column {id_column!r} for ids; give a frame or a file")
        return _checked(_tensor(source, name), None, "memory", name)
    if hasattr(source, "columns"):
        import pyarrow as pa

        with one_line(Path(name)):
            own = index_ids(source)
            by_index = own is not None and id_column is not None and id_column == source.index.name
            arrow = pa.Table.from_pandas(source, preserve_index=False)
            table, ids = _columns(arrow, None if by_index else id_column, name)
            if by_index or (ids is None and id_column is None):
                ids = own
        return _checked(table, ids, "memory", name)
    raise InputError(f"{name}: expected a path, a tensor, an array or a frame, got {type(source).__name__}")


def _read(path: Path, id_column: str | None, tensor: str | None) -> tuple[Tensor, tuple[str, ...] | None]:
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return _safetensors(path, id_column, tensor)
    if suffix == ".npz":
        return _npz(path, id_column, tensor)
    if suffix == ".npy":
        if id_column not in (None, BY_ORDER):
            raise InputError(f"{path}: has no column {id_column!r} for ids; an .npy holds one array")
        return _tensor(np.load(path, allow_pickle=False), str(path)), None
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        parquet_schema(path)
        table = pq.read_table(path)
        told = (table.schema.pandas_metadata or {}).get("index_columns", [])
        return _columns(table, id_column, str(path), [each for each in told if isinstance(each, str)])
    if suffix in (".csv", ".tsv"):
        return _columns(_read_csv(path, id_column), id_column, str(path))
    if suffix in WORDS:
        numbers, words = read_words(path)
        if id_column not in (None, BY_ORDER):
            raise InputError(f"{path}: has no column {id_column!r} for ids; its words name the rows")
        return _tensor(numbers, str(path)), None if id_column == BY_ORDER else words
    raise InputError(f"{path}: expected {FORMATS}, got {suffix or 'no suffix'!r}; pickled files are refused")


def _safetensors(
    path: Path, id_column: str | None, tensor: str | None
) -> tuple[Tensor, tuple[str, ...] | None]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        shapes = {key: len(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        flat = [key for key, axes in shapes.items() if axes == 1]
        ids = None
        if id_column is not None or any(key in ID_NAMES for key in flat):
            named, _ = id_column_of(flat, id_column, str(path))
            ids = None if named is None else tuple(map(as_text, file.get_tensor(named).tolist()))
            shapes = {key: axes for key, axes in shapes.items() if key != named}
        return file.get_tensor(_chosen(shapes, tensor, str(path))), ids


def _npz(path: Path, id_column: str | None, tensor: str | None) -> tuple[Tensor, tuple[str, ...] | None]:
    """Arrays of an archive; one that cannot be read is in nobody's way unless it is the one meant."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            require_room(sum(each.file_size for each in archive.infolist()), path)
    arrays: dict[str, np.ndarray] = {}
    bad: dict[str, Exception] = {}
    with np.load(path, allow_pickle=False) as file:
        # A file that is no archive loads as one bare array.
        if not hasattr(file, "files"):
            raise InputError(f"{path}: expected an npz archive, got another format; use numpy.savez")
        for key in file.files:
            try:
                arrays[key] = file[key]
            except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
                bad[key] = error
    flat = [key for key in (*arrays, *bad) if key in bad or arrays[key].ndim == 1]
    named, _ = id_column_of(flat, id_column, str(path))
    for key in (named, tensor, *([] if any(each.ndim == 2 for each in arrays.values()) else bad)):
        if key in bad:
            raise bad[key]
    ids = None if named is None else tuple(map(as_text, arrays.pop(named).tolist()))
    chosen = _chosen({key: array.ndim for key, array in arrays.items()}, tensor, str(path))
    return _tensor(arrays[chosen], str(path)), ids


def _chosen(dimensions: dict[str, int], tensor: str | None, source: str) -> str:
    """Which array: the one named, the only one of two dimensions, or the one called "vectors"."""
    if tensor is not None:
        if tensor not in dimensions:
            raise InputError(f"{source}: no tensor {tensor!r}; it holds {', '.join(sorted(dimensions))}")
        return tensor
    flat = [key for key, number in dimensions.items() if number == 2]
    if len(flat) == 1:
        return flat[0]
    for key in CALLED:
        if key in flat:
            return key
    if not flat and dimensions:
        return next(iter(dimensions))
    raise InputError(
        f"{source}: expected one 2-D array, got {', '.join(sorted(flat)) or 'none'}; name one with --tensor"
    )


def _read_csv(path: Path, id_column: str | None) -> Any:
    """A table of text by Arrow's parallel reader; a first line of numbers alone is taken for data, not for
    names, unless it counts the columns.
    """
    import pyarrow as pa
    import pyarrow.csv as pc

    mark, point = separators(path)
    with path.open(encoding="utf-8-sig") as file:
        head = [cell.strip().strip('"') for cell in file.readline().split(mark)]
    bare = all(is_number(cell.replace(point, ".")) for cell in head)
    counted = len(head) > 1 and head == [str(i) for i in range(len(head))]
    names = [] if bare else head
    wanted, _ = id_column_of(names, id_column, str(path)) if names else (None, [])
    if bare and id_column not in (None, BY_ORDER):
        raise InputError(f"{path}: no column {id_column!r} for ids; its first line has no names")
    return pc.read_csv(
        path,
        read_options=pc.ReadOptions(autogenerate_column_names=bare and not counted),
        parse_options=pc.ParseOptions(delimiter=mark),
        convert_options=pc.ConvertOptions(
            column_types={} if wanted is None else {wanted: pa.string()}, decimal_point=point
        ),
    )


def _columns(
    table: Any, id_column: str | None, source: str, index: Sequence[str] = ()
) -> tuple[Tensor, tuple[str, ...] | None]:
    """Numbers by column (or one column of lists) and ids."""
    import pyarrow as pa

    def lists(kind: Any) -> bool:
        return pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind)

    wanted, aside = id_column_of(table.column_names, id_column, source, index=index)
    ids: tuple[str, ...] | None = None
    if wanted is not None:
        ids = tuple("" if each is None else as_text(each) for each in table[wanted].to_pylist())
    table = table.drop_columns(aside)
    if not table.column_names:
        raise InputError(f"{source}: expected columns of numbers, got none; give one for each dimension")
    whole = [name for name in table.column_names if lists(table.schema.field(name).type)]
    chosen = next((name for name in CALLED if name in whole), whole[0] if len(whole) == 1 else None)
    if chosen is not None:
        return _lists(table[chosen], source), ids
    for name in table.column_names:
        kind = table.schema.field(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise InputError(
                f"{source}: column {name!r} is not numeric; leave it out, or give --id if it names rows"
            )
    arrays = [table.column(name).to_numpy() for name in table.column_names]
    return _tensor(np.stack(arrays, axis=1), source), ids


def _lists(column: Any, source: str) -> Tensor:
    """A column of lists of one length."""
    lists = column.to_pylist()
    widths = {0 if each is None else len(each) for each in lists}
    if len(widths) != 1:
        raise InputError(f"{source}: expected lists of one length, got {sorted(widths)[:4]}; pad or drop")
    return _tensor(np.array(lists), source)


def _tensor(array: Any, source: str) -> Tensor:
    if isinstance(array, Tensor):
        return array
    array = np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{source}: expected numbers, got {array.dtype}; convert them first")
    if array.dtype.kind == "f" and array.dtype.itemsize not in (2, 4, 8):
        array = array.astype(np.float64)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(
        np.ascontiguousarray(native if native.dtype.kind == "f" else native.astype(np.float64))
    )


def _checked(table: Tensor, ids: tuple[str, ...] | None, source: str, name: str) -> Vectors:
    if table.dim() != 2:
        raise InputError(
            f"{name}: expected a 2-D array [rows, dim], got shape {list(table.shape)} in {source}"
        )
    if len(table) < 2 or table.shape[1] < 1:
        raise InputError(
            f"{name}: expected at least 2 rows and 1 column, got {list(table.shape)} in {source}"
        )
    if table.is_complex():
        raise InputError(f"{name}: expected real numbers, got {table.dtype} in {source}; split the parts")
    if table.dtype not in (torch.float32, torch.float64):
        half = table.is_floating_point() and table.element_size() <= 2
        table = table.to(torch.float32 if half else torch.float64)
    if ids is not None:
        if len(ids) != len(table):
            raise InputError(
                f"{name}: expected one id for each row, got {len(ids)} for {len(table)} in {source}"
            )
        distinct_ids(ids, source)
    # A sum is NaN or infinite if any of its terms is, and needs no second table.
    bad = (~torch.isfinite(table.sum(1, dtype=torch.float64))).nonzero()[:, 0].tolist()
    if bad:
        where = f"row {bad[0]}" + ("" if ids is None else f" (id {ids[bad[0]]!r})")
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise InputError(f"{name}: expected finite numbers, got NaN or infinity in {where}{more}; drop them")
    return Vectors(table=table.detach().cpu(), ids=ids, source=source)


def as_list(column: Any) -> Any:
    """A column of a tensor as plain numbers; any other as it is."""
    return column.tolist() if isinstance(column, Tensor) else column


def is_number(cell: str) -> bool:
    """Whether the text of a table's cell is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def frame_of(source: Any, name: str) -> "pd.DataFrame":
    """A table of attributes as a pandas frame: a path (CSV, Parquet), a frame, or a mapping of columns."""
    import pandas as pd

    if isinstance(source, str | Path):
        path = Path(source)
        with one_line(path):
            if path.suffix.lower() == ".parquet":
                parquet_schema(path)
                return pd.read_parquet(path)
            if path.suffix.lower() in (".csv", ".tsv"):
                return pd.read_csv(
                    path,
                    dtype=str,
                    sep=separators(path)[0],
                    encoding="utf-8-sig",
                    keep_default_na=False,
                    na_values=[""],
                    skipinitialspace=True,
                )
        raise InputError(f"{path}: expected .csv, .tsv or .parquet, got {path.suffix or 'no suffix'!r}")
    with one_line(Path(name)):
        if isinstance(source, Mapping):
            given: dict[str, Any] = dict(source)
            source = {key: as_list(column) for key, column in given.items()}
        return pd.DataFrame(source)
