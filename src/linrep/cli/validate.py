"""Files checked without running them: what is it, is it whole, could it be used?

What would take long is left to the run: only small worlds are built; a sweep's cells are checked as configs.
"""

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from linrep.errors import InputError, many
from linrep.laboratory import build as laboratory
from linrep.llm.paired_contexts import read_paired_contexts
from linrep.llm.toy.save import CONTEXTS, PAIRS, WORLD, read_world
from linrep.llm.winograd import read_winograd
from linrep.llm.word_pairs import PAIR_FILES, read_word_pairs
from linrep.runs import folder as run_folder
from linrep.runs.config import Config
from linrep.runs.formats import parquet_schema, tensor_shapes
from linrep.runs.keys import run_key
from linrep.runs.store import ANSWER, CONFIG, PROVENANCE, RESULT, SNAPSHOTS, TABLES, WORLDS, Store
from linrep.runs.toml import is_sweep, parse, read_toml, with_network_beside
from linrep.runs.world_config import CategoricalWorld, NetworkWorld, SparseWorld, TablesWorld
from linrep.sweeps.file import Sweep, parse_sweep
from linrep.sweeps.grid import Coordinates, configs, require_distinct
from linrep.vectors.reading import frame_of, is_number, read_vectors
from linrep.worlds.concepts import require_enumerable
from linrep.worlds.network import read_bif

DRAWN = {".html": "a page", ".pdf": "a figure", ".svg": "a figure", ".png": "a figure"}
"""What is written to be looked at; no command reads it again."""
OF_A_RUN = (RESULT, PROVENANCE, WORLDS, TABLES, SNAPSHOTS)
"""Files whose names tell a run's folder, whichever of them are left."""
SMALL_CONTEXTS = 3**9
"""Worlds are built while all have at most so many contexts together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a file is, or what is wrong with it."""

    file: str
    kind: str = ""
    about: str = ""
    """Its size, in words."""
    key: str | None = None
    """Of the run it describes or holds; None where it names none, or only building its worlds would tell."""
    error: str | None = None
    """One line; None if nothing is wrong."""
    skipped: bool = False
    """Known, but not looked into: neither whole nor broken."""

    @property
    def line(self) -> str:
        """What to tell a person."""
        if self.error:
            return f"bad  {self.error}"
        key = "" if self.key is None else f", key {self.key}"
        return f"{'skip' if self.skipped else 'ok  '} {self.file}: {self.kind}, {self.about}{key}"


def validate(path: Path | str) -> Checked:
    """Check one file or folder by reading it as the command that uses it would.

    Args:
        path: A config or sweep (TOML), network (BIF), run folder, toy model's folder, table of vectors or of
            attributes, word pairs, paired contexts or Winograd pairs. A folder of runs, and what lies beside
            them, is skipped.

    Returns:
        What it is; an error is in the record, not raised.

    Example:
        >>> from linrep.worlds.network_file import network_path
        >>> found = validate(network_path("asia"))
        >>> found.kind, found.about
        ('network', '8 concepts, 8 edges, 6,561 contexts')
    """
    path = Path(path)
    try:
        return _folder(path) if path.is_dir() else _reader(path)(path)
    except (InputError, OSError) as error:
        words = " ".join(str(error).split())
        return Checked(file=str(path), error=words if str(path) in words else f"{path}: {words}")


def _reader(path: Path) -> Callable[[Path], Checked]:
    suffix = path.suffix.lower()
    if suffix == ".gz":
        suffix = "".join(path.suffixes[-2:]).lower()
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the path")
    if not path.is_file():
        raise InputError(f"{path}: expected a file or a folder, got a device or a pipe; name a file")
    if _written(path):
        return _skip
    if suffix not in READERS:
        got = repr(suffix) if suffix else "a name without an ending"
        raise InputError(f"{path}: expected a folder or one of {', '.join(READERS)}, got {got}")
    return READERS[suffix]


def _written(path: Path) -> str:
    """What this file is called, if a run or a sweep may have written it among others."""
    suffix = path.suffix.lower()
    if path.name.endswith(ANSWER):
        return "a sweep's answer"
    if suffix == ".csv" and path.with_suffix(ANSWER).is_file():
        return "a sweep's numbers"
    if path.name in (CONFIG, RESULT, PROVENANCE, WORLDS) and _is_of_a_run(path.parent):
        return "part of a run"
    return DRAWN.get(suffix, "")


