"""One question, one answer: the geometry that theory predicts for a world at a width.

:func:`predict` answers for binary worlds with every token and all contexts that know A..B concepts, by the
symmetric program; :func:`predict_world` for any world, by the nuclear-norm program on its supports.
"""

import math
from collections.abc import Callable

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
from linrep.worlds.truth import require_enumerated

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
    _require_width(dim)
    least_dim = concepts - span[0] + 1
    if dim is not None and dim < least_dim:
        reason = (
            f"width {dim} cannot separate the supports of {concepts} concepts: it takes {least_dim} or more"
        )
        return Prediction(status="unreachable", reason=reason, concepts=concepts, dim=dim)
    limit = symmetric_limit(concepts, span)
    if dim is None or dim >= limit.rank:
        kind = "exactly linear" if limit_is_linear(concepts, span) else "not linear"
        return _of_limit(
            limit,
            concepts,
            dim,
            reason=f"the limit at {_width(dim)} of at least its rank {limit.rank} is {kind}",
            singular_values=_by_degree(limit),
            geometry=lambda: symmetric_geometry(limit),
        )
    if dim == concepts:
        sigma = math.sqrt(2**concepts * degree_weight(concepts, span, 1)) / 2
        return _of_additive(
            concepts,
            dim,
            objective=concepts * sigma,
            bound=limit.certificate.dual,
            singular_values=(SingularValue(degree=1, value=sigma, multiplicity=concepts),),
            geometry=additive_geometry(concepts, sum(context_pairs(concepts, span)), 2 ** (concepts - 1)),
        )
    reason = (
        f"between the additive width {concepts} and the limit's rank {limit.rank} the problem is not convex"
    )
    if dim < concepts:
        reason = f"width {dim} is below the additive width {concepts}, and no convex problem describes it"
    return Prediction(status="no_convex_prediction", reason=reason, concepts=concepts, dim=dim)


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
    _require_width(dim)
    if world.words is not None:
        raise InputError(
            "the limit is known where every token is one concept vector, and here words stand for several, "
            "or several for one"
        )
    require_enumerated(world, "prediction")
    symmetric = _known_range(world)
    if symmetric is not None:
        return predict(world.model.concepts, dim, symmetric)
    support = conditional(world) > 0
    concepts = world.model.concepts
    least = least_dimension(support)
    if dim is not None and dim < least:
        reason = (
            f"width {dim} cannot separate the supports of this world at equal logits on each: "
            f"it takes {least} or more"
        )
        return Prediction(status="unreachable", reason=reason, concepts=concepts, dim=dim)
    additive = additive_logits(world.codes, world.token_codes)
    rank = int(torch.linalg.matrix_rank(additive))
    if dim is not None and dim == rank and support.numel() > LARGEST_TABLE:
        return _of_additive_logits(world, additive, dim, bound=math.nan)
    limit = nuclear_norm_limit(support)
    if dim is None or dim >= limit.rank:
        return _of_limit(
            limit,
            concepts,
            dim,
            reason=f"the limit of these supports at {_width(dim)} of at least its rank {limit.rank}"
            + _without_cosines(world),
            singular_values=_counted(limit.singular_values),
            geometry=lambda: _geometry(world, limit.embedding, limit.unembedding),
        )
    if dim == rank:
        return _of_additive_logits(world, additive, dim, bound=limit.certificate.dual)
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


def _require_width(dim: int | None) -> None:
    if dim is not None and dim < 1:
        raise InputError(f"dim: expected at least 1, got {dim}; give the width of the tables")


def _width(dim: int | None) -> str:
    return "a width" if dim is None else f"width {dim}"


def _of_limit(
    limit: SymmetricLimit | NuclearNormLimit,
    concepts: int,
    dim: int | None,
    *,
    reason: str,
    singular_values: tuple[SingularValue, ...],
    geometry: Callable[[], LimitGeometry | None],
) -> Prediction:
    """What a solved program predicts; of one that did not come near enough to its bound, only that."""
    gap = limit.certificate.relative_gap
    if not gap <= LARGEST_GAP:
        return Prediction(
            status="solver_failed",
            reason=f"solver: {limit.solver_status}; our relative gap is {gap:.1e}, above {LARGEST_GAP:.0e}",
            concepts=concepts,
            dim=dim,
            solver_status=limit.solver_status,
            certificate=limit.certificate,
        )
    return Prediction(
        status="optimal",
        reason=reason,
        concepts=concepts,
        dim=dim,
        solver_status=limit.solver_status,
        objective=limit.objective,
        singular_values=singular_values,
        rank=limit.rank,
        geometry=geometry(),
        certificate=limit.certificate,
    )


def _of_additive(
    concepts: int,
    dim: int,
    *,
    objective: float,
    bound: float,
    singular_values: tuple[SingularValue, ...],
    geometry: LimitGeometry | None,
    proviso: str = "",
) -> Prediction:
    """The additive solution. The limit's dual value bounds every rank from below; the gap is unproven."""
    return Prediction(
        status="additive_not_proven_optimal",
        reason=f"at width {dim} the additive solution, exactly linear, is feasible; not proven optimal"
        + proviso,
        concepts=concepts,
        dim=dim,
        objective=objective,
        singular_values=singular_values,
        rank=sum(each.multiplicity for each in singular_values),
        geometry=geometry,
        certificate=Certificate(primal=objective, dual=bound),
    )


def _of_additive_logits(world: World, logits: Tensor, dim: int, *, bound: float) -> Prediction:
    embedding, unembedding, values = balanced_factors(logits, tolerance=1e-9)
    return _of_additive(
        world.model.concepts,
        dim,
        objective=float(values.sum()),
        bound=bound,
        singular_values=_counted(values),
        geometry=_geometry(world, embedding, unembedding),
        proviso=_without_cosines(world),
    )


def _geometry(world: World, embedding: Tensor, unembedding: Tensor) -> LimitGeometry | None:
    """Cosines between steering vectors; None where a concept has more than two states to steer between."""
    if set(world.model.sizes) != {2}:
        return None
    return factor_geometry(embedding, unembedding, world.codes, world.token_codes, world.model.sizes)


def _without_cosines(world: World) -> str:
    binary = set(world.model.sizes) == {2}
    return "" if binary else "; its cosines are worked out for binary concepts alone"


def _by_degree(limit: SymmetricLimit) -> tuple[SingularValue, ...]:
    values: list[float] = limit.singular_values.tolist()
    counted = zip(values, limit.multiplicities, strict=True)
    return tuple(
        SingularValue(degree=degree, value=value, multiplicity=multiplicity)
        for degree, (value, multiplicity) in enumerate(counted, start=1)
    )


def _counted(values: Tensor) -> tuple[SingularValue, ...]:
    """Equal singular values (to 1e-5 of the largest) counted together, descending."""
    counted: list[SingularValue] = []
    for value in values.tolist():
        if counted and counted[-1].value - value <= 1e-5 * counted[0].value:
            last = counted.pop()
            counted.append(SingularValue(degree=None, value=last.value, multiplicity=last.multiplicity + 1))
        else:
            counted.append(SingularValue(degree=None, value=value, multiplicity=1))
    return tuple(counted)
