r"""The price of linearity: the excess loss that exactly linear unembeddings cannot go below."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from linrep.errors import InputError, counted
from linrep.progress import stage
from linrep.theory.certificate import Certificate
from linrep.theory.maximum_entropy import Divergence, divergence_to_family
from linrep.worlds.tokens import affine_rank, ravel
from linrep.worlds.transforms import subset_sum
from linrep.worlds.truth import World, require_enumerated

LARGEST = 2**23
"""Most compatible pairs of a context and a token that the convex problem takes: some ten seconds."""
AT_ONCE = 2**22
"""Numbers of a batch of contexts that are held at once."""
PADDING = 1.5
"""The tokens of a batch's contexts differ in number by at most this factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The least excess loss of tables whose unembedding is exactly additive, whatever the embedding.

    Example:
        >>> import linrep
        >>> coin = linrep.independent(2, probabilities=[0.5, 0.2], generator=None)
        >>> round(price_of_linearity(linrep.world(coin)).nats, 12)
        0.0
    """

    nats: float
    """Mean over contexts, weighted as in training."""
    width: int
    """The width at which it is the least: one dimension for each direction in which tokens differ."""
    by_context: Float64[Tensor, " contexts"]
    """Of each context of the world, held out or not, in nats."""
    solved: int
    """Contexts whose tokens are not all combinations of some states: a convex problem, no closed form."""
    certificate: Certificate
    """The value reached and a lower bound; equal in closed form."""

    def as_json(self) -> dict[str, object]:
        """The JSON object that ``linrep predict --json`` prints."""
        return {
            "nats": self.nats,
            "width": self.width,
            "closed_form": not self.solved,
            "certificate": self.certificate.as_json(),
        }


def price_of_linearity(world: World) -> Price:
    r"""Least excess loss with G exactly additive, F free, :math:`\sum_d \omega(d) \inf_q KL(p_d \,\|\, q)`.

    With :math:`g(c) = g_0 + \sum_i \gamma_i(c_i)` in general position the logits of a context are any sums
    :math:`\sum_i \theta_i(c_i)`, so contexts part: q runs over :math:`q(c) \propto \prod_i e^{\theta_i(c_i)}`
    on the tokens in use, and the loss is convex in θ.

    *Known concepts.* Let T(d) be the tokens in use that agree with d. Adding R to the logit of each known
    state leaves, as :math:`R \to \infty`, the family on T(d) with the unknown concepts free; and no member q
    does better than its own restriction to T(d), for
    :math:`KL(p_d \| q) = KL(p_d \| q|_{T(d)}) - \ln q(T(d))`. So the infimum is the least divergence to the
    family on T(d). Where a context excludes a token it is not attained: norms diverge. On T(d) itself it is:
    :math:`p_d > 0` there, so its marginals lie inside their polytope.

    *Closed form.* Where T(d) holds every combination of some states of the concepts, q is a product of
    marginals and :math:`KL(p_d \| \prod_i q_i) = [\sum_i H(C_i|d) - H(C|d)] + \sum_i KL(p_{d,i} \| q_i)`: the
    bracket, the total correlation of what is unknown, is the least. Marginals are ratios of Z, so all
    contexts take m passes. Elsewhere :func:`linrep.theory.maximum_entropy.divergence_to_family` solves it.

    With every token it is zero iff concepts are independent given every context of positive weight. Tables
    that are not exactly linear may undercut it: a small deviation times a large norm.

    Naively: for each context minimise ``KL(conditional(world)[d], softmax(theta @ one_hot))`` over theta.

    Args:
        world: Binary or not; any contexts, tokens and weights.

    Returns:
        Nats, and by context. Invariant to the order and naming of concepts and states.

    Raises:
        InputError: Before starting, where too many contexts need the convex problem, with its size.

    Example:
        >>> from linrep.worlds.concepts import from_tables
        >>> from linrep.worlds.contexts import world
        >>> even = {"a": [[0.5, 0.5]], "b": [[0.5, 0.5]]}
        >>> price_of_linearity(world(from_tables(["a", "b"], even))).nats
        0.0
        >>> tied = {"a": [[0.5, 0.5]], "b": [[0.9, 0.1], [0.1, 0.9]]}
        >>> price = price_of_linearity(world(from_tables(["a", "b"], tied, parents={"b": ["a"]})))
        >>> round(price.nats, 6), price.width, price.solved  # one context of nine knows neither
        (0.040896, 2, 0)

    References:
        docs/theory, "What linearity costs".
    """
    if world.words is not None:
        raise InputError(
            "price of linearity: known where every token is one concept vector, got words, which may stand "
            "for several; leave tokens complete"
        )
    require_enumerated(world, "price of linearity")
    sizes = world.model.sizes
    index = ravel(world.codes, [size + 1 for size in sizes])
    correlation = _total_correlation(world.joint, sizes)[index]
    agreeing, product = _agreeing(world.joint, sizes, index)
    rest = (~product).nonzero()[:, 0]
    upper, lower = correlation.clone(), correlation.clone()
    if len(rest):
        _require_small(int(agreeing[rest].sum()), len(rest))
        solved = _solved(world, rest, agreeing[rest])
        upper[rest], lower[rest] = solved.upper, solved.lower
    nats = float(world.weights @ upper)
    return Price(
        nats=nats,
        width=affine_rank(world.token_codes),
        by_context=upper,
        solved=len(rest),
        certificate=Certificate(primal=nats, dual=float(world.weights @ lower)),
    )


def _total_correlation(
    joint: Float64[Tensor, " joint"], sizes: tuple[int, ...]
) -> Float64[Tensor, " contexts"]:
    r"""Of every context: :math:`\sum_{i \in U(d)} H(C_i|d) - H(C|d)`, in nats; 0 where it cannot occur."""
    mass = subset_sum(joint, sizes)
    possible = mass > 0
    safe = torch.where(possible, mass, 1.0)
    surprise = subset_sum(torch.xlogy(joint, joint), sizes)
    total = surprise / safe - safe.log()
    before, after = 1, len(mass)
    for size in sizes:
        after //= size + 1
        table, sums = (x.view(before, size + 1, after) for x in (safe, total))
        share = torch.where(possible.view_as(table)[:, :size], table[:, :size], 0.0) / table[:, size:]
        sums[:, size] -= torch.xlogy(share, share).sum(1)
        before *= size + 1
    return torch.where(possible, total, 0.0).clamp_min(0)


def _agreeing(
    joint: Float64[Tensor, " joint"], sizes: tuple[int, ...], index: Int64[Tensor, " contexts"]
) -> tuple[Float64[Tensor, " contexts"], Bool[Tensor, " contexts"]]:
    """How many tokens agree with each context, and whether they are all combinations of some states."""
    number = subset_sum((joint > 0).double(), sizes)
    combinations = torch.ones_like(number)
    before, after = 1, len(number)
    for size in sizes:
        after //= size + 1
        counts, product = (x.view(before, size + 1, after) for x in (number, combinations))
        product[:, size] *= (counts[:, :size] > 0).sum(1)
        before *= size + 1
    return number[index], (number == combinations)[index]


def _require_small(pairs: int, contexts: int) -> None:
    if pairs > LARGEST:
        raise InputError(
            f"price of linearity: expected at most {LARGEST:,} compatible pairs of context and token "
            f"where tokens are missing, got {counted(pairs)} in {contexts:,} contexts; use fewer concepts"
        )


def _solved(
    world: World, rows: Int64[Tensor, " contexts"], agreeing: Float64[Tensor, " contexts"]
) -> Divergence:
    """Contexts by the number of their tokens, so that a batch wastes little on padding."""
    upper, lower = (torch.zeros(len(rows), dtype=torch.float64) for _ in range(2))
    one_hot = torch.cat(
        [
            torch.nn.functional.one_hot(c.long(), v)
            for c, v in zip(world.token_codes.T, world.model.sizes, strict=True)
        ],
        1,
    ).double()
    number, order = agreeing.sort()
    start = 0
    with stage("price of linearity: contexts") as advance:
        while start < len(order):
            least = int(number[start])
            within = int(torch.searchsorted(number, PADDING * least, right=True))
            stop = min(within, start + max(1, AT_ONCE // (len(world.tokens) + least * one_hot.shape[1])))
            batch = order[start:stop]
            found = _batch(world, one_hot, rows[batch], int(number[stop - 1]))
            upper[batch], lower[batch] = found.upper, found.lower
            start = stop
            advance(start, len(order))
    return Divergence(upper=upper, lower=lower)


def _batch(world: World, one_hot: Tensor, rows: Tensor, most: int) -> Divergence:
    agrees = torch.ones(len(rows), len(world.tokens), dtype=torch.bool)
    for size, asked, state in zip(world.model.sizes, world.codes[rows].T, world.token_codes.T, strict=True):
        agrees &= (asked[:, None] == state) | (asked[:, None] == size)
    exists, chosen = agrees.byte().topk(most, 1)
    probability = world.joint[world.tokens][chosen] * exists
    probability = probability / probability.sum(1, keepdim=True)
    return divergence_to_family(probability, one_hot[chosen], exists.bool())
