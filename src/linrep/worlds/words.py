r"""Tokens that stand for several concept vectors, and concept vectors that have several: p(token | c).

A **word** is a token with its **meanings**, the concept vectors that it is said of, each with a probability
:math:`e(y \mid c)`. Merged tokens have several meanings; synonyms share one. With one word for each concept
vector, said of no other, tokens are those of the paper, and need no such table. Otherwise

.. math:: p(y \mid d) = \sum_{c \sim d} e(y \mid c)\, p(c) / Z(d).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64, Int8, Int64
from torch import Tensor

from linrep.errors import InputError, many, short, shown
from linrep.worlds.codes import labels, parse_contexts
from linrep.worlds.concepts import ConceptModel
from linrep.worlds.probabilities import probability_row
from linrep.worlds.reduction import indices
from linrep.worlds.tokens import supported_tokens, unravel

LONGEST_NAME = 3
"""Of so many meanings the name of a word that is no cube tells; of more, how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Words:
    """p(word | concept vector), one entry a meaning, by word and then by concept vector.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> coin = independent(1, probabilities=[0.5], generator=None)
        >>> say(coin, {"0": {"tails": 1.0}, "1": {"heads": 0.5, "face": 0.5}})
        Words(3 words: tails, heads, face; 3 meanings)
    """

    names: tuple[str, ...]
    """How each word is written."""
    word: Int64[Tensor, " meanings"]
    """Of each meaning the word, ascending."""
    vector: Int64[Tensor, " meanings"]
    """The concept vector it stands for, as an index into the joint; ascending within a word."""
    share: Float64[Tensor, " meanings"]
    """e(word | concept vector), above 0; those of a concept vector sum to 1."""

    def __repr__(self) -> str:
        names = short(", ".join(self.names))
        return f"Words({many(len(self.names), 'word')}: {names}; {many(len(self.word), 'meaning')})"

    def codes(self, sizes: Sequence[int]) -> Int8[Tensor, "words concepts"]:
        """What each word says of each concept: the state that all its meanings share, or "several".

        Args:
            sizes: States of each concept; one past the last is "several", as it is "unknown" in a context.

        Example:
            >>> from linrep.worlds.concepts import independent
            >>> tell(independent(2, probabilities=[0.5, 0.5]), of=["C2"]).codes((2, 2))
            tensor([[2, 0],
                    [2, 1]], dtype=torch.int8)
        """
        digits = unravel(self.vector, sizes)
        number, at = len(self.names), self.word[:, None].expand(-1, len(sizes))
        low, high = (
            torch.zeros(number, len(sizes), dtype=torch.int8).scatter_reduce_(
                0, at, digits, kind, include_self=False
            )
            for kind in ("amin", "amax")
        )
        return torch.where(low == high, low, torch.tensor(sizes, dtype=torch.int8))

    def possible(self, joint: Float64[Tensor, " joint"]) -> "Words":
        """The same without meanings that cannot occur.

        Args:
            joint: p(c).

        Raises:
            InputError: A word of which nothing is left, or a concept vector that occurs and has no words.
        """
        number = len(joint)
        if int(self.vector.max()) >= number:
            raise InputError(
                f"tokens: expected words of {number} concept vectors, got one of number "
                f"{int(self.vector.max())}; make them of this model"
            )
        said = torch.zeros(number, dtype=torch.float64).index_add_(0, self.vector, self.share)
        wrong = ((joint > 0) & ((said - 1).abs() > 1e-9)).nonzero()[:, 0]
        if len(wrong):
            raise InputError(
                "tokens: expected words of every concept vector that can occur, their probabilities of sum "
                f"1, got {float(said[wrong[0]]):.6g} for number {int(wrong[0])}; make them of this model"
            )
        there = joint[self.vector] > 0
        heard = torch.zeros(len(self.names), dtype=torch.bool).index_fill_(0, self.word[there], True)
        if not bool(heard.all()):
            name = self.names[int((~heard).nonzero()[0, 0])]
            raise InputError(
                f"tokens: nobody says {shown(name)}, for what it means has probability 0; leave it out"
            )
        return replace(self, word=self.word[there], vector=self.vector[there], share=self.share[there])


