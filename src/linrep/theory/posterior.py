r"""Whether representations are linear in the log posterior of concepts, and what merged tokens leave of it.

Where every context leaves every token possible, the least excess loss is zero and is reached: the logits of
the smallest tables that reach it are :math:`\ln p(y|d)` less its mean over tokens,

.. math:: M = U \Sigma V^\top, \qquad F = U \Sigma^{1/2}, \quad G = V \Sigma^{1/2},

up to one rotation: a constant for each context is free, and centring takes the nuclear norm down. So f is
linear in the log posterior of *tokens*. In that of concepts, by Bayes' rule, with any weights of sum 1 over
the meanings of y,

.. math:: \ln p(y|d) = \sum_c w_c \ln p(c|d) + \sum_c w_c \ln e(y|c) - \sum_c w_c \ln p(c|y,d).

The last term is constant where what a token means does not depend on the context. So it is where each token
has one meaning, synonyms too: of these G differs by offsets :math:`\ln e`, alike in all contexts. Where
tokens merge concept vectors whose odds contexts move, it is not, and f is curved.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.errors import InputError
from linrep.worlds.contexts import World
from linrep.worlds.reduction import indices
from linrep.worlds.tokens import ravel
from linrep.worlds.transforms import subset_sum
from linrep.worlds.truth import conditional


def log_posterior(world: World, concepts: Sequence[str]) -> Float64[Tensor, "contexts values"]:
    r"""Of every context the log posterior of some concepts together, :math:`\ln p(c_S \mid d)`, in nats.

    Naively: ``log(sum(p[c] for c in joint if c ~ d and c[S] == v) / Z(d))`` for every value v and context d.

    Args:
        world: Whose contexts and joint.
        concepts: S, by name.

    Returns:
        One column for every combination of their states that can occur, the first concept most significant.

    Raises:
        InputError: An unknown concept, or a context that excludes a combination: its logarithm is infinite.

    Example:
        >>> from linrep.worlds import from_tables, known, world
        >>> noisy = {"c": [[0.5, 0.5]], "e": [[0.9, 0.1], [0.1, 0.9]]}
        >>> model = from_tables(["c", "e"], noisy, parents={"e": ["c"]})
        >>> seen = world(model, codes=known((2, 2), at_least=1, of=[1]))
        >>> log_posterior(seen, ["c"]).exp()
        tensor([[0.9000, 0.1000],
                [0.1000, 0.9000]], dtype=torch.float64)
    """
    model = world.model
    chosen = indices(model, concepts, "concepts")
    table = subset_sum(world.joint, model.sizes)
    bases = [size + 1 for size in model.sizes]
    digits = torch.cartesian_prod(*(torch.arange(model.sizes[i]) for i in chosen)).reshape(-1, len(chosen))
    total = table[ravel(world.codes, bases)]
    columns: list[Tensor] = []
    for states in digits.tolist():
        codes, agrees = world.codes.clone(), torch.ones(len(world.codes), dtype=torch.bool)
        for concept, state in zip(chosen, states, strict=True):
            agrees &= (codes[:, concept] == state) | (codes[:, concept] == model.sizes[concept])
            codes[:, concept] = state
        columns.append(agrees * table[ravel(codes, bases)] / total)
    found = torch.stack(columns, 1)
    found = found[:, (found > 0).any(0)]
    _require_possible(found, "value of the concepts")
    return found.log()


def smallest_tables(
    world: World,
) -> tuple[Float64[Tensor, "contexts rank"], Float64[Tensor, "tokens rank"]]:
    """F and G of zero excess loss and least norm, in the balanced gauge, up to one rotation.

    Naively: train wide tables with a vanishing ridge.

    Args:
        world: In which every context leaves every token possible; small enough for contexts × tokens.

    Returns:
        As many columns as the centred log-probabilities have rank: the width it takes.

    Raises:
        InputError: A context excludes a token: norms diverge.

    Example:
        >>> from linrep.worlds import from_tables, known, world
        >>> noisy = {"c": [[0.5, 0.5]], "e": [[0.9, 0.1], [0.1, 0.9]]}
        >>> model = from_tables(["c", "e"], noisy, parents={"e": ["c"]})
        >>> from linrep.worlds import tell
        >>> seen = world(model, codes=known((2, 2), at_least=1, of=[1]), tokens=tell(model, of=["c"]))
        >>> f, g = smallest_tables(seen)
        >>> (f @ g.T).softmax(1)
        tensor([[0.9000, 0.1000],
                [0.1000, 0.9000]], dtype=torch.float64)
    """
    p = conditional(world)
    _require_possible(p, "token")
    logits = p.log()
    left, values, right = torch.linalg.svd(logits - logits.mean(1, keepdim=True), full_matrices=False)
    rank = int((values > 1e-10 * values[0].clamp_min(1)).sum())
    root = values[:rank].sqrt()
    return left[:, :rank] * root, right[:rank].T * root


def linear_share(table: Float64[Tensor, "rows dim"], of: Float64[Tensor, "rows columns"]) -> float:
    """Share of a table's variation that an affine map of other numbers of the same rows explains, R².

    Naively: ``1 - residual / variation`` of ``numpy.linalg.lstsq(np.c_[np.ones(rows), of], table)``.

    Args:
        table: Such as F.
        of: Such as :func:`log_posterior`.

    Returns:
        In [0, 1]; of no meaning where there are no more rows than columns. NaN where the table does not vary.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
        >>> round(linear_share(torch.cat([2 * x, x**2], 1), x), 4)
        0.96
    """
    centred, regressors = table - table.mean(0), of - of.mean(0)
    basis, values, _ = torch.linalg.svd(regressors, full_matrices=False)
    basis = basis[:, values > 1e-9 * values[:1].clamp_min(1e-300)]
    return float((basis.T @ centred).square().sum() / centred.square().sum())


def _require_possible(p: Float64[Tensor, "contexts columns"], what: str) -> None:
    excluded = (p <= 0).nonzero()
    if len(excluded):
        raise InputError(
            f"log posterior: expected contexts that leave every {what} possible, got one (number "
            f"{int(excluded[0, 0])}) that excludes some; let contexts know of other concepts (contexts.of)"
        )
