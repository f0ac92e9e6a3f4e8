r"""What the tokens of a batch of runs mean, where they are words: sums over meanings, both ways.

With one meaning for every token P·G takes a row of G to one concept vector. Here a row goes to each of its
word's meanings, times how often the word is said with it, and a concept vector takes the sum of its words:
the passes between are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from linrep.population.rows import moved, padded, spread, take
from linrep.worlds.words import Words


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Meanings:
    """The meanings of each run's words, padded to the most with mass 0."""

    token: Int64[Tensor, "runs meanings"]
    """The row of the word."""
    index: Int64[Tensor, "runs meanings"]
    """The concept vector, as an index into the joint."""
    mass: Float64[Tensor, "runs meanings"]
    """e(y|c) p(c); 0 on padding."""
    choice: Float64[Tensor, "runs meanings"]
    """Where the meanings of a run lie once they stand by concept vector: each its number plus the sum of the
    shares up to its word, so that one number in [0, 1) chooses a word of each; infinite on padding."""
    chosen: Int64[Tensor, "runs meanings"]
    """The word of each of these."""

    @classmethod
    def of(cls, words: Sequence[Words], joint: Float64[Tensor, "runs joint"]) -> "Meanings":
        """Collect the words of each run.

        Args:
            words: One a run.
            joint: p(c) of each run.
        """
        index = padded([each.vector for each in words])
        share = padded([each.share for each in words])
        choices = [_choices(each) for each in words]
        most = max(len(edges) for edges, _ in choices)
        choice = torch.full((len(words), most), torch.inf, dtype=torch.float64)
        for row, (edges, _) in zip(choice, choices, strict=True):
            row[: len(edges)] = edges
        return cls(
            token=padded([each.word for each in words]),
            index=index,
            mass=joint.gather(-1, index) * share,
            choice=choice,
            chosen=padded([word for _, word in choices]),
        )

    def to(self, device: torch.device | str) -> "Meanings":
        """The same on another device."""
        fields = {name: moved(getattr(self, name), device) for name in self.__slots__}
        return Meanings(**fields)

    def select(self, runs: Tensor) -> "Meanings":
        """Those of some of the runs, by index or mask."""
        return Meanings(**{name: getattr(self, name)[runs] for name in self.__slots__})

    def by_vector(
        self, columns: Float[Tensor, "runs dim tokens"], joint: int
    ) -> Float[Tensor, "runs dim joint"]:
        r"""Sums over the words of each concept vector, :math:`\sum_y e(y|c)\,p(c)\,g(y)`.

        Args:
            columns: One column a word.
            joint: How many concept vectors there are.
        """
        mass = self.mass.to(columns.dtype).unsqueeze(1)
        return spread(take(columns, self.token) * mass, self.index, joint)

    def by_word(
        self, columns: Float[Tensor, "runs dim joint"], tokens: int
    ) -> Float[Tensor, "runs dim tokens"]:
        """Sums over the meanings of each word.

        Args:
            columns: One column a concept vector.
            tokens: How many words the widest run has.
        """
        mass = self.mass.to(columns.dtype).unsqueeze(1)
        return spread(take(columns, self.index) * mass, self.token, tokens)

    def rows(
        self, compatible: Bool[Tensor, "runs rows meanings"], tokens: int
    ) -> Float64[Tensor, "runs rows tokens"]:
        """p(y, d), of each context the mass of the meanings that agree with it.

        Args:
            compatible: Which meanings these are.
            tokens: How many words the widest run has.
        """
        return spread(compatible * self.mass.unsqueeze(1), self.token, tokens)

    def drawn(
        self, vector: Int64[Tensor, "runs n"], uniform: Float64[Tensor, "runs n"]
    ) -> Int64[Tensor, "runs n"]:
        """A word of each concept vector, in proportion to its probability.

        Args:
            vector: Concept vectors, as indices into the joint.
            uniform: In [0, 1).
        """
        place = torch.searchsorted(self.choice, vector + uniform, right=True)
        return self.chosen.gather(-1, place.clamp_max(self.chosen.shape[1] - 1))


def _choices(words: Words) -> tuple[Float64[Tensor, " meanings"], Int64[Tensor, " meanings"]]:
    """Upper edges of each word's part of [c, c + 1), by concept vector c; and the words."""
    order = words.vector.argsort(stable=True)
    vector, share = words.vector[order], words.share[order]
    total = share.cumsum(0)
    first = torch.cat([torch.ones(1, dtype=torch.bool), vector.diff() > 0])
    before = (total - share)[first][first.cumsum(0) - 1]
    last = torch.cat([first[1:], torch.ones(1, dtype=torch.bool)])
    return vector + torch.where(last, 1.0, (total - before).clamp_max(1.0)), words.word[order]
