"""What a user writes of the world: the tables ``[world]``, ``[contexts]`` and ``[tokens]`` of a config."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from linrep.errors import shown

Fraction = Annotated[float, Field(gt=0, le=1)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Table(BaseModel):
    """A table of TOML: frozen, and an unknown key in it is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Drawn(Table):
    """A world whose probabilities are drawn from a seed."""

    concepts: Annotated[int, Field(ge=1, le=100)]
    """m, the number of concepts."""
    probability_range: tuple[Probability, Probability] = Field(default=(0.3, 0.7), strict=False)
    """Conditional probabilities are uniform in this range."""
    per_run: bool = True
    """Every run draws its own world (true), or all share one (false)."""

    @model_validator(mode="after")
    def _ordered(self) -> "_Drawn":
        low, high = self.probability_range
        if low > high:
            raise ValueError(f"probability_range: expected [low, high] with low <= high, got [{low}, {high}]")
        return self


class _Dependent(Table):
    """A world whose concepts may depend on one another."""

    dependence: Probability = 1.0
    """t: (1 - t) times the product of the concepts' marginals, plus t times their joint. All marginals stay;
    with 0 concepts are independent, as a control."""


def _listed(given: Any) -> Any:
    """A list, which may be written as one text with commas."""
    return tuple(each.strip() for each in given.split(",")) if isinstance(given, str) else given


Listed = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    Field(min_length=1, strict=False),
    BeforeValidator(_listed),
]
Group = Annotated[tuple[str, ...], Field(strict=False)]


class _Reduced(_Dependent):
    """A network of which a part may be taken: exact, whatever is left out."""

    ancestors_of: Listed | None = None
    """These variables and all their ancestors alone: a sub-network, to which no edge is added."""
    keep: Listed | None = None
    """Of it these variables alone, in this order: the exact marginal; the others are summed out."""
    merge: dict[str, Annotated[tuple[Group, ...], Field(strict=False)]] | None = None
    """Of some variables, states in groups that become one: { CVP = [["LOW"], ["NORMAL", "HIGH"]] }."""


class NetworkWorld(_Reduced):
    """A published Bayesian network, by name or as a BIF file."""

    kind: Literal["network"]
    network: str
    """asia, cancer, earthquake, one of pgmpy's, such as survey, or the path of a .bif or .bif.gz file."""


class IndependentWorld(_Drawn):
    """Concepts without edges."""

    kind: Literal["independent"]
    probabilities: tuple[Probability, ...] | None = Field(default=None, strict=False)
    """P(C_i = 1) of each concept; drawn from probability_range when absent."""

    @model_validator(mode="after")
    def _one_each(self) -> "IndependentWorld":
        if self.probabilities is not None and len(self.probabilities) != self.concepts:
            raise ValueError(
                f"probabilities: expected one per concept ({self.concepts}), got {len(self.probabilities)}"
            )
        return self


class ChainWorld(_Drawn, _Dependent):
    """Concepts in a line, each the parent of the next."""

    kind: Literal["chain"]


class RandomWorld(_Drawn, _Dependent):
    """A random directed acyclic graph."""

    kind: Literal["random"]
    edge_probability: Probability = 0.5
    """Each pair of concepts is joined with this probability."""


States = Annotated[int, Field(ge=2, le=100)]


