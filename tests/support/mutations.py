"""Random damage to files: bytes, words and numbers of any file, and values of plain data."""

import random
import re
from collections.abc import Callable
from typing import Any

NUMBERS = (
    "-1",
    "0",
    "1",
    "2",
    "13",
    "10000",
    "1e308",
    "-1e-320",
    "nan",
    "inf",
    "9" * 40,
    str(2**63),
    "0.5",
    "1e999",
)
JUNK: tuple[Any, ...] = (None, True, -1, 0, 7, 10**30, 0.5, 1e308, "", "?", "\n", "x" * 300, [], [[]], {},
                         {"a": 1}, [1, 2], ["a"], [None], {"": []})  # fmt: skip
WORD = re.compile(rb"[A-Za-z_0-9.+-]+|[^\sA-Za-z_0-9]")
NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?")


def damaged(content: bytes, draw: random.Random) -> bytes:
    """The content after one to three mutations."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        content = draw.choice(MUTATIONS)(content, draw)
    return content


def damaged_data(value: Any, draw: random.Random) -> Any:
    """Plain data with one value replaced, dropped, doubled or put elsewhere, anywhere in it."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        key = draw.choice(sorted(value))
        if draw.random() < 0.1:
            return {name: each for name, each in value.items() if name != key}
        return value | {key: damaged_data(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.85:
        at = draw.randrange(len(value))
        if draw.random() < 0.1:
            return value[:at] + value[at + draw.choice((0, 1)) :] + value[:1]
        return [*value[:at], damaged_data(value[at], draw), *value[at + 1 :]]
    return draw.choice(JUNK)


def _flip(content: bytes, draw: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(draw.choice((1, 4, 16))):
        if found:
            found[draw.randrange(len(found))] = draw.randrange(256)
    return bytes(found)


def _truncate(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def _splice(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content) + 1)
    part = content[start : start + draw.choice((1, 10, 200))]
    at = draw.randrange(len(content) + 1)
    return content[:at] + part * draw.choice((1, 1, 3, 50)) + content[at + draw.choice((0, len(part))) :]


def _swap(content: bytes, draw: random.Random) -> bytes:
    words = list(WORD.finditer(content[:20_000]))
    if len(words) < 2:
        return content
    a, b = sorted(draw.sample(words, 2), key=lambda word: word.start())
    return content[: a.start()] + b[0] + content[a.end() : b.start()] + a[0] + content[b.end() :]


def _number(content: bytes, draw: random.Random) -> bytes:
    return _replace(content, NUMBER, draw.choice(NUMBERS).encode(), draw)


def _rename(content: bytes, draw: random.Random) -> bytes:
    return _replace(
        content, re.compile(rb"[A-Za-z_]{2,}"), draw.choice((b"x", b"a.b", b"kind", b"\xc3\xa9")), draw
    )


def _nest(content: bytes, draw: random.Random) -> bytes:
    deep = draw.choice((b"[", b"{", b"{a=", b'{"a":', b"(", b"a.")) * draw.choice((3, 100, 30_000))
    return _replace(content, WORD, deep, draw) if draw.random() < 0.5 else deep + content


def _lines(content: bytes, draw: random.Random) -> bytes:
    lines = content.split(b"\n")
    at = draw.randrange(len(lines))
    return b"\n".join([*lines[:at], *[lines[at]] * draw.choice((0, 2)), *lines[at + 1 :]])


def _replace(content: bytes, pattern: re.Pattern[bytes], by: bytes, draw: random.Random) -> bytes:
    found = list(pattern.finditer(content[:20_000]))
    if not found:
        return content
    chosen = draw.choice(found)
    return content[: chosen.start()] + by + content[chosen.end() :]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip, _truncate, _splice, _swap, _number, _number, _rename, _nest, _lines,
)  # fmt: skip
