"""Linearity, alignment and orthogonality: cosines between steering vectors, read off their moments."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from linrep.geometry.moments import Moments, draw_by_draw
from linrep.geometry.pairs import Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossTalk:
    """What pushes along every concept's direction do; rows: the concept pushed, columns: the one watched.

    NaN where a concept has no pair, or its direction does not raise its own log-odds.

    Example:
        >>> from linrep.geometry import pairs_from_lists
        >>> square = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
        >>> found = cross_talk(square, pairs_from_lists([[(0, 1)], [(0, 2)]]), torch.eye(2))
        >>> found.mean.diagonal(dim1=1, dim2=2)
        tensor([[1., 1.]], dtype=torch.float64)
    """

    mean: Float64[Tensor, "runs concepts concepts"]
    """Mean change of the log-odds over the watched concept's pairs, nats; 1 on the diagonal."""
    rms: Float64[Tensor, "runs concepts concepts"]
    """Root mean square of the same change: what does not move on average may move all the same."""


def cross_talk(
    table: Float[Tensor, "rows dim"],
    pairs: Pairs,
    directions: Float[Tensor, "groups dim"],
    *,
    runs: int = 1,
) -> CrossTalk:
    r"""Change of :math:`f \cdot \Delta g_j` when f moves along concept i's direction :math:`v_i`.

    .. math:: X_{ij}(c) = \frac{v_i \cdot \Delta g_j(c)}{\mathrm{mean}_{c'}\, v_i \cdot \Delta g_i(c')}

    Log-odds are linear in f, so the change is the same from every f, and scales with the push. The push is
    as long as moves concept i's own log-odds by 1 nat on average over its pairs.

    Naively: ``(v[i] @ delta[j]) / (v[i] @ delta[i]).mean()`` for all pairs ``delta[j]`` of concept j.

    Args:
        table: The unembeddings g, one row a token.
        pairs: Pairs of tokens; group = run · concepts + concept.
        directions: One vector of the space of f for each group, of any length: mean steering directions of
            either table, as :func:`steering_moments` gives them.
        runs: How many runs the groups hold.

    Returns:
        Mean and root mean square over pairs. Invariant to positive rescaling of the table and of any
        direction, and to a change of gauge that takes the directions of f along.

    Example:
        >>> from linrep.geometry.pairs import pairs_from_lists
        >>> g = torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, 1.0]])
        >>> pairs = pairs_from_lists([[(0, 1)], [(0, 2)]])
        >>> cross_talk(g, pairs, torch.eye(2)).rms
        tensor([[[1.0000, 0.5000],
                 [0.0000, 1.0000]]], dtype=torch.float64)

    References:
        :cite:`park:24`, the linear representation hypothesis, intervention.
    """
    concepts = pairs.groups // runs
    difference = table[pairs.high].double() - table[pairs.low].double()
    pushed = directions.double().unflatten(0, (runs, concepts))[pairs.group // concepts]
    change = (pushed @ difference.unsqueeze(-1)).squeeze(-1)  # pairs × concepts pushed
    number = pairs.counts().double()[:, None]

    def mean(of: Tensor) -> Float64[Tensor, "runs concepts concepts"]:
        total = of.new_zeros(pairs.groups, concepts).index_add_(0, pairs.group, of)
        # Watched × pushed becomes pushed × watched; without a pair 0/0 is NaN, as it should be.
        return (total / number).unflatten(0, (runs, concepts)).mT

    moved = mean(change)
    own = moved.diagonal(dim1=1, dim2=2)
    push = torch.where(own > 0, 1 / own, torch.nan)[..., None]
    return CrossTalk(mean=moved * push, rms=mean(change.square()).sqrt() * push)


NO_DIRECTION = 1e-12
"""A mean of unit vectors shorter than this is rounding noise: the vectors cancel, and it has no direction."""


def linearity(moments: Moments) -> Float64[Tensor, " groups"]:
    r"""Mean cosine over all pairs of distinct steering vectors, :math:`(\|\sum\hat u\|^2 - N) / (N(N-1))`.

    Naively: ``torch.stack([cosine(u, v) for u, v in itertools.combinations(vectors, 2)]).mean()``.

    Args:
        moments: Of the steering vectors of each concept.

    Returns:
        One cosine per group in [-1, 1] (at least -1/(N-1)), no unit; NaN marks a group with fewer than
        two vectors, where it does not exist. Invariant to rotation, shift and scale of the table; *not* to a
        general change of basis.

    Example:
        >>> from linrep.geometry.moments import steering_moments
        >>> from linrep.geometry.pairs import pairs_from_lists
        >>> table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [0.0, 3.0]])
        >>> linearity(steering_moments(table, pairs_from_lists([[(0, 1), (0, 2), (2, 3)], [(0, 1)]])))
        tensor([0.3333,    nan], dtype=torch.float64)

    References:
        :cite:`jiang:24`; docs/theory, section 2.
    """
    number = moments.count.to(torch.float64)
    square = moments.direction.square().sum(-1) * number.square()
    value = ((square - number) / (number * (number - 1))).clamp(-1, 1)
    return torch.where(moments.count >= 2, value, torch.nan)


def alignment_matrix(
    embedding: Moments, unembedding: Moments, runs: int = 1
) -> Float64[Tensor, "runs concepts concepts"]:
    r"""Mean cosine between every Δf of concept i (row) and every Δg of concept j (column).

    Returns:
        Cosines in [-1, 1]; NaN where either concept has no vector. Its diagonal is `alignment`.

    Example:
        >>> from linrep.geometry import pairs_from_lists, steering_moments
        >>> table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
        >>> moments = steering_moments(table, pairs_from_lists([[(0, 1)], [(1, 2)]]))
        >>> alignment_matrix(moments, moments, 1)
        tensor([[[1., 0.],
                 [0., 1.]]], dtype=torch.float64)
    """
    directions = (_by_run(side.direction, runs) for side in (embedding, unembedding))
    value = draw_by_draw(_products, embedding.draws, *directions)
    return _where_present(value.clamp(-1, 1), embedding.count > 0, unembedding.count > 0)


def alignment(embedding: Moments, unembedding: Moments) -> Float64[Tensor, " groups"]:
    r"""Mean cosine between every Δf and every Δg of a concept, :math:`\langle\bar u, \bar v\rangle`.

    Naively: ``torch.stack([cosine(u, v) for u in embedding_vectors for v in unembedding_vectors]).mean()``.

    Args:
        embedding: Moments of the Δf.
        unembedding: Moments of the Δg, groups in the same order.

    Returns:
        One cosine per group in [-1, 1]; NaN marks a group without vectors on either side. Invariant to one
        rotation of both tables and to rescaling of either; (F A, G A^{-T}) keeps every logit but moves it.

    Example:
        >>> from linrep.geometry.moments import steering_moments
        >>> from linrep.geometry.pairs import pairs_from_lists
        >>> one = steering_moments(torch.eye(2), pairs_from_lists([[(0, 1)]]))
        >>> two = steering_moments(torch.eye(2), pairs_from_lists([[(0, 1), (1, 0), (0, 1)]]))
        >>> alignment(one, two)
        tensor([0.3333], dtype=torch.float64)

    References:
        :cite:`jiang:24`, claim C3 of docs/theory.
    """
    value = (embedding.direction * unembedding.direction).sum(-1).clamp(-1, 1)
    return torch.where((embedding.count > 0) & (unembedding.count > 0), value, torch.nan)


def orthogonality_mean(moments: Moments, runs: int = 1) -> Float64[Tensor, "runs concepts concepts"]:
    r"""Absolute cosine between the mean directions of every two concepts, :math:`|\cos(\bar u_i, \bar u_j)|`.

    Naively: ``abs(cosine(vectors_i.mean(0), vectors_j.mean(0)))`` of unit vectors.

    Args:
        moments: Groups run by run, concept by concept.
        runs: How many runs the groups hold.

    Returns:
        In [0, 1], 0 = orthogonal, 1 on the diagonal; NaN where a concept has no vector, or its vectors
        cancel so that it has no mean direction.

    Example:
        >>> from linrep.geometry import pairs_from_lists, steering_moments
        >>> table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
        >>> moments = steering_moments(table, pairs_from_lists([[(0, 1)], [(1, 2)]]))
        >>> orthogonality_mean(moments, 1)[0, 0, 1]
        tensor(0., dtype=torch.float64)

    References:
        :cite:`jiang:24`, claim C4 of docs/theory.
    """
    length = torch.linalg.vector_norm(moments.direction, dim=-1)
    present = (moments.count > 0) & (length > NO_DIRECTION)
    unit = _by_run(moments.direction / length.clamp(min=NO_DIRECTION)[:, None], runs)
    cosines = draw_by_draw(_gram, moments.draws, unit)
    return _where_present(cosines.abs().clamp(max=1), present, present)


def orthogonality_rms(moments: Moments, runs: int = 1) -> Float64[Tensor, "runs concepts concepts"]:
    r"""Root mean square cosine between the vectors of concept i and those of j, :math:`\sqrt{tr(S_i S_j)}`.

    Naively: ``torch.stack([cosine(u, v) ** 2 for u in vectors_i for v in vectors_j]).mean().sqrt()``.

    Args:
        moments: Groups run by run, concept by concept, with second moments.
        runs: How many runs the groups hold.

    Returns:
        In [0, 1], 0 only if every two vectors are orthogonal; for random directions about 1/sqrt(dim). The
        diagonal counts each vector with itself too. NaN where a concept has no vector.

    Example:
        >>> from linrep.geometry import pairs_from_lists, steering_moments
        >>> table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
        >>> moments = steering_moments(table, pairs_from_lists([[(0, 1)], [(1, 2)]]))
        >>> orthogonality_rms(moments, 1)[0, 0, 1]
        tensor(0., dtype=torch.float64)
    """
    present = moments.count > 0
    if moments.second is not None:
        square = draw_by_draw(_gram, moments.draws, _by_run(moments.second.flatten(1), runs))
    elif moments.units is not None:
        square = draw_by_draw(_gram_square, moments.draws, _by_run(moments.units, runs))
    else:
        raise ValueError("moments: expected second moments, got none; call steering_moments with second=True")
    return _where_present(square.clamp(0, 1).sqrt(), present, present)


def off_diagonal(matrix: Float64[Tensor, "runs concepts concepts"]) -> Float64[Tensor, "runs concepts"]:
    """Mean over j ≠ i of each row, over the j that exist; NaN where there is none.

    Example:
        >>> nan = torch.nan
        >>> off_diagonal(torch.tensor([[[1, 0.2, nan], [0.2, 1, nan], [nan] * 3]], dtype=torch.float64))
        tensor([[0.2000, 0.2000,    nan]], dtype=torch.float64)
    """
    diagonal = torch.eye(matrix.shape[-1], dtype=torch.bool, device=matrix.device)
    return matrix.masked_fill(diagonal, torch.nan).nanmean(-1)


def _products(
    left: Float64[Tensor, "runs some dim"], right: Float64[Tensor, "runs others dim"]
) -> Float64[Tensor, "runs some others"]:
    return left @ right.mT


def _gram(vectors: Float64[Tensor, "runs some dim"]) -> Float64[Tensor, "runs some some"]:
    return _products(vectors, vectors)


def _gram_square(
    units: Float64[Tensor, "runs concepts most dim"],
) -> Float64[Tensor, "runs concepts concepts"]:
    """tr(S_i S_j) from the vectors: mean square of their mutual cosines, one concept's row at a time."""
    runs, concepts, most, _ = units.shape
    flat = units.flatten(1, 2)
    rows = [
        (units[:, i] @ flat.mT).square().reshape(runs, most, concepts, most).sum((1, 3))
        for i in range(concepts)
    ]
    return torch.stack(rows, 1)


def _by_run(x: Tensor, runs: int) -> Tensor:
    return x.unflatten(0, (runs, x.shape[0] // runs))


def _where_present(value: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    runs = value.shape[0]
    both = _by_run(rows, runs)[:, :, None] & _by_run(columns, runs)[:, None, :]
    return torch.where(both, value, torch.nan)
