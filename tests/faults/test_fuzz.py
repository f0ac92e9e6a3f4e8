"""Randomly damaged files: every reader answers with what it read or with one line; it never hangs or breaks.

Some 250 mutations by default; ``LINREP_FUZZ=1000 LINREP_FUZZ_SEED=1 pytest tests/faults/test_fuzz.py`` makes
a thousand of each kind of file. A failure names the file, which is kept.
"""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from linrep.cli import execute
from linrep.cli.validate import validate
from linrep.errors import InputError
from linrep.laboratory.run import run
from linrep.llm.paired_contexts import read_paired_contexts
from linrep.llm.winograd import read_winograd
from linrep.llm.word_pairs import read_word_pairs
from linrep.runs import folder as run_folder
from linrep.runs.index import run_index
from linrep.runs.store import CONFIG as CONFIG_FILE
from linrep.runs.store import PROVENANCE, RESULT, SNAPSHOTS, TABLES, Store, file_hashes, read_tensors
from linrep.runs.toml import load
from linrep.sweeps.file import load_sweep
from linrep.vectors.reading import frame_of, read_vectors
from linrep.worlds.network import read_bif
from linrep.worlds.network_file import network_path
from tests.support.mutations import damaged, damaged_data

TIMES = int(os.environ.get("LINREP_FUZZ", "0"))
SEED = int(os.environ.get("LINREP_FUZZ_SEED", "0"))
BINARY = (TABLES, SNAPSHOTS)
SECONDS, MEMORY_KIB = 60, 2**21
"""What one file may take: a hang or a flood, no measure of speed."""

CONFIG = """
seed = 1
runs = 2
[world]
kind = "random"
concepts = 3
probability_range = [0.2, 0.8]
[contexts]
kind = "list"
contexts = ["1??", "C2=1 C3=0", "???"]
[tokens]
kind = "fraction"
fraction = 0.9
[model]
dim = 2
[training]
optimizer = "sgd"
steps = 10
schedule = "geometric"
final_step_size = 0.1
snapshots = 3
[compute]
threads = 1
[measure]
bootstrap = 100
null_draws = 2
"""
TABLES_CONFIG = """
runs = 1
[world]
kind = "tables"
[[world.variables]]
name = "rain"
table = [[0.8, 0.2]]
[[world.variables]]
name = "wet"
states = ["no", "yes"]
parents = ["rain"]
table = [[1.0, 0.0], [0.1, 0.9]]
"""
SWEEP = """
title = "Width"
[base]
runs = 2
world = { kind = "chain", concepts = 3 }
training = { steps = 10, snapshots = 3 }
[axes]
"model.dim" = [2, 3, 4]
world.concepts = [2, 3]
[axes.optimizer]
SGD = { "training.optimizer" = "sgd", "training.schedule" = "cosine" }
GD = { "training.optimizer" = "gd" }
[quick]
runs = 1
axes = { "model.dim" = [2, 4] }
"""
OWN = {"concept": "a", "frame": "f", "context0": "He is", "context1": "She is", "word0": "x", "word1": "y"}
PARK = {"word0": "roi", "word1": "rey", "contexts0": ["le roi"], "contexts1": ["el rey"]}
PAIR = {"text0": "It was a", "text1": "It was b", "options": ["cat", "dog"], "answers": [0, 1]}
SCHEMA = [
    {"text": f"It is {word}.", "pronoun": "it", "options": ["the cat", "the dog"], "label": label}
    for label, word in enumerate(("big", "small"))
]