def _is_of_a_run(path: Path) -> bool:
    return any((path / name).exists() for name in OF_A_RUN)


def _skip(path: Path) -> Checked:
    return Checked(file=str(path), kind=_written(path), about="not checked", skipped=True)


def _folder(path: Path) -> Checked:
    if _is_of_a_run(path):
        found = run_folder.read(path)
        first = found.worlds[0]
        size = many(len(first.model.names), "concept") + ", " + many(len(first.codes), "context")
        about = f"{many(len(found.embedding), 'run')}, {size if first.sampled else _size(first.model.sizes)}"
        return Checked(file=str(path), kind="run", about=about, key=found.key)
    inside = {"runs": Store(path).finished(), "answers": list(path.glob(f"*{ANSWER}"))}
    for what, found in inside.items():
        if found:
            about = f"{len(found):,} in it, not checked"
            return Checked(file=str(path), kind=f"a folder of {what}", about=about, skipped=True)
    if (path / WORLD).is_file():
        return _toy(path)
    suffixes = [each.suffix.lower() for each in path.iterdir()]
    if suffixes and set(suffixes) <= set(DRAWN):
        about = f"{len(suffixes):,} in it, not checked"
        return Checked(file=str(path), kind="a folder of figures", about=about, skipped=True)
    if set(suffixes) & set(PAIR_FILES):
        return _word_pairs(path)
    if ".jsonl" in suffixes:
        return _paired_contexts(path)
    raise InputError(f"{path}: expected a run or word pairs, got a folder of neither; name a file in it")


def _toy(path: Path) -> Checked:
    """A toy model's folder: its world, and the pairs that it is measured by."""
    model, truth = read_world(path)
    words = truth.get("tokens", [])
    pairs = sum(map(len, read_word_pairs(path / PAIRS)))
    contexts = sum(map(len, read_paired_contexts(path / CONTEXTS)))
    about = (
        f"{many(model.concepts, 'concept')}, {many(len(words), 'word')}, {many(pairs, 'word pair')}, "
        f"{many(contexts, 'paired context')}"
    )
    return Checked(file=str(path), kind="a toy model", about=about)


def _toml(path: Path) -> Checked:
    fields = read_toml(path, missing="check the path")
    if not is_sweep(fields):
        return _config(path, parse(with_network_beside(fields, path), source=str(path)))
    sizes = [_cells(parse_sweep(fields, name=path.stem, source=str(path), file=path))]
    if "quick" in fields:
        sizes.append(_cells(parse_sweep(fields, name=path.stem, source=str(path), file=path, quick=True)))
    about = many(sizes[0], "cell") + (f", {sizes[1]:,} with --quick" if len(sizes) > 1 else "")
    return Checked(file=str(path), kind="sweep", about=about)


def _config(path: Path, config: Config) -> Checked:
    about, key = _size(_sizes(config)), None
    if isinstance(config.world, SparseWorld):
        about = f"{many(config.world.concepts, 'concept')}, at most {many(_contexts(config), 'context')}"
    if not _is_small(config):
        about += ", not built"
    else:
        every = config.model.dim is None and laboratory.drawn_per_run(config)
        whole = not every or config.runs * _contexts(config) <= SMALL_CONTEXTS
        built = laboratory.worlds(config if every and whole else config.model_copy(update={"runs": 1}))
        if whole:
            resolved = laboratory.resolve(config, built)
            key = run_key(resolved, laboratory.data_hash(resolved))
    return Checked(file=str(path), kind="config", about=f"{many(config.runs, 'run')}, {about}", key=key)


def _cells(sweep: Sweep) -> int:
    """How many; every config is checked, of the worlds the first, if it is small."""
    keys: dict[Coordinates, str] = {}
    seen: set[str] = set()
    for coordinates, config in configs(sweep):
        world = config.world.model_dump_json()
        if world not in seen:
            _sizes(config)
            if not seen and _is_small(config):
                laboratory.worlds(config.model_copy(update={"runs": 1}))
            seen.add(world)
        # A network stands for itself here: two paths are not opened to see whether they hold the same.
        keys[coordinates] = run_key(config, None)
    require_distinct(sweep, keys)
    return len(keys)


def _sizes(config: Config) -> tuple[int, ...]:
    """States of each concept, if all contexts can be enumerated."""
    if isinstance(config.world, SparseWorld):
        return (2,) * config.world.concepts  # sampled, never enumerated
    if isinstance(config.world, NetworkWorld | TablesWorld | CategoricalWorld):
        sizes = laboratory.concept_model(config, 0).sizes
    else:
        sizes = (2,) * config.world.concepts
    require_enumerable(sizes)
    return sizes


