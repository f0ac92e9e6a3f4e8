"""`linrep.llm.measure`: the ruler on a language model, from a name or a loaded pair to one result."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import linrep
from linrep.errors import InputError
from linrep.llm.forward import blocks
from linrep.llm.in_context import (
    ContextPairs,
    alignment_rows,
    context_geometry,
    context_pairs,
    embedding_rows,
    log_odds_rows,
    probe_rows,
    single_token_pairs,
)
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
from linrep.llm.referents import referent_rows
from linrep.llm.result import LMResult, Matrix, Row
from linrep.llm.self_check import self_check
from linrep.llm.source import LoadOptions, locate
from linrep.llm.states import Progress, States, read_states
from linrep.llm.tokens import TokenPairs, TokenPolicy, tokenise_pairs
from linrep.llm.weights import TableName, VocabularyTable, model_table, read_table
from linrep.llm.winograd import WinogradPairs
from linrep.llm.word_squares import WordSquares
from linrep.llm.words import WordGeometry, interaction_rows, linearity_rows, orthogonality_rows, word_geometry
from linrep.seeds import generator

log = logging.getLogger("linrep.llm")

Model = str | Path | tuple[Any, Any] | LanguageModel
CHECKED = 8
"""Contexts that the self-check looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """How to measure; every choice is recorded in the result."""

    table: TableName = "output"
    inner: InnerName = "causal"
    """The inner product of the main table; heatmaps are made under all three."""
    layer: int | str | None = None
    """None: the state the head reads. A number: the residual stream after that many blocks. "all": also every
    layer.
    """
    policy: TokenPolicy = field(default_factory=TokenPolicy)
    centred: bool = True
    shrinkage: float = 0.0
    draws: int = 400
    """Bootstrap resamples, and draws of each null."""
    batch_size: int = 32
    cache: Path | None = None


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
            are asked for, just one tensor of a named model is read.
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
    records = as_contexts(contexts)
    sentences = as_winograd(winograd)
    words = as_pairs(pairs)
    in_full = bool(records) or sentences is not None or options.layer is not None
    lm, tokenizer, table, about = _open(model, options.table, load, in_full=in_full)
    if lm is not None and lm.kind == "encoder" and in_full:
        about["notes"].append(
            "no head: states are means over tokens, and are not aligned with the input table"
        )
    tokens = tokenise_pairs(tokenizer, words, usable=table.usable, policy=options.policy)
    gauges = _gauges(table, options, seed)
    geometries = {
        name: word_geometry(table, tokens, inner, seed=seed, draws=options.draws)
        for name, inner in gauges.items()
    }
    rows, matrices = _word_rows(geometries, table, tokenizer, as_squares(squares, pairs), options)
    summary: dict[str, Any] = {
        "linrep": linrep.__version__,
        "seed": seed,
        "model": about,
        "table": _table_record(table),
        "inner": gauges[options.inner].record(),
        "data": {
            "pairs": provenance(pairs),
            "contexts": provenance(contexts),
            "winograd": provenance(winograd),
            "hash": _data_hash(words, records, sentences),
        },
        "tokens": _token_record(tokens),
        "warnings": list[str](),
    }
    if lm is not None and in_full:
        reader = _Reader(lm, tokens, table, options, seed, progress)
        more, more_matrices = reader.measure(
            geometries[options.inner], context_pairs(records), sentences, summary
        )
        rows += more
        matrices |= more_matrices
    return LMResult(summary=summary, rows=tuple(rows), matrices=matrices)


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
    tokenizer = load_tokenizer(source)
    read = read_table(source, tokenizer, table=table)
    notes = ["the model has no head: its input table is measured"] if read.tied is None else []
    about = {"name": source.name, "revision": source.revision, "kind": "weights only", "notes": notes}
    return None, tokenizer, read, about


def _gauges(table: VocabularyTable, options: MeasureOptions, seed: int) -> dict[str, InnerProduct]:
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


def _word_rows(
    geometries: dict[str, WordGeometry],
    table: VocabularyTable,
    tokenizer: Any,
    squares: Sequence[WordSquares],
    options: MeasureOptions,
) -> tuple[list[Row], dict[str, Matrix]]:
    rows: list[Row] = []
    matrices: dict[str, Matrix] = {}
    for name, geometry in geometries.items():
        found, matrix = orthogonality_rows(geometry)
        rows += found
        matrices |= matrix
        if name == options.inner:
            rows += linearity_rows(geometry)
            rows += interaction_rows(table, tokenizer, geometry, squares)
    return rows, matrices


