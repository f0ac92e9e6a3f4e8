"""Claim C1: which log-odds zero loss demands of every context, and where steering vectors must then agree."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.worlds.contexts import World, conditional, log_odds


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOddsPrediction:
    """Predicted f(d)·Δg_i(c), in nats, for i unknown in d and c compatible with d."""

    values: Float64[Tensor, "tokens concepts"]
    """lo_i(c), the same in every context that leaves i unknown; NaN where a token of the pair is missing."""
    least: Float64[Tensor, "contexts concepts"]
    """Smallest over the tokens of a context; NaN where i is known or no pair of tokens exists."""
    greatest: Float64[Tensor, "contexts concepts"]
    constant: Bool[Tensor, "contexts concepts"]
    """Whether the context fixes the log-odds: least = greatest to 1e-9 nats. False where absent."""
    absent: Bool[Tensor, "contexts concepts"]
    """i is known in d, or d has no pair of tokens that differ in i alone."""
    blankets: tuple[tuple[int, ...], ...]
    """Markov blanket of each concept: the only concepts its log-odds can move with."""
    constant_concepts: Bool[Tensor, " concepts"]
    """Concepts whose log-odds are one number over all tokens (independent concepts)."""


def predicted_log_odds(world: World) -> LogOddsPrediction:
    r"""Log-odds of every concept in every context leaving it unknown: :math:`\ln p(c_{i\to1})/p(c_{i\to0})`.

    Naively: a loop over contexts, unknown concepts and compatible tokens.

    Args:
        world: Contexts, tokens and their probabilities.

    Returns:
        Values by token and their range by context. Moves only with the Markov blanket: a context that knows
        the blanket of i fixes them.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> prediction = predicted_log_odds(world(independent(2, probabilities=[0.5, 0.75], generator=None)))
        >>> prediction.constant_concepts.tolist(), round(float(prediction.values[0, 1]), 4)
        ([True, True], 1.0986)

    References:
        :cite:`jiang:24`, theory claim C1.
    """
    values = log_odds(world)
    # Symmetric: c itself may carry either state, so one finite value serves both tokens of a pair.
    values = torch.where(values.isfinite(), values, torch.nan)
    compatible = _compatible(world)
    unknown = torch.stack(
        [column == size for size, column in zip(world.model.sizes, world.codes.T, strict=True)], 1
    )
    found = compatible[:, :, None] & unknown[:, None, :] & values.isfinite()
    least = torch.where(found, values, torch.inf).amin(1)
    greatest = torch.where(found, values, -torch.inf).amax(1)
    absent = ~found.any(1)
    finite = [column[column.isfinite()] for column in values.T]
    return LogOddsPrediction(
        values=values,
        least=least.masked_fill(absent, torch.nan),
        greatest=greatest.masked_fill(absent, torch.nan),
        constant=(greatest - least <= 1e-9) & ~absent,
        absent=absent,
        blankets=tuple(world.model.markov_blanket(i) for i in range(world.model.concepts)),
        constant_concepts=torch.tensor([bool(len(v) and v.max() - v.min() <= 1e-9) for v in finite]),
    )


def agreement_basis(
    world: World,
    embedding: Float[Tensor, "contexts dim"],
    concept: int,
    tokens: tuple[int, int],
    *,
    tolerance: float = 1e-9,
) -> Float[Tensor, "dim rank"]:
    r"""Orthonormal basis of V_i(c, c') = span{f(d) : d_i = ⋄, d ~ c, d ~ c'}.

    On it Δg_i(c) and Δg_i(c') must agree wherever lo_i(c) = lo_i(c').

    Naively: ``torch.linalg.svd`` of the rows of F that leave i unknown and suit both tokens.

    Args:
        world: Contexts and tokens in use.
        embedding: F, one row per context of the world.
        concept: The concept i.
        tokens: Positions of c and c' among the world's tokens.
        tolerance: Singular values below this share of the largest are zero.

    Returns:
        Columns; none where no such context exists.

    Raises:
        InputError: If F does not have one row per context.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> toy = world(independent(2, probabilities=[0.5, 0.5], generator=None))
        >>> agreement_basis(toy, torch.eye(9).double(), 0, (0, 2)).shape  # ⋄0 and ⋄⋄ suit 00 and 10
        torch.Size([9, 2])

    References:
        Theory claim C1.
    """
    rows = _embedding_of(world, embedding)[_shared(world, concept, tokens)]
    if not len(rows):
        return embedding.new_zeros(embedding.shape[1], 0)
    _, values, vt = torch.linalg.svd(rows, full_matrices=False)
    return vt[values > tolerance * values[0].clamp_min(1e-300)].T


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far steering vectors of one concept break the agreement that C1 demands."""

    concept: int
    pairs: int
    """Pairs of steering vectors compared (equal log-odds, some shared context)."""
    on_subspace: float | None
    """RMS of ‖Π(Δg − Δg')‖/‖Δg − Δg'‖, Π onto V_i(c, c'): 0 at zero excess loss. None if no pairs."""
    overall: float | None
    """Root mean square of ‖Δg − Δg'‖ beside ‖Δg‖: how far apart they are at all."""


