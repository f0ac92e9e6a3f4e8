"""States of contexts and sentences, read from a model in full and measured place by place."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from linrep.errors import InputError
from linrep.llm.blocks import blocks
from linrep.llm.in_context import (
    ContextPairs,
    alignment_rows,
    context_geometry,
    embedding_rows,
    log_odds_rows,
    probe_rows,
    single_token_pairs,
)
from linrep.llm.inner import euclid
from linrep.llm.loading import LanguageModel
from linrep.llm.options import MeasureOptions
from linrep.llm.referents import referent_rows
from linrep.llm.self_check import self_check
from linrep.llm.states import Progress, States, read_states
from linrep.llm.tokens import TokenPairs
from linrep.llm.weights import VocabularyTable
from linrep.llm.winograd import WinogradPairs
from linrep.llm.words import WordGeometry
from linrep.runs.row import Matrix, Row

log = logging.getLogger("linrep.llm")

CHECKED = 8
"""Contexts that the self-check looks at."""


class StateReader:
    """Reads states of contexts and sentences, once."""

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
        concepts = range(len(tokens.concepts))
        self.single = torch.cat([single_token_pairs(tokens, concept) for concept in concepts])
        self.layers, self.place = self._places()
        self.record: dict[str, Any] = {}
        """What a summary says of where and how states were read."""
        self.warnings: list[str] = []

    def read(self, contexts: ContextPairs, sentences: WinogradPairs | None) -> "StatesRead":
        """The states of contexts and of sentences, each if there are any: all that the model is run for."""
        self.record["where"] = {
            "layer": self.place,
            "norm": "what the head reads: after the final norm"
            if self.place == "head"
            else "before the final norm",
            "layers": self.layers,
        }
        of_contexts = of_sentences = None
        if contexts.texts:
            of_contexts = self._read(contexts.texts, self.single.unique().tolist())
            self._check(contexts.texts)
        if sentences is not None and self.lm.kind != "encoder":
            of_sentences = self._read((*sentences.text0, *sentences.text1), [])
            if not contexts.texts:
                self._check(sentences.text0)
        return StatesRead(
            reader=self,
            contexts=contexts,
            sentences=sentences,
            of_contexts=of_contexts,
            of_sentences=of_sentences,
        )

    def _read(self, texts: Sequence[str], logit_ids: list[int]) -> States:
        states = read_states(
            self.lm,
            texts,
            layers=self.layers,
            logit_ids=logit_ids if self.lm.kind != "encoder" else [],
            batch_size=self.options.batch_size,
            cache=self.options.cache,
            progress=self.progress,
        )
        self.record["where"] |= {"token": states.token, "batch_size": states.batch_size}
        return states

    def _check(self, texts: Sequence[str]) -> None:
        step = max(len(texts) // CHECKED, 1)
        low, high = self.single.unbind(1)
        check = self_check(self.lm, texts[::step][:CHECKED], low=low, high=high)
        if check is None:
            return
        self.record["self_check"] = check.record()
        self.warnings += check.warnings
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesRead:
    """States that were read, to be measured place by place in any gauge."""

    reader: StateReader
    contexts: ContextPairs
    sentences: WinogradPairs | None
    of_contexts: States | None
    of_sentences: States | None

    def measure(self, words: WordGeometry) -> tuple[list[Row], dict[str, Matrix], dict[str, Any]]:
        """Rows and matrices in the words' gauge, and what a summary says of them."""
        rows: list[Row] = []
        matrices: dict[str, Matrix] = {}
        record = dict(self.reader.record)
        if self.of_contexts is not None:
            rows, matrices = self._context_rows(self.of_contexts, words)
        if self.of_sentences is not None and self.sentences is not None:
            found, record["winograd"] = referent_rows(
                self.sentences,
                self.of_sentences,
                self.reader.place,
                self.reader.table,
                self.reader.lm.tokenizer,
                self.reader.tokens,
                words.inner,
                seed=self.reader.seed,
                draws=self.reader.options.draws,
            )
            rows += found
        return rows, matrices, record

    def _context_rows(self, states: States, words: WordGeometry) -> tuple[list[Row], dict[str, Matrix]]:
        reader = self.reader
        rows: list[Row] = []
        matrices: dict[str, Matrix] = {}
        comparable = reader.lm.kind != "encoder"
        # The words' gauge belongs to the head's space; a headless encoder's states are measured as they are.
        inner = words.inner if comparable else euclid()
        for place in dict.fromkeys((reader.place, *map(str, reader.layers))):
            geometry = context_geometry(
                self.contexts, states, place, inner, seed=reader.seed, draws=reader.options.draws
            )
            rows += embedding_rows(geometry, inner.name)
            rows += probe_rows(geometry, words if comparable else None, inner.name)
            if place == reader.place and comparable:
                found, matrices = alignment_rows(geometry, words)
                rows += found
            if place == "head" and comparable and reader.options.table == "output":
                rows += log_odds_rows(geometry, words, states, reader.table.vectors)
        return rows, matrices
