"""A toy model as a folder that transformers and the ruler read, with the truth beside it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linrep.errors import InputError
from linrep.files import usual_rights
from linrep.llm.paired_contexts import PairedContexts
from linrep.llm.toy.history import folder_name
from linrep.llm.toy.language import Language
from linrep.llm.toy.train import Snapshot
from linrep.llm.word_pairs import WordPairs
from linrep.runs.spreadsheet import to_csv
from linrep.worlds.concepts import ConceptModel

PAIRS = "pairs"
"""Folder of word pairs, one file `[low - high].txt` a concept."""
CONTEXTS = "contexts.jsonl"
"""Paired contexts of all concepts."""
COUNTS = "counts.csv"
"""How often each word was read in training, the commonest first."""
WORLD = "world.json"
"""The planted truth."""


def require_free(folder: Path) -> None:
    """Refuse to write over anything.

    Raises:
        InputError: If the folder is a file or holds something.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(
            f"out: expected a new or empty folder, got {folder}, which holds something; choose another"
        )


def save(
    folder: Path,
    *,
    model: Any,
    tokenizer: Any,
    language: Language,
    pairs: tuple[WordPairs, ...],
    contexts: tuple[PairedContexts, ...],
    record: dict[str, object],
    counts: Mapping[str, int],
    snapshots: Sequence[Snapshot] = (),
) -> None:
    """Write model, tokenizer, word pairs, paired contexts, word counts, world and checkpoints.

    Args:
        folder: New or empty.
        model: A transformers model; written as safetensors.
        tokenizer: Its tokenizer.
        language: Whose world and words go to `world.json`.
        pairs: Written in Park et al.'s format, one tab-separated pair a line.
        contexts: Written in ours, one JSON object a line.
        record: What else `world.json` says: settings and losses.
        counts: How often each word was read.
        snapshots: The model on its way, each written as a model of its own, in a folder of its step.

    Raises:
        InputError: If the folder holds something or cannot be written.
    """
    require_free(folder)
    try:
        (folder / PAIRS).mkdir(parents=True, exist_ok=True)
        _save_model(folder, model, tokenizer)
        for each in pairs:
            text = "".join(f"{low}\t{high}\n" for low, high in each.pairs)
            (folder / PAIRS / f"[{each.title}].txt").write_text(text, encoding="utf-8")
        rows = [row for each in contexts for row in _rows(each)]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / CONTEXTS).write_text(lines, encoding="utf-8")
        ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        (folder / COUNTS).write_text(to_csv(["word", "count"], ordered), encoding="utf-8")
        _save_history(folder, model, tokenizer, snapshots)
        truth = {**record, **world_record(language)}
        text = json.dumps(truth, indent=1, ensure_ascii=False) + "\n"
        (folder / WORLD).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"out: {folder} cannot be written ({error.strerror}); choose another folder"
        ) from None


def _save_model(folder: Path, model: Any, tokenizer: Any) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    usual_rights(folder)


def _save_history(folder: Path, model: Any, tokenizer: Any, snapshots: Sequence[Snapshot]) -> None:
    """Each checkpoint as a model with its tokenizer; the model itself ends as it was."""
    last = {name: each.clone() for name, each in model.state_dict().items()} if snapshots else {}
    for each in snapshots:
        model.load_state_dict(each.weights)
        _save_model(folder / folder_name(each.step), model, tokenizer)
    if snapshots:
        model.load_state_dict(last)


def read_world(folder: Path | str) -> tuple[ConceptModel, dict[str, Any]]:
    """The concept model of a toy folder, and everything else its `world.json` says.

    Raises:
        InputError: If there is no readable `world.json`.
    """
    import torch

    file = Path(folder) / WORLD
    try:
        truth = json.loads(file.read_text(encoding="utf-8"))
        given = truth["model"]
        model = ConceptModel(
            names=tuple(given["names"]),
            states=tuple(map(tuple, given["states"])),
            parents=tuple(map(tuple, given["parents"])),
            tables=tuple(torch.tensor(table, dtype=torch.float64) for table in given["tables"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{file}: expected a toy model's world; make one with `linrep lm toy --out DIR`"
        ) from None
    return model, truth


def world_record(language: Language) -> dict[str, object]:
    """The world and its words as plain data: all that was planted."""
    world, model = language.world, language.world.model
    return {
        "model": {
            "names": model.names,
            "states": model.states,
            "parents": model.parents,
            "tables": [table.tolist() for table in model.tables],
        },
        "synonyms": dict(zip(model.names, language.synonyms, strict=True)),
        "tokens": [
            {"word": word, "code": code, "probability": probability}
            for word, code, probability in zip(
                language.token_words,
                world.token_codes.tolist(),
                world.joint[world.tokens].tolist(),
                strict=True,
            )
        ],
        "contexts": [
            {"code": code, "weight": weight}
            for code, weight in zip(world.codes.tolist(), world.weights.tolist(), strict=True)
        ],
    }


def _rows(contexts: PairedContexts) -> list[dict[str, str]]:
    columns = (contexts.frame, contexts.context0, contexts.context1, contexts.word0, contexts.word1)
    names = ("frame", "context0", "context1", "word0", "word1")
    return [
        {"concept": contexts.concept, **dict(zip(names, row, strict=True))}
        for row in zip(*columns, strict=True)
    ]