def _contexts(config: Config) -> int:
    if isinstance(config.world, SparseWorld):
        return config.world.contexts * (1 + 2 * config.world.flips)  # at most
    return math.prod(size + 1 for size in _sizes(config))


def _is_small(config: Config) -> bool:
    return _contexts(config) <= SMALL_CONTEXTS


def _network(path: Path) -> Checked:
    model = read_bif(path)
    require_enumerable(model.sizes)
    about = f"{many(model.concepts, 'concept')}, {many(len(model.edges()), 'edge')}"
    contexts = many(math.prod(size + 1 for size in model.sizes), "context")
    return Checked(file=str(path), kind="network", about=f"{about}, {contexts}")


def _tensors(path: Path) -> Checked:
    shapes = tensor_shapes(path)
    if sum(len(shape) == 2 for shape in shapes.values()) == 1:
        return _vectors(path)
    numbers = sum(math.prod(shape) for shape in shapes.values())
    about = f"{many(len(shapes), 'tensor')}, {many(numbers, 'number')}"
    return Checked(file=str(path), kind="tensors", about=about)


def _vectors(path: Path) -> Checked:
    rows, dim = read_vectors(path).table.shape
    return Checked(file=str(path), kind="vectors", about=f"{many(rows, 'row')} of {many(dim, 'number')}")


def _attributes(path: Path) -> Checked:
    frame = frame_of(path, "attributes")
    about = f"{many(len(frame), 'row')}, {many(len(frame.columns), 'column')}"
    return Checked(file=str(path), kind="attributes", about=about)


def _parquet(path: Path) -> Checked:
    columns = parquet_schema(path)
    if "text0" in columns or {"text", "pronoun"} <= set(columns):
        return _winograd(path)
    numeric = all(kind for name, kind in columns.items() if name != "id")
    return _vectors(path) if numeric else _attributes(path)


def _separated(path: Path) -> Checked:
    """Word pairs, vectors, or attributes, as the first two lines look."""
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    head, first = _first_lines(path, separator)
    numbers = [cell for name, cell in zip(head, first, strict=False) if name != "id"]
    if separator == "," and numbers and all(is_number(cell) for cell in numbers):
        return _vectors(path)
    named = {name.lower() for name in head}
    pairs = {"low", "high"} <= named or (len(head) < 3 and "id" not in named)
    return _word_pairs(path) if pairs else _attributes(path)


def _first_lines(path: Path, separator: str) -> tuple[list[str], list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [file.readline(2**20), file.readline(2**20)]
        rows = [next(csv.reader([line], delimiter=separator), []) for line in lines]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table ({error}); save it as UTF-8 text") from None
    head, first = ([cell.strip() for cell in row] for row in rows)
    return head, first or head


def _word_pairs(path: Path) -> Checked:
    found = read_word_pairs(path)
    about = f"{many(sum(map(len, found)), 'pair')}, {many(len(found), 'concept')}"
    return Checked(file=str(path), kind="word pairs", about=about)


def _paired_contexts(path: Path) -> Checked:
    found = read_paired_contexts(path)
    about = f"{many(sum(map(len, found)), 'pair')}, {many(len(found), 'concept')}"
    return Checked(file=str(path), kind="paired contexts", about=about)


def _winograd(path: Path) -> Checked:
    return Checked(file=str(path), kind="Winograd pairs", about=many(len(read_winograd(path)), "pair"))


def _json_lines(path: Path) -> Checked:
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline(2**20)
    except (OSError, UnicodeDecodeError):
        first = ""  # the reader says it better
    return (_winograd if '"text' in first else _paired_contexts)(path)


def _size(sizes: tuple[int, ...]) -> str:
    return f"{many(len(sizes), 'concept')}, {many(math.prod(size + 1 for size in sizes), 'context')}"


READERS: dict[str, Callable[[Path], Checked]] = {
    ".toml": _toml,
    ".bif": _network,
    ".bif.gz": _network,
    ".safetensors": _tensors,
    ".npz": _vectors,
    ".npy": _vectors,
    ".parquet": _parquet,
    ".csv": _separated,
    ".tsv": _separated,
    ".txt": _word_pairs,
    ".json": _word_pairs,
    ".jsonl": _json_lines,
}
"""By the end of a file's name."""