def agreement(
    world: World,
    embedding: Float[Tensor, "contexts dim"],
    unembedding: Float[Tensor, "tokens dim"],
    concept: int,
    *,
    tolerance: float = 1e-9,
) -> Agreement:
    r"""Violation of C1 on its own subspace: Δg_i(c) − Δg_i(c') ⟂ V_i(c, c') where lo_i agrees.

    Naively: a loop over pairs of tokens.

    Args:
        world: Contexts, tokens and probabilities.
        embedding: F.
        unembedding: G.
        concept: The binary concept i.
        tolerance: As in :func:`agreement_basis`.

    Returns:
        Shares in [0, 1]; invariant to one orthogonal map of both tables.

    Raises:
        InputError: If a table does not fit the world.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> toy = world(independent(2, probabilities=[0.5, 0.5], generator=None))
        >>> agreement(toy, torch.zeros(9, 2).double(), toy.token_codes.double(), 0).overall
        0.0

    References:
        Theory claim C1.
    """
    if len(unembedding) != len(world.tokens):
        raise InputError(
            f"unembedding: expected {len(world.tokens)} rows, got {len(unembedding)}; one per token"
        )
    values = log_odds(world)[:, concept]
    low, high = _token_pairs(world, concept)
    steering = unembedding[high] - unembedding[low]
    shares: list[float] = []
    apart: list[float] = []
    for a in range(len(low)):
        for b in range(a):
            if abs(float(values[low[a]] - values[low[b]])) > 1e-9:
                continue
            basis = agreement_basis(
                world, embedding, concept, (int(low[a]), int(low[b])), tolerance=tolerance
            )
            difference = steering[a] - steering[b]
            apart.append(float(difference.norm() / steering[a].norm().clamp_min(1e-300)))
            if difference.norm() > 1e-12 * steering[a].norm():
                shares.append(float((basis.T @ difference).norm() / difference.norm()))
            else:
                shares.append(0.0)
    return Agreement(concept=concept, pairs=len(shares), on_subspace=_rms(shares), overall=_rms(apart))


def _compatible(world: World) -> Bool[Tensor, "contexts tokens"]:
    if world.words is not None:
        return conditional(world) > 0
    agree = torch.ones(len(world.codes), len(world.tokens), dtype=torch.bool)
    for size, asked, state in zip(world.model.sizes, world.codes.T, world.token_codes.T, strict=True):
        agree &= (asked[:, None] == state) | (asked[:, None] == size)
    return agree


def _shared(world: World, concept: int, tokens: tuple[int, int]) -> Bool[Tensor, " contexts"]:
    agree = _compatible(world)
    return agree[:, tokens[0]] & agree[:, tokens[1]] & (world.codes[:, concept] == world.model.sizes[concept])


def _embedding_of(world: World, embedding: Tensor) -> Tensor:
    if len(embedding) != len(world.codes):
        raise InputError(
            f"embedding: expected {len(world.codes)} rows, got {len(embedding)}; one per context"
        )
    return embedding


def _token_pairs(world: World, concept: int) -> tuple[Int64[Tensor, " pairs"], Int64[Tensor, " pairs"]]:
    row = {tuple(code): n for n, code in enumerate(world.token_codes.tolist())}
    pairs = [
        (n, row[(*code[:concept], 1, *code[concept + 1 :])])
        for code, n in row.items()
        if code[concept] == 0 and (*code[:concept], 1, *code[concept + 1 :]) in row
    ]
    table = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _rms(values: list[float]) -> float | None:
    return (sum(v * v for v in values) / len(values)) ** 0.5 if values else None
