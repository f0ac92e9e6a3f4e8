"""Tables of one's own from files, F and G or one alone, and the runs of linrep: read and measured."""

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from linrep.errors import DamagedError, InputError
from linrep.laboratory.measuring import measure
from linrep.laboratory.reading import Reading
from linrep.runs import folder as run_folder
from linrep.runs.formats import one_line
from linrep.runs.store import TABLES as TABLES_FILE
from linrep.runs.store import holds_run, read_json
from linrep.vectors.attributes import attribute_ids
from linrep.vectors.ids import BY_ORDER, join_rows
from linrep.vectors.reading import frame_of, read_vectors

BOTH = ("embedding", "unembedding")
"""Names of F and G in a file that holds both."""


def run_folder_of(path: Path) -> Path | None:
    """The folder of the run that a path means: itself, or the one whose tables it is.

    Example:
        >>> run_folder_of(Path("nowhere")) is None
        True
    """
    for folder in (path, path.parent):
        if (folder == path or path.name == TABLES_FILE) and holds_run(folder):
            return folder
    return None


def holds_both(path: Path) -> bool:
    """Whether a file holds F and G under their names."""
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    with one_line(path), safe_open(path, framework="pt") as file:
        return set(BOTH) <= set(file.keys())


def measure_files(
    vectors: Path,
    unembedding: Path | None = None,
    *,
    attributes: Path | None = None,
    pairs: Path | None = None,
    world: str | None = None,
    id_column: str | None = None,
    tensor: str | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Reading:
    """:func:`linrep.measure` on files.

    Args:
        vectors: The folder of a run, or its tables; a safetensors file with "embedding" and "unembedding"; or
            vectors in any format that is read: F where the unembedding is given, else G.
        unembedding: G.
        attributes: A table of concept values, one row for each row of both.
        pairs: JSON, pairs of rows by concept; or one such object each for "embedding" and "unembedding".
        world: The name of a network or the path of a BIF file, whose contexts and tokens the rows are.
        id_column: The column that names rows, where attributes are given; by default "id" or an index.
        tensor: Which array, where a file holds several.
        seed: Of the null; 0 is that of the run, for a run.
        progress: Whether to show a bar.

    Raises:
        InputError: A file that cannot be read, or what cannot be measured.
    """
    folder = run_folder_of(vectors)
    if folder is not None:
        result = run_folder.read(folder)
        tables, worlds = (result.embedding, result.unembedding), list(result.worlds)
        return measure(*tables, world=worlds, seed=seed or result.config.seed, progress=progress)
    asked = id_column if attributes is not None else None
    ids: list[tuple[str, ...] | None] = [None, None]
    if unembedding is not None:
        read = [read_vectors(path, id_column=asked, tensor=tensor) for path in (vectors, unembedding)]
        given, ids = [each.table for each in read], [each.ids for each in read]
    elif holds_both(vectors):
        with one_line(vectors), safe_open(vectors, framework="pt") as file:
            given = [file.get_tensor(name) for name in BOTH]
    else:
        alone = read_vectors(vectors, id_column=asked, tensor=tensor)
        given, ids = [alone.table], [alone.ids]
    codes = None
    if attributes is not None:
        codes, given = _joined(attributes, given, ids, (vectors, unembedding or vectors), id_column)
    listed = None if pairs is None else _pairs(pairs)
    if codes is None and listed is None and world is None:
        raise InputError(
            f"{vectors}: what are its rows? give --attributes table.csv, --pairs pairs.json or --world asia"
        )
    return measure(*given, codes=codes, pairs=listed, world=world, seed=seed, progress=progress)


def _joined(
    attributes: Path,
    tables: list[Tensor],
    ids: list[tuple[str, ...] | None],
    sources: tuple[Path, Path],
    id_column: str | None,
) -> tuple[Any, list[Tensor]]:
    """Attributes without their ids, and the rows of each table in their order."""
    frame = frame_of(attributes, "attributes")
    named, aside = attribute_ids(frame, id_column, str(attributes))
    made: list[Tensor] = []
    for table, own, source in zip(tables, ids, sources, strict=False):
        joined = join_rows(
            named,
            own,
            (len(frame), len(table)),
            (str(attributes), str(source)),
            by_order=id_column == BY_ORDER,
        )
        if joined.left_out != (0, 0):
            raise InputError(f"{source}: expected the same rows as attributes; {joined.said}; leave them out")
        made.append(table[torch.tensor(joined.second)])
    return frame.drop(columns=[each for each in frame.columns if str(each) in aside]), made


def _pairs(path: Path) -> Any:
    try:
        found = read_json(path)
    except DamagedError as error:
        raise InputError(f'{error}; write pairs by concept, {{"name": [[3, 8]]}}') from None
    return tuple(found[name] for name in BOTH) if found.keys() == {*BOTH} else found