class CategoricalWorld(_Drawn):
    """A random directed acyclic graph over concepts of several states, some nested in another's state."""

    kind: Literal["categorical"]
    probability_range: tuple[Probability, Probability] = Field(default=(0.3, 0.7), strict=False)
    """Weights of the states are uniform in this range, and then normalised."""
    states: tuple[States, ...] = Field(default=(3,), strict=False)
    """How many states a concept has: one number for all, or one for each."""
    edge_probability: Probability = 0.5
    """Each pair of concepts is joined with this probability."""
    nested: dict[str, str] = {}
    """A child and where it lives: { C2 = "C1=1" }. Elsewhere it is in one state more, "none"."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """States of each concept, without "none"."""
        return self.states * self.concepts if len(self.states) == 1 else self.states

    @field_validator("states", mode="before")
    @classmethod
    def _one_for_all(cls, given: Any) -> Any:
        return (given,) if isinstance(given, int) else given

    @property
    def nests(self) -> tuple[tuple[int, int, int], ...]:
        """(parent, state, child) of every nested concept, by child."""
        names = {f"C{i + 1}": i for i in range(self.concepts)}
        found: list[tuple[int, int, int]] = []
        for child, where in self.nested.items():
            parent, _, state = where.partition("=")
            known = [str(each) for each in range(self.sizes[names[parent]])] if parent in names else []
            if child not in names or state not in known:
                raise ValueError(
                    f'nested: expected a child and a parent\'s state such as {{ C2 = "C1=1" }} (concepts C1 '
                    f"to C{self.concepts}, states from 0), got {shown(child)} in {shown(where)}"
                )
            found.append((names[parent], int(state), names[child]))
        return tuple(sorted(found, key=lambda nest: nest[2]))

    @model_validator(mode="after")
    def _consistent(self) -> "CategoricalWorld":
        if len(self.sizes) != self.concepts:
            raise ValueError(f"states: expected one number, or {self.concepts}, got {len(self.sizes)}")
        if not self.probability_range[0] > 0:
            raise ValueError("probability_range: expected low > 0, so that every state has mass, got 0")
        _ = self.nests  # refuses what it cannot read
        return self


class SparseWorld(Table):
    """Many independent concepts, mostly off: tokens and contexts are sampled, the rest is exact in them."""

    kind: Literal["sparse"]
    concepts: Annotated[int, Field(ge=1, le=400)]
    """m, the number of concepts; every two of them are measured against each other."""
    probability: Probability = 0.02
    """P(C_i = 1) of every concept."""
    samples: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Concept vectors drawn: tokens."""
    flips: Annotated[int, Field(ge=0, le=1000)] = 4
    """Tokens beside each of them, with one other concept flipped: pairs that differ in one concept."""
    contexts: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Contexts drawn, each from a vector; for each flip come two that know the flipped concept too."""
    known: Probability = 0.5
    """A context knows each concept that is on with this probability."""
    known_off: Probability = 0.0
    """And each that is off with this one."""
    per_run: bool = True
    """Every run draws its own tokens and contexts (true), or all share one draw (false)."""


class Variable(Table):
    """One concept of a world given by its tables."""

    name: Annotated[str, Field(min_length=1)]
    states: tuple[str, ...] = Field(default=("0", "1"), strict=False)
    """Names of the states; the second one counts as 1."""
    parents: tuple[str, ...] = Field(default=(), strict=False)
    table: tuple[Annotated[tuple[Probability, ...], Field(strict=False)], ...] = Field(strict=False)
    """A row of state probabilities for each parent configuration, the last parent varying fastest."""


class TablesWorld(_Reduced):
    """A Bayesian network written out in the config itself."""

    kind: Literal["tables"]
    variables: Annotated[tuple[Variable, ...], Field(min_length=1, strict=False)]


WorldConfig = Annotated[
    NetworkWorld | IndependentWorld | ChainWorld | RandomWorld | CategoricalWorld | SparseWorld | TablesWorld,
    Field(discriminator="kind"),
]


class CompleteContexts(Table):
    """Every context."""

    kind: Literal["complete"] = "complete"
    weights: Literal["uniform", "occurrence"] = "uniform"
    """ω: the same for every context, or in proportion to how often it occurs."""
    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the contexts, drawn by every run, that are kept out of training and measured apart."""
    frequency_ratio: Annotated[float, Field(ge=1, le=1e6)] = 1.0
    """How many times as often the commonest concept is known as the rarest; every run draws which."""

    @model_validator(mode="after")
    def _frequencies_of_all(self) -> "CompleteContexts":
        if self.frequency_ratio != 1 and (self.kind != "complete" or self.weights != "uniform"):
            raise ValueError(
                "frequency_ratio: weighs complete contexts by itself, got "
                f"kind = '{self.kind}' and weights = '{self.weights}'; leave one of them out"
            )
        return self


class KnownContexts(CompleteContexts):
    """Contexts that know between at_least and at_most concepts."""

    kind: Literal["known"] = "known"  # pyright: ignore[reportIncompatibleVariableOverride]
    at_least: Annotated[int, Field(ge=0)] = 1
    at_most: Annotated[int, Field(ge=0)]
    of: Listed | None = None
    """The concepts that may be known; the others are unknown in every context."""


class FractionContexts(CompleteContexts):
    """A random fraction of the possible contexts."""

    kind: Literal["fraction"] = "fraction"  # pyright: ignore[reportIncompatibleVariableOverride]
    fraction: Fraction
    per_run: bool = True
    """Every run draws its own contexts (true), or all share one draw (false)."""


class ListContexts(CompleteContexts):
    """Contexts written out: "smoke=yes lung=?" (concepts left out are unknown) or "1?0"."""

    kind: Literal["list"] = "list"  # pyright: ignore[reportIncompatibleVariableOverride]
    contexts: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]


ContextsConfig = Annotated[
    CompleteContexts | KnownContexts | FractionContexts | ListContexts, Field(discriminator="kind")
]


class CompleteTokens(Table):
    """Every concept vector that can occur."""

    kind: Literal["complete"] = "complete"


class FractionTokens(Table):
    """A random fraction of the concept vectors that can occur."""

    kind: Literal["fraction"]
    fraction: Fraction
    per_run: bool = True
    """Every run draws its own tokens (true), or all share one draw (false)."""


class ListTokens(Table):
    """Tokens written out: "smoke=yes lung=no …" with every concept, or "110"."""

    kind: Literal["list"]
    tokens: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]


class WordTokens(Table):
    """Tokens that stand for several concept vectors, or of which several stand for the same."""

    kind: Literal["words"]
    said: dict[str, dict[str, Probability]] | None = None
    """p(word | concept vector): { "ruler=yes gender=male" = { king = 0.7, monarch = 0.3 }, … }. A concept
    left out is the same for all its states. Without it words are made by what follows."""
    of: Listed | None = None
    """The concepts that words tell; the others are left open. All by default."""
    merge: tuple[Annotated[tuple[str, ...], Field(min_length=1, strict=False)], ...] = Field(
        default=(), strict=False
    )
    """Groups of concept vectors that share a word: [["00", "11"], ["1?"]]."""
    merged: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of what is still told apart that is merged into pairs at random."""
    synonyms: Annotated[tuple[Probability, ...], Field(min_length=1, strict=False)] = Field(
        default=(1.0,), strict=False
    )
    """In so many ways each of these is said, with these probabilities."""
    per_run: bool = True
    """Every run draws its own pairs (true), or all share one draw (false)."""

    @model_validator(mode="after")
    def _one_way(self) -> "WordTokens":
        made = [name for name in ("of", "merge", "merged", "synonyms") if name in self.model_fields_set]
        if self.said is not None and made:
            raise ValueError(
                f"expected what is said, or {', '.join(made)} to make words by, got both; leave one out"
            )
        return self


TokensConfig = Annotated[
    CompleteTokens | FractionTokens | ListTokens | WordTokens, Field(discriminator="kind")
]
