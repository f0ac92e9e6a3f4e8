"""One question, one answer: the geometry that theory predicts for a world at a width."""

import math

from linrep.errors import InputError
from linrep.theory.certificate import Certificate
from linrep.theory.limit_geometry import additive_geometry, context_pairs, symmetric_geometry
from linrep.theory.linear_limit import degree_weight, known_range, limit_is_linear
from linrep.theory.prediction import Prediction, SingularValue
from linrep.theory.symmetric_limit import SymmetricLimit, symmetric_limit

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
