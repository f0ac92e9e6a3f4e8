"""Words to token ids, by one policy for both words of a pair (R1, R2).

What a tokenizer does with a word depends on the space before it; a pair read with the space on one side only
measures that space. Each pair that is not used is kept in the record with the reason.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from linrep.errors import InputError

LeadingSpace = Literal["prefix", "none", "auto"]
MultiToken = Literal["drop", "first", "mean"]
ConceptWords = Mapping[str, Sequence[tuple[str, str]]]

UNKNOWN = "unknown"
"""Why a pair was dropped: the tokenizer has no token for one of its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPolicy:
    """How words become rows: the space before them, and what happens to words of several tokens.

    `auto` takes the leading space that keeps the most pairs (a tie goes to `prefix`), one choice for all
    pairs, which is recorded. A concept left with fewer than `minimum_pairs` is dropped, and that is recorded
    too.

    Example:
        >>> TokenPolicy().multi_token
        'drop'
    """

    leading_space: LeadingSpace = "auto"
    multi_token: MultiToken = "drop"
    minimum_pairs: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedPair:
    """A pair that is not measured, and why."""

    concept: str
    low: str
    high: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPairs:
    """The pairs a tokenizer keeps: rows of a word table, grouped by concept, concepts in the order given.

    `word_tokens[w]` are the token ids of word w (one id unless the policy is `mean`); `low`, `high` and
    `group` are index pairs into the words, as the ruler takes them.
    """

    concepts: tuple[str, ...]
    words: tuple[str, ...]
    word_tokens: tuple[tuple[int, ...], ...]
    low: Int64[Tensor, " pairs"]
    high: Int64[Tensor, " pairs"]
    group: Int64[Tensor, " pairs"]
    dropped: tuple[DroppedPair, ...]
    dropped_concepts: tuple[str, ...]
    leading_space: Literal["prefix", "none"]
    multi_token: MultiToken

    def counts(self) -> dict[str, int]:
        """Kept pairs of each concept."""
        count = Counter(self.group.tolist())
        return {name: count[i] for i, name in enumerate(self.concepts)}

    def reasons(self) -> dict[str, int]:
        """How many pairs were dropped for each reason."""
        return dict(Counter(pair.reason for pair in self.dropped))

    def word_vectors(self, table: Float[Tensor, "vocabulary dim"]) -> Float[Tensor, "words dim"]:
        """The rows of the words in float64; the mean row for a word of several tokens."""
        flat = torch.tensor([token for tokens in self.word_tokens for token in tokens], device=table.device)
        length = torch.tensor([len(tokens) for tokens in self.word_tokens])
        rows = table[flat].to("cpu", torch.float64)
        owner = torch.repeat_interleave(torch.arange(len(length)), length)
        total = torch.zeros(len(length), table.shape[1], dtype=torch.float64).index_add_(0, owner, rows)
        return total / length[:, None]


def word_ids(tokenizer: Any, word: str, leading_space: Literal["prefix", "none"]) -> tuple[int, ...]:
    """The token ids of one word, no special tokens added."""
    text = f" {word}" if leading_space == "prefix" else word
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def usable_ids(
    tokenizer: Any,
    word: str,
    leading_space: Literal["prefix", "none"],
    multi_token: MultiToken,
    usable: Bool[Tensor, " vocabulary"] | None = None,
) -> tuple[int, ...] | None:
    """The token ids a word is read by under the policy, or None if it is not read."""
    ids = _cut(word_ids(tokenizer, word, leading_space), multi_token)
    fault = _fault(ids, tokenizer.unk_token_id, frozenset(tokenizer.all_special_ids), usable, multi_token)
    return None if fault else ids


