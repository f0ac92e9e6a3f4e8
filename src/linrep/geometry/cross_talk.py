"""Cross-talk: how far a push along one concept's direction moves the log-odds of the others, nats a nat."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from linrep.geometry.pairs import Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossTalk:
    """What pushes along every concept's direction do; rows: the concept pushed, columns: the one watched.

    NaN where a concept has no pair, or its direction does not raise its own log-odds.
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
        :cite:`park:23`, the linear representation hypothesis, intervention.
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