def say(model: ConceptModel, said: Mapping[str, Mapping[str, float]]) -> Words:
    """Words by what is said of each concept vector.

    Args:
        model: The concepts.
        said: For concept vectors, such as ``"C1=1 C2=0"`` or ``"10"``, the words and their probabilities.
            Where a concept is left out, as in ``"C1=1"`` or ``"1?"``, it is the same for all its states.

    Raises:
        InputError: A concept vector that can occur has no words, or is spoken of twice; probabilities that do
            not sum to 1; a word of probability 0.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> royal = independent(2, probabilities=[0.5, 0.5], generator=None)
        >>> ruler = {"11": {"queen": 0.7, "monarch": 0.3}, "10": {"king": 0.6, "monarch": 0.4}}
        >>> words = say(royal, {**ruler, "0?": {"person": 1.0}})
        >>> words.names, words.vector[words.word == 3].tolist()
        (('queen', 'monarch', 'king', 'person'), [0, 1])
    """
    if not said:
        raise InputError("tokens: expected words of some concept vectors, got none")
    names: dict[str, int] = {}
    spoken: dict[int, str] = {}
    entries: list[tuple[int, int, float]] = []
    joint = model.joint()
    for text, row in said.items():
        unnamed = next((name for name in row if not name or not name.isprintable()), None)
        if unnamed is not None:
            raise InputError(f"tokens: {shown(unnamed)} cannot name a word; use printable characters")
        shares = _shares([*row], [*row.values()], f"tokens: {shown(text)}")
        own = [(names.setdefault(name, len(names)), share) for name, share in zip(row, shares, strict=True)]
        for vector in _cube(model, text).tolist():
            if vector in spoken:
                label = labels(model, unravel(torch.tensor([vector]), model.sizes))[0]
                raise InputError(
                    f"tokens: '{label}' is spoken of twice, by {shown(spoken[vector])} and by {shown(text)}; "
                    "let one of them leave it out"
                )
            spoken[vector] = text
            entries += [(word, vector, share) for word, share in own]
    for vector in supported_tokens(joint).tolist():
        if vector not in spoken:
            label = labels(model, unravel(torch.tensor([vector]), model.sizes))[0]
            raise InputError(f"tokens: nothing is said of '{label}', which can occur; give it a word")
    return _made(names, entries).possible(joint)


def tell(
    model: ConceptModel,
    *,
    of: Sequence[str] | None = None,
    merge: Sequence[Sequence[str]] = (),
    merged: float = 0.0,
    synonyms: Sequence[float] = (1.0,),
    generator: torch.Generator | None = None,
) -> Words:
    """Words that tell of some concepts only, of some of their values together, or in several ways.

    Args:
        model: The concepts.
        of: The concepts that are told; the others are left open. All if None.
        merge: Groups of concept vectors that share a word, as texts such as ``"C1=1 C2=0"`` or ``"1?"``.
        merged: Share of what is still told apart that is merged into pairs at random, in [0, 1].
        synonyms: Each of these words is said in so many ways, with these probabilities.
        generator: Draws the pairs.

    Raises:
        InputError: An unknown concept; a value in two groups, or a group that parts what is not told apart;
            a share that leaves [0, 1]; probabilities that do not sum to 1.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> model = independent(2, probabilities=[0.5, 0.5], generator=None)
        >>> tell(model, merge=[["00", "11"]]).names
        ('C1=0 C2=0 or C1=1 C2=1', 'C1=0 C2=1', 'C1=1 C2=0')
        >>> tell(model, of=["C2"], synonyms=[0.7, 0.3]).names
        ('C1=? C2=0 (1)', 'C1=? C2=0 (2)', 'C1=? C2=1 (1)', 'C1=? C2=1 (2)')
    """
    ways = _shares([f"way {way + 1}" for way in range(len(synonyms))], synonyms, "tokens.synonyms")
    vectors = supported_tokens(model.joint())
    codes = unravel(vectors, model.sizes)
    told = codes if of is None else codes[:, indices(model, of, "tokens.of")]
    values, group = torch.unique(told, dim=0, return_inverse=True)
    group = _merged(model, vectors, group, merge)
    group = _paired(group, merged, len(values), generator)
    # Words stand in the order of their first meaning.
    _, group = torch.unique(group, return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(vectors)).scatter_reduce_(
        0, group, torch.arange(len(vectors)), "amin"
    )
    place = first.argsort().argsort()[group]
    names = _names(model, codes, place)
    entries = [
        (word * len(ways) + way, vector, share)
        for word, vector in zip(place.tolist(), vectors.tolist(), strict=True)
        for way, share in enumerate(ways)
    ]
    several = len(ways) > 1
    written = [f"{name} ({way + 1})" if several else name for name in names for way in range(len(ways))]
    return _made(written, entries)


