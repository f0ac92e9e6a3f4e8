"""`linrep.llm.emergence`: the ruler at every checkpoint, one after another, none of them twice."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import linrep
from linrep.llm.history import download
from linrep.llm.history.by_frequency import by_frequency
from linrep.llm.history.checkpoints import Checkpoint, checkpoints, identity
from linrep.llm.history.counts import CountsInput, Frequency, frequencies, read_counts
from linrep.llm.history.emerged import Look, concepts, emergence_of, quantities
from linrep.llm.history.kept import Kept, KeptTables, Shelf, key_of
from linrep.llm.history.laboratory import TableHistory, matching_world, table_history
from linrep.llm.history.result import EmergenceResult
from linrep.llm.inputs import (
    ContextsInput,
    PairsInput,
    SquaresInput,
    WinogradInput,
    as_contexts,
    as_pairs,
    as_squares,
    as_winograd,
    provenance,
)
from linrep.llm.loading import load_tokenizer
from linrep.llm.measurement import measure
from linrep.llm.options import MeasureOptions
from linrep.llm.source import LoadOptions, Source
from linrep.llm.tokens import tokenise_pairs, word_ids
from linrep.llm.toy.known import known

log = logging.getLogger("linrep.llm")
Progress = Callable[[int, int, str], None]
"""Called with (checkpoints done, all, the name of the next)."""


def emergence(
    model: str | Path | Sequence[str | Path],
    revisions: Sequence[str] | None = None,
    pairs: PairsInput = "builtin",
    contexts: ContextsInput = None,
    winograd: WinogradInput = None,
    *,
    seed: int,
    squares: SquaresInput = None,
    counts: CountsInput | None = None,
    steps: Sequence[int] | None = None,
    tokens_per_step: int | float | None = None,
    options: MeasureOptions | None = None,
    load: LoadOptions | None = None,
    out: Path | str | None = None,
    keep: bool = False,
    laboratory: bool = True,
    progress: Progress | None = None,
) -> EmergenceResult:
    """When do concepts become directions? Every checkpoint of a model is measured as :func:`measure` does.

    A concept has emerged at the first checkpoint from which on the 95 % interval of its linearity stays above
    the 97.5 % quantile of random pairs.

    Naively: ``[measure(model, pairs, seed=seed, load=LoadOptions(revision=r)) for r in revisions]``, which
    starts again from the first when it is stopped, and leaves every download behind.

    Args:
        model: A Hub id with `revisions`; folders, one a checkpoint; or a folder that holds such (``step0``).
        revisions: On the Hub; of a folder, folders in it.
        pairs: As :func:`measure` takes them.
        contexts: Likewise; the model is then run.
        winograd: Likewise.
        seed: Of every null and interval.
        squares: Likewise.
        counts: How often words (or tokens, or concepts) occur in the corpus that was trained on: a CSV, TSV
            or JSON file, or a mapping. Adds the law of frequency.
        steps: One a checkpoint, where their names do not say.
        tokens_per_step: How many tokens a step reads, where their names do not say.
        options: How to measure.
        load: What passes through to the library.
        out: A folder where each checkpoint's numbers are kept as soon as they are there: what is stopped goes
            on, and nothing is measured twice. Only in memory if None.
        keep: Keep what is downloaded; else each revision that was not in the Hub's local cache before leaves
            it again once it is measured.
        laboratory: Train tables beside it, on the model's own world if it is a toy, else on one like it.
        progress: Called before each checkpoint and at the end.

    Returns:
        Every number at every step, when each concept emerged, thresholds and order by frequency.

    Raises:
        InputError: If a checkpoint or the data cannot be used, or counts are of other words, in one line.

    Example:
        >>> import tempfile
        >>> from linrep.llm import MeasureOptions, TokenPolicy, emergence
        >>> from linrep.llm.toy import make_toy
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     toy = make_toy(
        ...         folder, seed=0, concepts=3, hidden=8, layers=1, heads=1, steps=40, checkpoints=3
        ...     ).folder
        ...     few = MeasureOptions(policy=TokenPolicy(minimum_pairs=4), draws=50)
        ...     found = emergence(toy, None, toy / "pairs", seed=0, options=few, laboratory=False)
        >>> [look.step for look in found.looks], len(found.of())
        ([0, 32, 40], 3)

    References:
        :cite:`jiang:24,merullo:25`.
    """
    options, load = options or MeasureOptions(), load or LoadOptions()
    todo = checkpoints(model, revisions, steps=steps, tokens_per_step=tokens_per_step, load=load)
    words, records = as_pairs(pairs), as_contexts(contexts)
    data = {
        "pairs": words,
        "contexts": records,
        "winograd": as_winograd(winograd),
        "squares": as_squares(squares, pairs),
    }
    occur: dict[str, Frequency] = {}
    if counts is not None:
        occur = _frequencies(todo[0].locate(), counts, data, options)
    asked = data | {"seed": seed, "options": replace(options, cache=None), "load": _asked(load)}
    shelf = None if out is None else Shelf(Path(out))
    looks: list[Look] = []
    told: list[dict[str, Any]] = []
    for done, each in enumerate(todo):
        if progress is not None:
            progress(done, len(todo), each.name)
        found = _measured(each, asked, options, shelf, keep=keep)
        looks.append(Look(name=each.name, step=each.step, tokens=each.tokens, rows=found.rows))
        told.append(
            {"name": each.name, "step": each.step, "tokens": each.tokens, "key": found.key} | _told(found)
        )
    if progress is not None:
        progress(len(todo), len(todo), "")
    beside = _laboratory(todo, occur, shelf, seed=seed, draws=options.draws) if laboratory else None
    sources = {"pairs": pairs, "contexts": contexts, "winograd": winograd, "counts": counts}
    return _result(
        looks,
        occur,
        beside,
        {
            "linrep": linrep.__version__,
            "seed": seed,
            "model": _name(todo),
            "inner": told[-1]["inner"],
            "data": {name: provenance(given) for name, given in sources.items()},
            "measured": told,
        },
    )


def _result(
    looks: Sequence[Look],
    occur: dict[str, Frequency],
    beside: TableHistory | None,
    summary: dict[str, Any],
) -> EmergenceResult:
    """What follows from all checkpoints together."""
    followed = quantities(looks)
    emerged = tuple(
        emergence_of(looks, quantity, concept)
        for quantity in followed
        for concept in concepts(looks, quantity)
    )
    seed = summary["seed"]
    by = [by_frequency(looks, quantity, emerged, occur, seed=seed) for quantity in followed] if occur else []
    return EmergenceResult(
        summary=summary,
        looks=tuple(looks),
        emerged=emerged,
        frequencies=occur,
        frequency=tuple(each for each in by if each is not None),
        laboratory=beside,
    )


def _measured(
    checkpoint: Checkpoint, asked: dict[str, Any], options: MeasureOptions, shelf: Shelf | None, *, keep: bool
) -> Kept:
    """One checkpoint: as it was kept, or measured now and kept at once."""
    source = checkpoint.locate()
    key = key_of(identity(source), asked)
    kept = None if shelf is None else shelf.get(key, Kept)
    mark = None if shelf is None else shelf.mark(key)
    if kept is None:
        had = download.at_hand(source)
        if mark is not None:
            download.begin(source, mark)
        log.info("measuring %s", checkpoint.name)
        result = measure(
            checkpoint.model,
            asked["pairs"],
            asked["contexts"],
            asked["winograd"],
            seed=asked["seed"],
            squares=asked["squares"],
            options=options,
            load=checkpoint.load,
        )
        kept = Kept.of(key, result)
        if shelf is not None:
            shelf.put(kept)
        elif source.folder is None and not had and not keep:
            download.forget(source)
    else:
        log.info("%s was measured before", checkpoint.name)
    if mark is not None:
        download.end(source, mark, keep=keep)
    return kept


def _frequencies(
    source: Source, given: CountsInput, data: dict[str, Any], options: MeasureOptions
) -> dict[str, Frequency]:
    """How often concepts occur, by the words that the tokenizer keeps; before anything is measured."""
    counts = read_counts(given)
    tokenizer = load_tokenizer(source)
    kept = tokenise_pairs(tokenizer, data["pairs"], policy=options.policy)
    groups: dict[str, list[tuple[str, str]]] = {name: [] for name in kept.concepts}
    for low, high, group in zip(kept.low.tolist(), kept.high.tolist(), kept.group.tolist(), strict=True):
        groups[kept.concepts[group]].append((kept.words[low], kept.words[high]))

    def ids(word: str) -> Sequence[int]:
        return word_ids(tokenizer, word, kept.leading_space)

    return frequencies(
        counts,
        groups,
        data["contexts"],
        tokens=lambda word: tokenizer.convert_ids_to_tokens(list(ids(word))),
        ids=ids,
    )


def _laboratory(
    todo: Sequence[Checkpoint], occur: dict[str, Frequency], shelf: Shelf | None, *, seed: int, draws: int
) -> TableHistory:
    folder = Path(todo[-1].model)
    toy = next((found for each in (folder, folder.parent) if (found := known(each)) is not None), None)
    if toy is not None:
        world, words = toy.language.world, "the model's own world"
    else:
        world = matching_world([each.count for each in occur.values()])
        words = "a world of independent concepts"
        words += ", spoken of as unevenly as the model's" if occur else ""
    decides = {
        "names": world.model.names,
        "weights": world.weights.tolist(),
        "joint": world.joint.tolist(),
        "seed": seed,
        "draws": draws,
    }
    key = key_of(words, decides)
    kept = None if shelf is None else shelf.get(key, KeptTables)
    if kept is None:
        kept = KeptTables(key=key, history=table_history(world, words, seed=seed, draws=draws))
        if shelf is not None:
            shelf.put(kept)
    return kept.history


def _name(todo: Sequence[Checkpoint]) -> str:
    """What all checkpoints are of: the Hub id, or the folder that holds them."""
    last = todo[-1]
    return last.model if last.load.revision is not None else Path(last.model).resolve().parent.name


def _asked(load: LoadOptions) -> dict[str, Any]:
    return {"device": load.device, "dtype": load.dtype, "device_map": load.device_map}


def _told(found: Kept) -> dict[str, Any]:
    """What a reader should know of one checkpoint."""
    model = found.summary["model"]
    return {
        "revision": model["revision"],
        "kind": model["kind"],
        "inner": found.summary["inner"]["inner"],
        "notes": model["notes"],
        "warnings": found.summary["warnings"],
    }
