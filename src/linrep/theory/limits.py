"""One question, one answer: the geometry that theory predicts for a world at a width."""

import math

import torch
from torch import Tensor

from linrep.errors import InputError
from linrep.theory.additive import LARGEST, additive_logits, degree_weight, known_range, limit_is_linear
from linrep.theory.certificate import Certificate
from linrep.theory.factors import balanced_factors, factor_geometry
from linrep.theory.limit_geometry import LimitGeometry, additive_geometry, context_pairs, symmetric_geometry
from linrep.theory.nuclear_norm import LARGEST_TABLE, NuclearNormLimit, least_dimension, nuclear_norm_limit
from linrep.theory.prediction import Prediction, SingularValue
from linrep.theory.symmetric import SymmetricLimit, symmetric_limit
from linrep.worlds.contexts import World, conditional


def predict_world(world: World, dim: int | None = None) -> Prediction:
    """The limit geometry of a world at width k; depends on which tokens can follow which contexts, not on p.

    Binary worlds with every token and all contexts that know A..B concepts go through :func:`predict`.
    Otherwise the nuclear-norm program is solved on the supports, and the additive solution answers at
    exactly its own rank.

    Naively: train the world's tables with a vanishing ridge and measure.

    Args:
        world: Contexts and tokens in use.
        dim: Width k of the tables; None for wide enough.

    Returns:
        The prediction; degrees of singular values are None without the symmetry.

    Raises:
        InputError: If dim is below 1, or the limit is asked of a table too large (before starting, saying
            its size).

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> predict_world(world(independent(3, probabilities=[0.5, 0.2, 0.9], generator=None))).rank
        7

    References:
        Theory claim C6.
    """
    if dim is not None and dim < 1:
        raise InputError(f"dim: expected at least 1, got {dim}; give the width of the tables")
    symmetric = _known_range(world)
    if symmetric is not None:
        return predict(world.model.concepts, dim, symmetric)
    support = conditional(world) > 0
    concepts = world.model.concepts
    least = least_dimension(support)
    if dim is not None and dim < least:
        reason = f"width {dim} cannot separate the supports of this world: it takes {least} or more"
        return Prediction(status="unreachable", reason=reason, concepts=concepts, dim=dim)
    additive = additive_logits(world.codes, world.token_codes)
    rank = int(torch.linalg.matrix_rank(additive))
    if dim is not None and dim == rank and support.numel() > LARGEST_TABLE:
        return _additive(world, additive, dim, math.nan)
    limit = nuclear_norm_limit(support)
    if dim is None or dim >= limit.rank:
        return _limit(world, limit, dim)
    if dim == rank:
        return _additive(world, additive, dim, limit.certificate.dual)
    reason = (
        f"at width {dim}, below the limit's rank {limit.rank} and not the additive {rank}, nothing is convex"
    )
    return Prediction(status="no_convex_prediction", reason=reason, concepts=concepts, dim=dim)


def _known_range(world: World) -> tuple[int, int] | None:
    """A, B if the world is binary, has every token and exactly the contexts of A..B; else None."""
    sizes, concepts = world.model.sizes, world.model.concepts
    if set(sizes) != {2} or len(world.tokens) != 2**concepts or concepts > LARGEST:
        return None
    known = (world.codes < 2).sum(1)
    least, most = int(known.min()), int(known.max())
    wanted = sum(math.comb(concepts, u) * 2**u for u in range(least, most + 1))
    return (least, most) if most and len(world.codes) == wanted else None


def _limit(world: World, limit: NuclearNormLimit, dim: int | None) -> Prediction:
    gap, concepts = limit.certificate.relative_gap, world.model.concepts
    if not gap <= LARGEST_GAP:
        return Prediction(
            status="solver_failed",
            reason=f"solver: {limit.solver_status}; our relative gap is {gap:.1e}, above {LARGEST_GAP:.0e}",
            concepts=concepts,
            dim=dim,
            solver_status=limit.solver_status,
            certificate=limit.certificate,
        )
    width = "a width" if dim is None else f"width {dim}"
    return Prediction(
        status="optimal",
        reason=f"the limit of these supports at {width} of at least its rank {limit.rank}{_without(world)}",
        concepts=concepts,
        dim=dim,
        solver_status=limit.solver_status,
        objective=limit.objective,
        singular_values=_values(limit.singular_values),
        rank=limit.rank,
        geometry=_geometry(world, limit.embedding, limit.unembedding),
        certificate=limit.certificate,
    )


def _additive(world: World, logits: Tensor, dim: int, bound: float) -> Prediction:
    embedding, unembedding, values = balanced_factors(logits, tolerance=1e-9)
    objective = float(values.sum())
    return Prediction(
        status="additive_not_proven_optimal",
        reason=f"at width {dim} the additive solution, exactly linear, is feasible; not proven optimal"
        + _without(world),
        concepts=world.model.concepts,
        dim=dim,
        objective=objective,
        singular_values=_values(values),
        rank=len(values),
        geometry=_geometry(world, embedding, unembedding),
        certificate=Certificate(primal=objective, dual=bound),
    )


