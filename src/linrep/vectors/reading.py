"""Vectors from a file or from memory: one finite row for each item, with ids where the file has them."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from linrep.errors import InputError
from linrep.runs.formats import FORMATS, one_line, parquet_schema, require_room

if TYPE_CHECKING:
    import pandas as pd

VectorsInput = Any
"""A path, a tensor, a numpy array or a pandas frame with one column for each dimension."""
ID_NAMES = ("id", "ids")
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


def read_vectors(
    source: VectorsInput, *, id_column: str | None = None, tensor: str | None = None, name: str = "vectors"
) -> Vectors:
    """Read vectors; a pickle is refused wherever it hides.

    Args:
        source: A path, a tensor ``[rows, dim]``, a numpy array or a pandas frame.
        id_column: The column (or array, in an npz) that names rows; by default one called "id", if there is.
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
        return _checked(_tensor(source, name), None, "memory", name)
    if hasattr(source, "columns"):
        import pyarrow as pa

        with one_line(Path(name)):
            arrow = pa.Table.from_pandas(source, preserve_index=False)
            table, ids = _columns(arrow, id_column, name)
        return _checked(table, ids, "memory", name)
    raise InputError(f"{name}: expected a path, a tensor, an array or a frame, got {type(source).__name__}")


def _read(path: Path, id_column: str | None, tensor: str | None) -> tuple[Tensor, tuple[str, ...] | None]:
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            shapes = {key: len(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
            return file.get_tensor(_chosen(shapes, tensor, str(path))), None
    if suffix == ".npz":
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                require_room(sum(each.file_size for each in archive.infolist()), path)
        with np.load(path, allow_pickle=False) as file:
            # A file that is no archive loads as one bare array.
            if not hasattr(file, "files"):
                raise InputError(f"{path}: expected an npz archive, got another format; use numpy.savez")
            arrays = {key: file[key] for key in file.files}
        named = [key for key in ([id_column] if id_column else ID_NAMES) if key in arrays]
        ids = tuple(str(each) for each in arrays.pop(named[0]).tolist()) if named else None
        if id_column and ids is None:
            raise InputError(f"{path}: no array {id_column!r} for ids; it holds {', '.join(arrays)}")
        chosen = _chosen({key: array.ndim for key, array in arrays.items()}, tensor, str(path))
        return _tensor(arrays[chosen], str(path)), ids
    if suffix == ".npy":
        return _tensor(np.load(path, allow_pickle=False), str(path)), None
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        parquet_schema(path)
        return _columns(pq.read_table(path), id_column, str(path))
    if suffix == ".csv":
        return _columns(_read_csv(path, id_column), id_column, str(path))
    raise InputError(f"{path}: expected {FORMATS}, got {suffix or 'no suffix'!r}; pickled files are refused")


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
    """A CSV by Arrow's parallel reader; a first line of numbers alone is taken for data, not for names."""
    import pyarrow as pa
    import pyarrow.csv as pc

    with path.open(encoding="utf-8-sig") as file:
        head = [cell.strip().strip('"') for cell in file.readline().split(",")]
    bare = all(is_number(cell) for cell in head)
    wanted = id_column or "id"
    return pc.read_csv(
        path,
        read_options=pc.ReadOptions(autogenerate_column_names=bare),
        convert_options=pc.ConvertOptions(column_types={wanted: pa.string()}),
    )


def _columns(table: Any, id_column: str | None, source: str) -> tuple[Tensor, tuple[str, ...] | None]:
    """Numbers by column (or one column of lists) and ids."""
    import pyarrow as pa

    wanted = id_column or "id"
    ids: tuple[str, ...] | None = None
    if wanted in table.column_names:
        ids = tuple("" if each is None else as_text(each) for each in table[wanted].to_pylist())
        table = table.drop_columns([wanted])
    elif id_column is not None:
        raise InputError(f"{source}: no column {id_column!r}; it has {', '.join(table.column_names[:8])}")
    if not table.column_names:
        raise InputError(f"{source}: expected columns of numbers, got none; give one for each dimension")
    kinds = [table.schema.field(name).type for name in table.column_names]
    if len(kinds) == 1 and (pa.types.is_list(kinds[0]) or pa.types.is_fixed_size_list(kinds[0])):
        lists = table.column(0).to_pylist()
        widths = {0 if each is None else len(each) for each in lists}
        if len(widths) != 1:
            raise InputError(f"{source}: expected lists of one length, got {sorted(widths)[:4]}; pad or drop")
        return _tensor(np.array(lists), source), ids
    for name, kind in zip(table.column_names, kinds, strict=True):
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise InputError(
                f"{source}: column {name!r} is not numeric; leave it out, or give --id if it names rows"
            )
    arrays = [table.column(name).to_numpy() for name in table.column_names]
    return _tensor(np.stack(arrays, axis=1), source), ids


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


def distinct_ids(ids: tuple[str, ...], source: str) -> None:
    """Refuse an id that is empty or comes twice, naming it."""
    seen: dict[str, int] = {}
    for row, each in enumerate(ids):
        if each == "":
            raise InputError(f"{source}: row {row} has no id; fill it in or drop the row")
        if each in seen:
            raise InputError(f"{source}: id {each!r} comes twice, in rows {seen[each]} and {row}; keep one")
        seen[each] = row


def as_text(value: Any) -> str:
    """A cell as text: 1.0 and 1 are the same value, text loses its outer blanks.

    Example:
        >>> as_text(1.0), as_text(" yes "), as_text(0.5)
        ('1', 'yes', '0.5')
    """
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


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
                    sep="\t" if path.suffix.lower() == ".tsv" else ",",
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