def _made(names: Iterable[str], entries: list[tuple[int, int, float]]) -> Words:
    word, vector, share = zip(*sorted(entries), strict=True)
    return Words(
        names=tuple(names),
        word=torch.tensor(word),
        vector=torch.tensor(vector),
        share=torch.tensor(share, dtype=torch.float64),
    )


def _shares(names: Sequence[str], given: Sequence[float], where: str) -> list[float]:
    """Probabilities above 0 of sum 1."""
    if not names:
        raise InputError(f"{where}: expected at least one probability, got none; give one for each word")
    shares = probability_row(given, len(names), where)
    absent = next((name for name, share in zip(names, shares, strict=True) if share <= 0), None)
    if absent is not None:
        raise InputError(f"{where}: expected probabilities above 0, got 0 for {shown(absent)}; leave it out")
    return shares


def _cube(model: ConceptModel, text: str) -> Int64[Tensor, " vectors"]:
    """The concept vectors that agree with a text, as indices into the joint."""
    index = torch.zeros(1, dtype=torch.int64)
    for digit, size in zip(
        parse_contexts(model, [text], what="concept vectors of a token")[0].tolist(), model.sizes, strict=True
    ):
        states = torch.arange(size) if digit == size else torch.tensor([digit])
        index = (index[:, None] * size + states).flatten()
    return index


def _merged(model: ConceptModel, vectors: Tensor, group: Tensor, merge: Sequence[Sequence[str]]) -> Tensor:
    """The group of each vector once the groups asked for are one each."""
    found, number = group.clone(), int(group.max()) + 1
    taken = torch.zeros(number, dtype=torch.bool)
    for at, texts in enumerate(merge):
        inside = torch.isin(vectors, torch.cat([_cube(model, text) for text in texts] or [vectors[:0]]))
        values = group[inside].unique()
        if not len(values):
            raise InputError(f"tokens.merge: nothing of {shown(list(texts))} can occur; leave the group out")
        if bool(torch.isin(group[~inside], values).any()):
            raise InputError(
                f"tokens.merge: {shown(list(texts))} names states of concepts that tokens do not tell; "
                "leave these concepts out"
            )
        if bool(taken[values].any()):
            raise InputError(f"tokens.merge: a part of {shown(list(texts))} is in two groups; keep one")
        taken[values] = True
        found[inside] = number + at
    return found


def _paired(group: Tensor, merged: float, values: int, generator: torch.Generator | None) -> Tensor:
    """Of the groups a share in pairs."""
    if not 0 <= merged <= 1:
        raise InputError(f"tokens.merged: expected a share from 0 to 1, got {merged}")
    rest = group[group < values].unique()
    pairs = round(merged * len(rest) / 2) if len(rest) > 1 else 0
    if not pairs:
        return group
    if generator is None:
        raise InputError("tokens.merged: expected a generator to draw the pairs by, got none; give one")
    drawn = rest[torch.randperm(len(rest), generator=generator)[: 2 * (pairs := min(pairs, len(rest) // 2))]]
    partner = torch.arange(int(group.max()) + 1)
    partner[drawn[pairs:]] = drawn[:pairs]
    return partner[group]


def _names(model: ConceptModel, codes: Int8[Tensor, "vectors concepts"], word: Tensor) -> list[str]:
    """What each word means: a partial concept vector where that says it, else its meanings."""
    names: list[str] = []
    for members in word.argsort(stable=True).split(torch.bincount(word).tolist()):
        own = codes[members]
        same = (own == own[0]).all(0)
        inside = (codes[:, same] == own[0, same]).all(1)
        digits = torch.where(same, own[0], torch.tensor(model.sizes, dtype=torch.int8))
        if int(inside.sum()) == len(own):
            names.append(labels(model, digits[None])[0])
        elif len(own) <= LONGEST_NAME:
            names.append(" or ".join(labels(model, own)))
        else:
            names.append(f"{labels(model, own[:1])[0]} or {len(own) - 1} others")
    return names
