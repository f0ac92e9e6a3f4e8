"""Contexts and tokens as readable text, both ways: ``smoke=yes lung=?``, or one digit per concept, ``1?``.

A name or state that would fall apart stands in quotes, ``"age group"="5, 10"``, with a backslash before a
quote or a backslash in it.
"""

import re
from collections.abc import Sequence

import torch
from jaxtyping import Int8
from torch import Tensor

from linrep.errors import InputError, short
from linrep.worlds.concepts import ConceptModel
from linrep.worlds.probabilities import UNKNOWN

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_WORD = re.compile(rf"(?:{_QUOTED}|[^\s,])+")
_PAIR = re.compile(rf"({_QUOTED}|[^=]*)=(.*)", re.DOTALL)


def labels(model: ConceptModel, codes: Int8[Tensor, "rows concepts"]) -> tuple[str, ...]:
    """One readable label per row of state indices, every concept in order.

    Args:
        model: Names the concepts and their states.
        codes: State indices; one past the last state is unknown.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> model = independent(2, probabilities=[0.5, 0.5], generator=None)
        >>> labels(model, torch.tensor([[1, 2]], dtype=torch.int8))
        ('C1=1 C2=?',)
    """
    words = [
        [f"{_quoted(name)}={_quoted(state)}" for state in (*states, UNKNOWN)]
        for name, states in zip(model.names, model.states, strict=True)
    ]
    return tuple(
        " ".join(word[digit] for word, digit in zip(words, row, strict=True)) for row in codes.tolist()
    )


def parse_contexts(
    model: ConceptModel, texts: Sequence[str], *, what: str = "context"
) -> Int8[Tensor, "contexts concepts"]:
    """Contexts from text, in the order given: ``smoke=yes`` (the rest is unknown), or digits, ``1?``.

    Args:
        model: Names the concepts and their states.
        texts: One each.
        what: They are, for errors.

    Raises:
        InputError: For an unknown concept or state, a concept named twice, or a wrong number of digits.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> model = independent(3, probabilities=[0.5, 0.5, 0.5], generator=None)
        >>> parse_contexts(model, ["C2=1", "01?"])
        tensor([[2, 1, 2],
                [0, 1, 2]], dtype=torch.int8)
    """
    rows = [_row(model, text.strip(), what) for text in texts]
    return torch.tensor(rows, dtype=torch.int8).reshape(len(rows), model.concepts)


def parse_tokens(model: ConceptModel, texts: Sequence[str]) -> Int8[Tensor, "tokens concepts"]:
    """Tokens from text, in the order given: ``smoke=yes lung=no`` or ``10``; every concept must be known.

    Raises:
        InputError: As :func:`parse_contexts`, and for a concept left unknown.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> model = independent(2, probabilities=[0.5, 0.5], generator=None)
        >>> parse_tokens(model, ["C2=1 C1=0"])
        tensor([[0, 1]], dtype=torch.int8)
    """
    rows = [_row(model, text.strip(), "token") for text in texts]
    for text, row in zip(texts, rows, strict=True):
        for name, size, digit in zip(model.names, model.sizes, row, strict=True):
            if digit == size:
                raise InputError(
                    f"token '{_line(text)}': every concept must be known, "
                    f"got no state of '{short(name)}'; name it"
                )
    return torch.tensor(rows, dtype=torch.int8).reshape(len(rows), model.concepts)


def _line(text: str) -> str:
    return short(" ".join(text.split()))


def _quoted(word: str) -> str:
    if not re.search(r'[\s,="]', word):
        return word
    return '"' + re.sub(r'(["\\])', r"\\\1", word) + '"'


def _plain(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if re.fullmatch(_QUOTED, word) else word


def _row(model: ConceptModel, text: str, what: str) -> list[int]:
    if not text:
        raise InputError(
            f"{what} '{_line(text)}': expected text such as '{model.names[0]}={model.states[0][1]}', got none"
        )
    return _from_words(model, text, what) if "=" in text else _from_digits(model, text, what)


def _from_words(model: ConceptModel, text: str, what: str) -> list[int]:
    row = list(model.sizes)
    seen: set[str] = set()
    for word in _WORD.findall(text):
        pair = _PAIR.fullmatch(word)
        if pair is None:
            raise InputError(f"{what} '{_line(text)}': expected concept=state, got '{short(word)}'")
        name, state = _plain(pair[1]), _plain(pair[2])
        if name not in model.names:
            raise InputError(
                f"{what} '{_line(text)}': unknown concept '{short(name)}'; "
                f"the concepts are {short(', '.join(model.names))}"
            )
        if name in seen:
            raise InputError(f"{what} '{_line(text)}': concept '{short(name)}' is named twice; keep one")
        seen.add(name)
        concept = model.names.index(name)
        known = (*model.states[concept], UNKNOWN)
        if state not in known:
            raise InputError(
                f"{what} '{_line(text)}': unknown state '{short(state)}' of '{short(name)}'; "
                f"it has {short(', '.join(known))}"
            )
        row[concept] = known.index(state)
    return row


def _from_digits(model: ConceptModel, text: str, what: str) -> list[int]:
    if len(text) != model.concepts:
        raise InputError(
            f"{what} '{_line(text)}': expected concept=state words or {model.concepts} digits, "
            f"one per concept, got {len(text)} characters"
        )
    row: list[int] = []
    for name, size, digit in zip(model.names, model.sizes, text, strict=True):
        known = [*map(str, range(size)), UNKNOWN]
        if digit not in known:
            raise InputError(
                f"{what} '{_line(text)}': unknown state '{digit}' of '{short(name)}'; "
                f"write one of {short(', '.join(known))}"
            )
        row.append(known.index(digit))
    return row
