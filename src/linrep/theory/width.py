r"""Is a width wide enough: a floor under the excess loss of any tables of it, or tables that reach zero."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.progress import counted
from linrep.worlds.codes import labels
from linrep.worlds.tokens import ravel
from linrep.worlds.transforms import subset_sum
from linrep.worlds.truth import World, require_enumerated

LARGEST = 2**24
"""Most entries (contexts × tokens) of a world in which a floor is searched: nine complete concepts."""
WIDEST = 9
"""Largest width at which a floor is searched: sets of k + 2 tokens have 2^(k + 1) − 1 splits."""
MOST_STARTS = 16
"""Tokens that a set of tokens is grown from: half the least probable, half spread evenly over the others."""
MOST_NEXT = 16
"""Tokens that are tried as the next of a set."""
AT_ONCE = 2**20
"""Numbers held at once: splits × patterns."""
RESOLUTION = 1e-6
"""Probabilities that differ by a smaller share than this count as equal, so that rounding proves nothing."""
ADDITIVE = 1e-9
"""Log-probabilities this near, in nats, to a sum over concepts count as one: it costs below its square."""

Verdict = Literal["too narrow", "wide enough"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastExcess:
    """What is proven of the least excess loss that tables of a width can approach.

    Example:
        >>> LeastExcess(dim=2, floor=0.0, witnesses=(), construction="additive").verdict
        'wide enough'
    """

    dim: int
    """The width k."""
    floor: float
    """No tables of this width have less excess loss, in nats; 0 where no such bound was found."""
    witnesses: tuple[str, ...]
    """The k + 2 tokens that prove the floor, such as ``smoke=yes lung=no``; none where there is none."""
    construction: Literal["additive", "polynomial"] | None
    """Tables of this width that approach zero excess; None where none is known."""

    @property
    def verdict(self) -> Verdict | None:
        """*too narrow* above a positive floor, *wide enough* with a construction; None: not decided."""
        if self.floor > 0:
            return "too narrow"
        return "wide enough" if self.construction else None

    @property
    def words(self) -> str:
        """The value of a table: what is proven, in nats."""
        if self.floor > 0:
            return f"at least {self.floor:.2g}"
        return "0 (approached)" if self.construction else "not decided"

    def as_json(self) -> dict[str, object]:
        """The JSON object of ``linrep predict --json``."""
        return {
            "dim": self.dim,
            "verdict": self.verdict,
            "floor_nats": self.floor,
            "witnesses": list(self.witnesses),
            "construction": self.construction,
        }


def least_excess(world: World, dim: int) -> LeastExcess:
    r"""Whether tables of width k can approach zero excess loss: a floor, a construction, or neither.

    *Floor.* Of any k + 2 points of :math:`\mathbb{R}^k` some are split into A and B whose convex hulls meet
    (Radon): :math:`\sum_a \lambda_a g(a) = \sum_b \mu_b g(b)`. So every context has
    :math:`\sum_a \lambda_a \ln q(a) = \sum_b \mu_b \ln q(b)`: it cannot give all of A more than all of B.
    Where the truth does, :math:`x = \min_A p(a|d) > y = \max_B p(b|d)`, some a and b have
    :math:`q(a) \le q(b)`, and the nearest such q makes them equal (KL is convex, and more when p(a) grows
    or p(b) falls):

    .. math:: KL(p_d \,\|\, q) \ge x \ln\frac{2x}{x+y} + y \ln\frac{2y}{x+y},

    :math:`x \ln 2` where y = 0. The sum over contexts, least over the :math:`2^{k+1} - 1` splits of all k + 2
    tokens (a split of some of them costs no less than a split of all that contains it), bounds the excess of
    every G and F. Sets are grown from some tokens, nearest first, so a floor may be missed, never invented.
    A token and its m neighbours have one in every complete world: k < m is too narrow.

    *Additive.* With :math:`a(c)` the states that some context knows and :math:`\ell(c) = \ln p(c)`, take
    :math:`g = (a, \ell)`, :math:`f(d) = (R\,1_{K(d)}, 1)`: the logits are R times the number of agreeing
    concepts, plus ℓ, and :math:`R \to \infty` leaves p(c|d). Its width is the rank of (a, ℓ) over the tokens:
    m + 1 for m binary concepts, m if ℓ is a sum over concepts (independent). In general m is *not* enough:
    two concepts with p(00), p(11) > p(01), p(10) have a floor at k = 2.

    *Polynomial.* With :math:`t_c \approx \ell(c)`, ties parted a little, :math:`g(c) = (t_c, .., t_c^{2n})`
    and f(d) the coefficients of :math:`t - R \prod_{c' \sim d} (t - t_{c'})^2`: on the support ℓ, elsewhere
    :math:`-\infty`. n is the largest support that excludes a token.

    Naively: train tables of this width from many starts, and never be sure.

    Args:
        world: Its contexts of positive weight; any tokens, any number of states.
        dim: Width k of the tables, 1 or more.

    Returns:
        What is proven, in nats. Worlds above :data:`LARGEST` and widths above :data:`WIDEST` have no floor.

    Raises:
        InputError: If dim is below 1.

    Example:
        >>> from linrep.worlds.concepts import from_tables
        >>> from linrep.worlds.contexts import world
        >>> tied = {"a": [[0.5, 0.5]], "b": [[0.9, 0.1], [0.1, 0.9]]}
        >>> toy = world(from_tables(["a", "b"], tied, parents={"b": ["a"]}))
        >>> [least_excess(toy, k).verdict for k in (1, 2, 3)]
        ['too narrow', 'too narrow', 'wide enough']
        >>> round(least_excess(toy, 2).floor, 4)  # training stops there
        0.0154

    References:
        Radon 1921; docs/theory, claim C6.
    """
    if dim < 1:
        raise InputError(f"dim: expected at least 1, got {dim}; give the width of the tables")
    if world.words is not None:  # both proofs are of tokens of one concept vector each
        return LeastExcess(dim=dim, floor=0.0, witnesses=(), construction=None)
    require_enumerated(world, "least excess loss")
    construction = _construction(world, dim)
    found = None
    small = dim <= WIDEST and len(world.codes) * len(world.tokens) <= LARGEST
    if construction is None and small:
        found = _search(_Agreement.of(world), dim + 2)
    floor, tokens = found or (0.0, [])
    return LeastExcess(
        dim=dim,
        floor=floor,
        witnesses=labels(world.model, world.token_codes[tokens]) if tokens else (),
        construction=construction,
    )


def _construction(world: World, dim: int) -> Literal["additive", "polynomial"] | None:
    codes = world.codes[world.weights > 0]
    states = [
        (column == state).double()
        for column, asked, size in zip(world.token_codes.T, codes.T, world.model.sizes, strict=True)
        for state in asked.unique().tolist()
        if state < size
    ]
    log_p = world.joint[world.tokens].log()
    log_p = log_p - log_p.mean()
    rank = int(bool((log_p.abs() > ADDITIVE).any()))
    if states:
        table = torch.stack(states, 1)
        basis, values, _ = torch.linalg.svd(table - table.mean(0), full_matrices=False)
        basis = basis[:, values > 1e-9 * max(table.shape)]
        rest = log_p - basis @ (basis.T @ log_p)
        rank = basis.shape[1] + int(bool((rest.abs() > ADDITIVE).any()))
    if dim >= rank:
        return "additive"
    sizes = world.model.sizes
    agreeing = subset_sum((world.joint > 0).double(), sizes)[ravel(codes, [size + 1 for size in sizes])]
    proper = agreeing[agreeing < len(world.tokens)]
    return "polynomial" if len(proper) == 0 or dim >= 2 * int(proper.max()) else None


@dataclass(frozen=True, slots=True)
class _Agreement:
    """Which tokens can follow which contexts of positive weight, and what a floor is summed from."""

    agrees: Bool[Tensor, "contexts tokens"]
    scale: Float64[Tensor, " contexts"]
    r"""ω(d)/Z(d)."""
    mass: Float64[Tensor, " tokens"]
    """p(c)."""
    distance: Int64[Tensor, "tokens tokens"]
    """In how many concepts two tokens differ."""

    @classmethod
    def of(cls, world: World) -> "_Agreement":
        used = world.weights > 0
        codes, number = world.codes[used], len(world.tokens)
        agrees = torch.ones(len(codes), number, dtype=torch.bool)
        distance = torch.zeros(number, number, dtype=torch.int64)
        for size, asked, state in zip(world.model.sizes, codes.T, world.token_codes.T, strict=True):
            agrees &= (asked[:, None] == state) | (asked[:, None] == size)
            distance += state[:, None] != state
        bases = [size + 1 for size in world.model.sizes]
        possible = subset_sum(world.joint, world.model.sizes)[ravel(codes, bases)]
        return cls(agrees, world.weights[used] / possible, world.joint[world.tokens], distance)

    def floor(self, chosen: list[int]) -> float:
        """The least over all splits; contexts in which the same tokens are possible count together."""
        number = len(chosen)
        places = 2 ** torch.arange(number)
        code, at = (self.agrees[:, chosen] * places).sum(1).unique(return_inverse=True)
        scale = torch.zeros(len(code), dtype=torch.float64).index_add_(0, at, self.scale)
        mass = torch.where((code[:, None] & places) > 0, self.mass[chosen], 0.0)
        least = torch.inf
        # The last token is never in the second part, so each split comes once.
        for splits in torch.arange(1, 2 ** (number - 1)).split(max(1, AT_ONCE // len(code))):
            second = (splits[:, None] & places) > 0
            least = min(least, float((_cost_of_splits(mass, second) @ scale).min()))
            if least == 0:
                return 0.0
        return least


def _cost_of_splits(
    mass: Float64[Tensor, "patterns tokens"], second: Bool[Tensor, "splits tokens"]
) -> Float64[Tensor, "splits patterns"]:
    """What each pattern adds to each split, for Z = 1: the cost is homogeneous in p."""
    shape = len(second), len(mass)
    most, least = torch.zeros(2, *shape, dtype=torch.float64), torch.full((2, *shape), torch.inf).double()
    for column, inside in zip(mass.T, second.T, strict=True):
        for part, here in enumerate((~inside, inside)):
            most[part, here] = torch.maximum(most[part, here], column)
            least[part, here] = torch.minimum(least[part, here], column)
    # At most one part lies above the other.
    return _equalising(least[0], most[1]) + _equalising(least[1], most[0])


def _equalising(x: Tensor, y: Tensor) -> Tensor:
    """Least divergence to a q with q(a) = q(b) where p(a) = x > p(b) = y, else 0."""
    share = (x - y) / (x + y).clamp_min(1e-300)
    cost = torch.zeros_like(x)
    apart = share > RESOLUTION
    s = share[apart]
    cost[apart] = (x + y)[apart] / 2 * (torch.xlogy(1 - s, 1 - s) + (1 + s) * s.log1p())
    return cost


def _search(agreement: _Agreement, number: int) -> tuple[float, list[int]] | None:
    """The best floor of sets grown from some tokens; None if none is positive."""
    best: tuple[float, list[int]] | None = None
    rising = agreement.mass.argsort(stable=True).tolist()
    rest = rising[MOST_STARTS // 2 :]
    starts = rising[: MOST_STARTS // 2] + rest[:: -(-len(rest) // (MOST_STARTS // 2)) or 1]
    for start in counted(starts, "least excess: starts"):
        found = _grown(agreement, start, number)
        if found and (best is None or found[0] > best[0]):
            best = found
    return best


def _grown(agreement: _Agreement, start: int, number: int) -> tuple[float, list[int]] | None:
    """A set with a positive floor at each step: the best of the nearest tokens that leave one."""
    chosen, value = [start], 0.0
    distance = agreement.distance[start]
    while len(chosen) < number:
        tried: list[tuple[float, int]] = []
        for away in distance.unique().tolist()[1:]:
            ring = [c for c in (distance == away).nonzero()[:, 0].tolist() if c not in chosen][:MOST_NEXT]
            tried = [(agreement.floor([c, *chosen]), c) for c in ring]
            tried = [each for each in tried if each[0] > 0]
            if tried:
                break
        if not tried:
            return None
        value, nearest = max(tried)
        chosen = [nearest, *chosen]
    return value, chosen