class _Reader:
    """Reads states of contexts and sentences, and measures them place by place."""

    def __init__(
        self,
        lm: LanguageModel,
        tokens: TokenPairs,
        table: VocabularyTable,
        options: MeasureOptions,
        seed: int,
        progress: Progress | None,
    ) -> None:
        self.lm, self.tokens, self.table = lm, tokens, table
        self.options, self.seed, self.progress = options, seed, progress
        self.layers, self.place = self._places()

    def measure(
        self,
        words: WordGeometry,
        contexts: ContextPairs,
        sentences: WinogradPairs | None,
        summary: dict[str, Any],
    ) -> tuple[list[Row], dict[str, Matrix]]:
        rows: list[Row] = []
        matrices: dict[str, Matrix] = {}
        summary["where"] = {
            "layer": self.place,
            "norm": "what the head reads: after the final norm"
            if self.place == "head"
            else "before the final norm",
            "layers": self.layers,
        }
        if contexts.texts:
            ids = [
                int(i)
                for c in range(len(self.tokens.concepts))
                for i in single_token_pairs(self.tokens, c).flatten()
            ]
            states = self._read(contexts.texts, sorted(set(ids)), summary)
            found, matrices = self._context_rows(states, contexts, words)
            rows += found
            self._check(contexts.texts, summary)
        if sentences is not None and self.lm.kind != "encoder":
            states = self._read((*sentences.text0, *sentences.text1), [], summary)
            found, summary["winograd"] = referent_rows(
                sentences,
                states,
                self.place,
                self.table,
                self.lm.tokenizer,
                self.tokens,
                words.inner,
                seed=self.seed,
                draws=self.options.draws,
            )
            rows += found
            if not contexts.texts:
                self._check(sentences.text0, summary)
        return rows, matrices

    def _context_rows(
        self, states: States, contexts: ContextPairs, words: WordGeometry
    ) -> tuple[list[Row], dict[str, Matrix]]:
        rows: list[Row] = []
        matrices: dict[str, Matrix] = {}
        comparable = self.lm.kind != "encoder"
        # The words' gauge belongs to the head's space; a headless encoder's states are measured as they are.
        inner = words.inner if comparable else euclid()
        for place in dict.fromkeys((self.place, *map(str, self.layers))):
            geometry = context_geometry(
                contexts, states, place, inner, seed=self.seed, draws=self.options.draws
            )
            rows += embedding_rows(geometry, inner.name)
            rows += probe_rows(geometry, words if comparable else None, inner.name)
            if place == self.place and comparable:
                found, matrices = alignment_rows(geometry, words)
                rows += found
            if place == "head" and comparable and self.options.table == "output":
                rows += log_odds_rows(geometry, words, states, self.table.vectors)
        return rows, matrices

    def _read(self, texts: Sequence[str], logit_ids: list[int], summary: dict[str, Any]) -> States:
        states = read_states(
            self.lm,
            texts,
            layers=self.layers,
            logit_ids=logit_ids if self.lm.kind != "encoder" else [],
            batch_size=self.options.batch_size,
            cache=self.options.cache,
            progress=self.progress,
        )
        summary["where"] |= {"token": states.token, "batch_size": states.batch_size}
        return states

    def _check(self, texts: Sequence[str], summary: dict[str, Any]) -> None:
        step = max(len(texts) // CHECKED, 1)
        ids = torch.cat([single_token_pairs(self.tokens, c) for c in range(len(self.tokens.concepts))])
        check = self_check(self.lm, texts[::step][:CHECKED], low=ids[:, 0], high=ids[:, 1])
        if check is None:
            return
        summary["self_check"] = check.record()
        summary["warnings"] += check.warnings
        for warning in check.warnings:
            log.warning("%s: %s", self.lm.name, warning)

    def _places(self) -> tuple[list[int], str]:
        layer = self.options.layer
        if layer is None:
            return [], "head"
        depth = len(blocks(self.lm.model))
        if layer == "all":
            return list(range(depth + 1)), "head"
        text = str(layer).removeprefix("-")
        if not text.isdigit() or not -depth - 1 <= int(layer) <= depth:
            raise InputError(f"layer: expected 0..{depth}, 'all' or none, got {layer!r}")
        chosen = int(layer) % (depth + 1)
        return [chosen], str(chosen)


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