def tokenise_pairs(
    tokenizer: Any,
    pairs: ConceptWords,
    *,
    usable: Bool[Tensor, " vocabulary"] | None = None,
    policy: TokenPolicy | None = None,
) -> TokenPairs:
    """Token rows for every word pair, the same policy for both words.

    Naively: `tokenizer(word).input_ids[1]` for each word, which reads whatever token stands there.

    Args:
        tokenizer: A transformers tokenizer.
        pairs: Concept name to (low, high) words.
        usable: Rows of the table that may be read; all when None.
        policy: Leading space, multi-token rule, smallest concept.

    Returns:
        The kept pairs and, with the reason, the dropped ones.

    Raises:
        InputError: If no concept keeps `minimum_pairs` pairs, with the largest count.
    """
    policy = policy or TokenPolicy()
    spaces: list[Literal["prefix", "none"]] = (
        ["prefix", "none"] if policy.leading_space == "auto" else [policy.leading_space]
    )
    best = max(
        (_tokenise(tokenizer, pairs, usable, policy, space) for space in spaces), key=lambda r: len(r.low)
    )
    if not best.concepts:
        count = Counter(pair.reason for pair in best.dropped)
        given, short = sum(map(len, pairs.values())), _too_few(policy)
        kept = given - sum(number for reason, number in count.items() if reason != short)
        why = ", ".join(f"{n} {reason}" for reason, n in count.most_common(3))
        raise InputError(
            f"pairs: the tokenizer keeps {kept} of {given} pairs and no concept keeps "
            f"{policy.minimum_pairs} ({why or 'no pairs given'}); try {_remedy(count)}"
        )
    return best


def _remedy(count: Counter[str]) -> str:
    """What helps against the commonest reason, as the command line and as Python spell it."""
    if count and count.most_common(1)[0][0] == UNKNOWN:
        return "other --pairs, of words that it knows"
    return "--multi-token mean (multi_token='mean') or a smaller --minimum-pairs (minimum_pairs)"


def _too_few(policy: TokenPolicy) -> str:
    return f"concept keeps fewer than {policy.minimum_pairs} pairs"


def _tokenise(
    tokenizer: Any,
    pairs: ConceptWords,
    usable: Tensor | None,
    policy: TokenPolicy,
    space: Literal["prefix", "none"],
) -> TokenPairs:
    vocabulary = {
        word: word_ids(tokenizer, word, space) for group in pairs.values() for pair in group for word in pair
    }
    unknown, special = tokenizer.unk_token_id, frozenset(tokenizer.all_special_ids)
    rows: dict[tuple[int, ...], int] = {}
    names: list[str] = []
    concepts: list[str] = []
    short: list[str] = []
    index: list[tuple[int, int, int]] = []
    dropped: list[DroppedPair] = []
    for concept, group in pairs.items():
        kept: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[str, str]] = {}
        for low, high in group:
            ids = [_cut(vocabulary[word], policy.multi_token) for word in (low, high)]
            faults = (_fault(token, unknown, special, usable, policy.multi_token) for token in ids)
            reason = next((fault for fault in faults if fault), None)
            if reason is None and ids[0] == ids[1]:
                reason = "same id"
            if reason is None and ((ids[0], ids[1]) in kept or (ids[1], ids[0]) in kept):
                reason = "duplicate"
            if reason is None:
                kept[ids[0], ids[1]] = (low, high)
            else:
                dropped.append(DroppedPair(concept=concept, low=low, high=high, reason=reason))
        if len(kept) < policy.minimum_pairs:
            short.append(concept)
            dropped += [
                DroppedPair(concept=concept, low=a, high=b, reason=_too_few(policy)) for a, b in kept.values()
            ]
            continue
        for token_pair, word_pair in kept.items():
            for token, word in zip(token_pair, word_pair, strict=True):
                if token not in rows:
                    rows[token] = len(rows)
                    names.append(word)
            index.append((rows[token_pair[0]], rows[token_pair[1]], len(concepts)))
        concepts.append(concept)
    low, high, group = torch.tensor(index, dtype=torch.int64).reshape(-1, 3).unbind(1)
    return TokenPairs(
        concepts=tuple(concepts),
        words=tuple(names),
        word_tokens=tuple(rows),
        low=low,
        high=high,
        group=group,
        dropped=tuple(dropped),
        dropped_concepts=tuple(short),
        leading_space=space,
        multi_token=policy.multi_token,
    )


def _cut(tokens: tuple[int, ...], multi_token: MultiToken) -> tuple[int, ...]:
    return tokens[:1] if multi_token == "first" else tokens


def _fault(
    tokens: tuple[int, ...],
    unknown: int | None,
    special: frozenset[int],
    usable: Tensor | None,
    multi_token: MultiToken,
) -> str | None:
    """Why a word has no row of its own; None when it has."""
    if not tokens:
        return "no token"
    if unknown is not None and unknown in tokens:
        return UNKNOWN
    if special.intersection(tokens):
        return "special token"
    if usable is not None and any(token >= len(usable) or not bool(usable[token]) for token in tokens):
        return "no row in the table"
    if len(tokens) > 1 and multi_token == "drop":
        return "multi-token"
    return None
