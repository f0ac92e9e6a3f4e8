"""`linrep.llm.measure`: the ruler on a language model, from a name or a loaded pair to one result."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import linrep
from linrep.errors import InputError
from linrep.llm.in_context import context_pairs
from linrep.llm.inner import InnerName, InnerProduct, causal_from_covariance, covariance, euclid, turned
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
from linrep.llm.loading import LanguageModel, load_model, load_tokenizer, wrap
from linrep.llm.options import MeasureOptions
from linrep.llm.result import LMResult
from linrep.llm.source import LoadOptions, locate
from linrep.llm.state_reader import StateReader, StatesRead
from linrep.llm.states import Progress
from linrep.llm.tokens import TokenPairs, tokenise_pairs
from linrep.llm.weights import TableName, VocabularyTable, given_table, is_table, model_table, read_table
from linrep.llm.winograd import WinogradPairs
from linrep.llm.word_squares import WordSquares
from linrep.llm.words import WordGeometry, interaction_rows, linearity_rows, orthogonality_rows, word_geometry
from linrep.runs.row import Matrix, Row
from linrep.seeds import generator

Model = str | Path | tuple[Any, Any] | LanguageModel
"""A name, a folder, (model, tokenizer), or (table, tokenizer): a matrix with a row a token, and no model."""


def measure(
    model: Model,
    pairs: PairsInput = "builtin",
    contexts: ContextsInput = None,
    winograd: WinogradInput = None,
    *,
    seed: int,
    squares: SquaresInput = None,
    options: MeasureOptions | None = None,
    load: LoadOptions | None = None,
    progress: Progress | None = None,
) -> LMResult:
    """Measure a language model: its unembeddings' geometry and, given contexts, its embeddings and their
    alignment.

    Naively: Park et al.'s notebook, copied and edited for each model.

    Args:
        model: A Hub id, a folder, a loaded (model, tokenizer) or a :class:`LanguageModel`. When only pairs
            are asked for, just one tensor of a named model is read. Of a table alone, (matrix, tokenizer),
            words are measured: `options.table` says which table it is.
        pairs: "builtin", a file or folder of pairs, records, or {concept: [(low, high), …]}.
        contexts: Paired contexts: None, "builtin", a file or folder, or records.
        winograd: Winograd pairs: None, "builtin", a file, or a record.
        seed: Of every null and interval; equal calls give equal results on one machine.
        squares: Word squares; by default the built-in ones go with the built-in pairs.
        options: How to measure.
        load: What passes through to the library when the model is loaded.
        progress: Called with (contexts done, all).

    Returns:
        Table, matrices and summary.

    Raises:
        InputError: If the model or data cannot be used, in one line.

    References:
        :cite:`jiang:24,park:24`; docs/theory, section 2.
    """
    options = options or MeasureOptions()
    read = read_model(
        model,
        pairs,
        contexts,
        winograd,
        seed=seed,
        squares=squares,
        options=options,
        load=load,
        progress=progress,
    )
    return read.under(options.inner)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRead:
    """All that was asked of a model, read once: its table, its words and its states."""

    table: VocabularyTable
    tokenizer: Any
    geometries: Mapping[InnerName, WordGeometry]
    overlap: Mapping[InnerName, tuple[list[Row], dict[str, Matrix]]]
    squares: Sequence[WordSquares]
    states: StatesRead | None
    """None where the model was not run."""
    summary: Mapping[str, Any]
    """What does not depend on the inner product."""

    def under(self, inner: InnerName) -> LMResult:
        """Everything measured in one gauge; overlap in all three, for their heat maps."""
        rows: list[Row] = []
        matrices: dict[str, Matrix] = {}
        for name, geometry in self.geometries.items():
            found, matrix = self.overlap[name]
            rows += found
            matrices |= matrix
            if name == inner:
                rows += linearity_rows(geometry)
                rows += interaction_rows(self.table, self.tokenizer, geometry, self.squares)
        summary = {**self.summary, "inner": self.geometries[inner].inner.record()}
        if self.states is not None:
            more, more_matrices, told = self.states.measure(self.geometries[inner])
            rows += more
            matrices |= more_matrices
            summary |= told
        return LMResult(summary=summary, rows=tuple(rows), matrices=matrices)


def read_model(
    model: Model,
    pairs: PairsInput,
    contexts: ContextsInput,
    winograd: WinogradInput,
    *,
    seed: int,
    squares: SquaresInput,
    options: MeasureOptions,
    load: LoadOptions | None,
    progress: Progress | None,
) -> ModelRead:
    """Read what is asked of a model, as :func:`measure` is given it, for any inner product.

    Raises:
        InputError: As :func:`measure`.
    """
    records, sentences, words = as_contexts(contexts), as_winograd(winograd), as_pairs(pairs)
    in_full = bool(records) or sentences is not None or options.layer is not None
    lm, tokenizer, table, about = _open(model, options.table, load, in_full=in_full)
    if lm is not None and lm.kind == "encoder" and in_full:
        about["notes"].append(
            "no head: states are means over tokens, and are not aligned with the input table"
        )
    tokens = tokenise_pairs(tokenizer, words, usable=table.usable, policy=options.policy)
    geometries: dict[InnerName, WordGeometry] = {
        name: word_geometry(table, tokens, inner, seed=seed, draws=options.draws)
        for name, inner in _gauges(table, options, seed).items()
    }
    states, warnings = None, list[str]()
    if lm is not None and in_full:
        reader = StateReader(lm, tokens, table, options, seed, progress)
        states, warnings = reader.read(context_pairs(records), sentences), reader.warnings
    summary: dict[str, Any] = {
        "linrep": linrep.__version__,
        "seed": seed,
        "model": about,
        "table": _table_record(table),
        "inner": {},
        "data": {
            "pairs": provenance(pairs),
            "contexts": provenance(contexts),
            "winograd": provenance(winograd),
            "hash": _data_hash(words, records, sentences),
        },
        "tokens": _token_record(tokens),
        "warnings": warnings,
    }
    return ModelRead(
        table=table,
        tokenizer=tokenizer,
        geometries=geometries,
        overlap={name: orthogonality_rows(geometry) for name, geometry in geometries.items()},
        squares=as_squares(squares, pairs),
        states=states,
        summary=summary,
    )


def open_model(model: Model, load: LoadOptions | None = None) -> LanguageModel:
    """A model in full, from whatever :func:`measure` takes."""
    if isinstance(model, LanguageModel):
        return model
    if isinstance(model, tuple):
        return wrap(model[0], model[1])
    return load_model(model, load)


def _open(
    model: Model, table: TableName, load: LoadOptions | None, *, in_full: bool
) -> tuple[LanguageModel | None, Any, VocabularyTable, dict[str, Any]]:
    """The model (None if only its table was read), its tokenizer, the table and what to record of them."""
    if isinstance(model, tuple) and is_table(model[0]):
        if in_full:
            raise InputError(
                "model: a table alone has no states; leave out contexts, winograd and layer, or give a model"
            )
        given = given_table(model[0], model[1], table=table)
        name = f"a table of {len(given.vectors)} × {given.vectors.shape[1]}"
        return None, model[1], given, {"name": name, "revision": None, "kind": "table alone", "notes": []}
    if in_full or not isinstance(model, str | Path):
        lm = open_model(model, load)
        about = {
            "name": lm.name,
            "revision": lm.revision,
            "kind": lm.kind,
            "class": type(lm.model).__name__,
            "dtype": str(lm.model.dtype).removeprefix("torch."),
            "device": str(lm.device),
            "notes": list(lm.notes),
        }
        return lm, lm.tokenizer, model_table(lm, table=table), about
    source = locate(model, load)
    if source.adapter is not None:
        # What an adapter does to a table is known only once both are put together.
        return _open(load_model(source), table, load, in_full=True)
    tokenizer = load_tokenizer(source)
    read = read_table(source, tokenizer, table=table)
    notes = list(read.notes)
    about = {"name": source.name, "revision": source.revision, "kind": "weights only", "notes": notes}
    return None, tokenizer, read, about


def _gauges(table: VocabularyTable, options: MeasureOptions, seed: int) -> dict[InnerName, InnerProduct]:
    """The three inner products; the covariance is accumulated once for two of them."""
    cov = covariance(table.vectors, table.usable, centred=options.centred)
    causal = causal_from_covariance(
        cov, rows=int(table.usable.sum()), centred=options.centred, shrinkage=options.shrinkage
    )
    return {
        "euclid": euclid(),
        "causal": causal,
        "random": turned(causal, generator=generator(seed, "inner")),
    }


def _table_record(table: VocabularyTable) -> dict[str, Any]:
    return {
        "table": table.table,
        "tensor": table.tensor,
        "tied": table.tied,
        "shape": list(table.vectors.shape),
        "dtype": str(table.vectors.dtype).removeprefix("torch."),
        "read_from": table.source,
        "bytes_read": table.bytes_read,
        "padded_rows": table.padded,
        "special_rows": table.special,
    }


def _token_record(tokens: TokenPairs) -> dict[str, Any]:
    return {
        "leading_space": tokens.leading_space,
        "multi_token": tokens.multi_token,
        "kept": tokens.counts(),
        "dropped_concepts": list(tokens.dropped_concepts),
        "dropped_by_reason": tokens.reasons(),
        "dropped": [[pair.concept, pair.low, pair.high, pair.reason] for pair in tokens.dropped],
    }


def _data_hash(words: dict[str, Any], records: Sequence[Any], sentences: WinogradPairs | None) -> str:
    contexts = [[r.concept, r.context0, r.context1, r.frame] for r in records]
    twins = None if sentences is None else [sentences.text0, sentences.text1, sentences.options]
    data = json.dumps([words, contexts, twins], sort_keys=True)
    return hashlib.sha256(data.encode()).hexdigest()[:16]