def written(folder: Path) -> dict[str, tuple[Path, Callable[[Path], object]]]:
    """A whole file of every kind, and who reads it."""
    texts: dict[str, tuple[str, Callable[[Path], object]]] = {
        "config.toml": (CONFIG, load),
        "tables.toml": (TABLES_CONFIG, load),
        "sweep.toml": (SWEEP, load_sweep),
        "cancer.bif": (network_path("cancer").read_text(), read_bif),
        "asia.bif": (network_path("asia").read_text(), read_bif),
        "vectors.csv": ("id,x,y\na,1,2\nb,3,4.5\nc,-1,0\n", read_vectors),
        "table.csv": ("id,sex,age\na,f,1\nb,m,2\nc,f,\n", lambda path: frame_of(path, "attributes")),
        "pairs.tsv": ("low\thigh\nking\tqueen\nman\twoman\n", read_word_pairs),
        "pairs.csv": ('concept,low,high\na,"x, y",z\nb,x,y\n', read_word_pairs),
        "pairs.json": (json.dumps({"a": [["king", "queen"], ["man", "woman"]]}), read_word_pairs),
        "contexts.jsonl": (json.dumps(OWN) + "\n" + json.dumps(PARK), read_paired_contexts),
        "winograd.jsonl": (json.dumps(PAIR), read_winograd),
        "schemas.jsonl": ("\n".join(map(json.dumps, SCHEMA)), read_winograd),
    }
    for name, (text, _) in texts.items():
        (folder / name).write_text(text)
    numbers = np.arange(12.0).reshape(4, 3)
    np.save(folder / "v.npy", numbers)
    np.savez(folder / "v.npz", vectors=numbers, ids=np.array(list("abcd")))
    np.savez_compressed(folder / "w.npz", vectors=numbers)
    save_file({"vectors": torch.from_numpy(numbers), "b": torch.zeros(2)}, folder / "v.safetensors")
    pd.DataFrame({"id": list("abcd"), "x": numbers[:, 0], "y": numbers[:, 1]}).to_parquet(
        folder / "v.parquet"
    )
    pd.DataFrame(SCHEMA).to_parquet(folder / "w.parquet")
    readers = {name: reader for name, (_, reader) in texts.items()}
    readers |= dict.fromkeys(("v.npy", "v.npz", "w.npz", "v.safetensors", "v.parquet"), read_vectors)
    readers["w.parquet"] = read_winograd
    return {name: (folder / name, reader) for name, reader in readers.items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Callable[[Path], object]]]:
    return written(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "c.toml").write_text(CONFIG)
    found = run(load(folder / "c.toml"), out=folder).folder
    assert found is not None
    return found


@contextmanager
def bounded(path: Path) -> Generator[None]:
    """Fail, naming the file, where reading it hangs, floods memory or breaks."""

    def late(*_: object) -> None:
        raise AssertionError(f"{path}: still being read after {SECONDS} seconds")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    earlier = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    except AssertionError:
        raise
    except BaseException as error:
        raise AssertionError(f"{path}: {type(error).__name__}: {error}") from error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY_KIB, path


def clear(read: Callable[[Path], object], path: Path) -> str | None:
    """The one line that a reader says of a file, None if it reads it."""
    said: str | None = None
    with bounded(path):
        try:
            read(path)
        except InputError as error:
            said = str(error)
    assert "\n" not in (said or ""), f"{path}: {said!r}"
    return said


def judged(path: Path) -> str | None:
    """What validate says is wrong."""
    with bounded(path):
        error = validate(path).error
    assert error is None or "\n" not in error
    return error


def test_every_kind_of_file_is_whole_before_it_is_damaged(whole: dict[str, Any], finished: Path) -> None:
    for path, reader in whole.values():
        assert (judged(path), clear(reader, path)) == (None, None)
    assert judged(finished) is None