def _geometry(world: World, embedding: Tensor, unembedding: Tensor) -> LimitGeometry | None:
    """Cosines between steering vectors; None where a concept has more than two states to steer between."""
    if set(world.model.sizes) != {2}:
        return None
    return factor_geometry(embedding, unembedding, world.codes, world.token_codes, world.model.sizes)


def _without(world: World) -> str:
    binary = set(world.model.sizes) == {2}
    return "" if binary else "; its cosines are worked out for binary concepts alone"


def _values(values: Tensor) -> tuple[SingularValue, ...]:
    """Equal singular values (to 1e-5 of the largest) counted together, descending."""
    found: list[SingularValue] = []
    for value in values.tolist():
        if found and found[-1].value - value <= 1e-5 * found[0].value:
            last = found.pop()
            found.append(SingularValue(degree=None, value=last.value, multiplicity=last.multiplicity + 1))
        else:
            found.append(SingularValue(degree=None, value=value, multiplicity=1))
    return tuple(found)


LARGEST_GAP = 1e-6
"""A limit is called optimal when our own relative gap is at most this."""


def predict(concepts: int, dim: int | None = None, known: tuple[int, int] | None = None) -> Prediction:
    r"""The limit geometry of m binary concepts, all tokens, contexts that know A..B concepts, at width k.

    k < m − A + 1 (k < m for complete contexts) cannot separate the supports: those met while a context
    unlearns one concept after another form a chain, each an exposed face of the next, so dimensions grow by
    one. k = m gives the additive solution, feasible, not proven optimal. k ≥ rank (or None) gives the limit
    itself. Elsewhere there is no convex prediction.

    Naively: train wide tables with a vanishing ridge and measure.

    Args:
        concepts: Number m of concepts, 1 to 32.
        dim: Width k of the tables; None for wide enough.
        known: Least A and most B concepts that a context knows; None for all contexts.

    Returns:
        The prediction; ``status`` says which case holds and ``reason`` why.

    Raises:
        InputError: If an argument is out of range.

    Example:
        >>> predict(3).rank, predict(3, 3).status, predict(3, 2).status, predict(3, 5).objective
        (7, 'additive_not_proven_optimal', 'unreachable', None)

    References:
        Theory claim C6.
    """
    span = known_range(concepts, known)
    if dim is not None and dim < 1:
        raise InputError(f"dim: expected at least 1, got {dim}; give the width of the tables")
    least_dim = concepts - span[0] + 1
    if dim is not None and dim < least_dim:
        reason = (
            f"width {dim} cannot separate the supports of {concepts} concepts: it takes {least_dim} or more"
        )
        return Prediction(status="unreachable", reason=reason, concepts=concepts, dim=dim)
    limit = symmetric_limit(concepts, span)
    if dim is None or dim >= limit.rank:
        return _limit_prediction(limit, dim)
    if dim == concepts:
        return _additive_prediction(concepts, span, dim, limit.certificate.dual)
    reason = (
        f"between the additive width {concepts} and the limit's rank {limit.rank} the problem is not convex"
    )
    if dim < concepts:
        reason = f"width {dim} is below the additive width {concepts}, and no convex problem describes it"
    return Prediction(status="no_convex_prediction", reason=reason, concepts=concepts, dim=dim)


def _limit_prediction(limit: SymmetricLimit, dim: int | None) -> Prediction:
    gap = limit.certificate.relative_gap
    if not gap <= LARGEST_GAP:
        reason = f"solver: {limit.solver_status}; our relative gap is {gap:.1e}, above {LARGEST_GAP:.0e}"
        return Prediction(
            status="solver_failed",
            reason=reason,
            concepts=limit.concepts,
            dim=dim,
            solver_status=limit.solver_status,
            certificate=limit.certificate,
        )
    linear = limit_is_linear(limit.concepts, limit.known)
    kind = "exactly linear" if linear else "not linear"
    width = "a width" if dim is None else f"width {dim}"
    return Prediction(
        status="optimal",
        reason=f"the limit at {width} of at least its rank {limit.rank} is {kind}",
        concepts=limit.concepts,
        dim=dim,
        solver_status=limit.solver_status,
        objective=limit.objective,
        singular_values=tuple(
            SingularValue(degree=k, value=value, multiplicity=n)
            for k, (value, n) in enumerate(
                zip(limit.singular_values.tolist(), limit.multiplicities, strict=True), start=1
            )
        ),
        rank=limit.rank,
        geometry=symmetric_geometry(limit),
        certificate=limit.certificate,
    )


def _additive_prediction(concepts: int, known: tuple[int, int], dim: int, bound: float) -> Prediction:
    """Its dual value is that of the limit, a lower bound at every rank: the gap is what is unproven."""
    sigma = math.sqrt(2**concepts * degree_weight(concepts, known, 1)) / 2
    return Prediction(
        status="additive_not_proven_optimal",
        reason=f"at width {dim} the additive solution, exactly linear, is feasible; not proven optimal",
        concepts=concepts,
        dim=dim,
        objective=concepts * sigma,
        singular_values=(SingularValue(degree=1, value=sigma, multiplicity=concepts),),
        rank=concepts,
        geometry=additive_geometry(concepts, sum(context_pairs(concepts, known)), 2 ** (concepts - 1)),
        certificate=Certificate(primal=concepts * sigma, dual=bound),
    )