NAMES = (
    "config.toml", "tables.toml", "sweep.toml", "cancer.bif", "asia.bif", "vectors.csv", "table.csv",
    "pairs.tsv", "pairs.csv", "pairs.json", "contexts.jsonl", "winograd.jsonl", "schemas.jsonl",
    "v.npy", "v.npz", "w.npz", "v.safetensors", "v.parquet", "w.parquet",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_read_or_refused(name: str, whole: dict[str, Any], tmp_path: Path) -> None:
    source, reader = whole[name]
    content = source.read_bytes()
    draw = random.Random(f"{SEED} {name}")
    refused = 0
    for number in range(TIMES or 8):
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(damaged(content, draw))
        found = judged(path), clear(reader, path)
        refused += found[0] is not None
        path.unlink()
    assert refused or name == "table.csv", "but for attributes, which may be almost anything"


def test_a_damaged_config_leaves_no_run(
    whole: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = whole["config.toml"][0].read_bytes()
    draw = random.Random(f"{SEED} no run")
    refused = 0
    for number in range(TIMES or 15):
        path = tmp_path / f"{number}.toml"
        path.write_bytes(damaged(content, draw))
        if judged(path) is not None:
            refused += 1
            with bounded(path):
                code = execute(["run", str(path), "--out", str(tmp_path / "runs"), "--quiet", "--no-page"])
            written = capsys.readouterr().err
            assert (code, written.count("\n")) == (2, 1), path
            assert not list((tmp_path / "runs").rglob("*")), path
        path.unlink()
    assert refused


def rewritten(folder: Path, draw: random.Random) -> None:
    """Damage one file of a run: its bytes, its plain data, or its tensors."""
    name = draw.choice(sorted(each.name for each in folder.iterdir() if each.suffix != ".html"))
    path = folder / name
    if path.suffix == ".json" and draw.random() < 0.7:
        path.write_text(json.dumps(damaged_data(json.loads(path.read_bytes()), draw)))
    elif path.suffix == ".safetensors" and draw.random() < 0.7:
        tensors = read_tensors(path)
        key = draw.choice(sorted(tensors))
        value = tensors.pop(key)
        change = draw.randrange(5)
        if change == 0:
            tensors[key + "x"] = value
        elif change == 1:
            tensors[key] = value[:1].clone()
        elif change == 2:
            tensors[key] = value.to(draw.choice((torch.int8, torch.float64, torch.bool))).clone()
        elif change == 3:
            tensors[key] = value[None].clone()
        else:
            tensors[key] = (value * 0 - 7).clone()
        save_file(tensors, path)
    else:
        path.write_bytes(damaged(path.read_bytes(), draw))


def sealed(folder: Path) -> None:
    """Write the hashes of what lies there now, as if it had been written so."""
    try:
        provenance = json.loads((folder / PROVENANCE).read_bytes())
        files: dict[str, Any] = {}
        for name in provenance["sha256"]:
            files[name] = read_tensors(folder / name) if name in BINARY else (folder / name).read_bytes()
        provenance["sha256"] = file_hashes(files)
        (folder / PROVENANCE).write_text(json.dumps(provenance))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return


@pytest.mark.parametrize("seal", [False, True], ids=["hashes kept", "hashes anew"])
def test_a_damaged_run_is_read_or_refused(seal: bool, finished: Path, tmp_path: Path) -> None:
    draw = random.Random(f"{SEED} run {seal}")
    refused = 0
    for number in range(TIMES or 40):
        folder = shutil.copytree(finished, tmp_path / f"{number}" / finished.name)
        rewritten(folder, draw)
        if seal:
            sealed(folder)
        found = judged(folder), clear(run_folder.read, folder)
        refused += found[0] is not None
        shutil.rmtree(folder.parent)
    assert refused


def test_a_pipe_in_place_of_a_file_of_a_run_is_refused(finished: Path, tmp_path: Path) -> None:
    names = sorted(each.name for each in finished.iterdir())
    assert len(names) == 7
    for name in names:
        folder = shutil.copytree(finished, tmp_path / name / finished.name)
        (folder / name).unlink()
        os.mkfifo(folder / name)
        said = judged(folder), clear(run_folder.read, folder)
        assert all(
            f"{name}: cannot be read (expected a file, got a device or a pipe)" in (each or "")
            for each in said
        )
        with bounded(folder):
            assert len(run_index(Store(folder.parent)).damaged) == (name in (CONFIG_FILE, PROVENANCE, RESULT))


def test_the_command_line_says_one_line_of_each(
    whole: dict[str, Any], finished: Path, tmp_path: Path
) -> None:
    draw = random.Random(f"{SEED} command")
    files: list[str] = []
    for name, (source, _) in whole.items():
        path = tmp_path / name
        path.write_bytes(damaged(source.read_bytes(), draw))
        files.append(str(path))
    folder = shutil.copytree(finished, tmp_path / finished.name)
    (folder / PROVENANCE).write_bytes(b"{")
    ran = subprocess.run(
        [sys.executable, "-m", "linrep", "validate", *files, str(folder)],
        check=False, capture_output=True, text=True, timeout=SECONDS * 5,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (2, "")
    assert len(ran.stdout.splitlines()) == len(files) + 1
