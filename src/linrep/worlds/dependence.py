r"""How much concepts depend on one another: measured in nats, and taken away with every marginal kept.

Between the product of a world's marginals and the world itself lie the mixtures

.. math:: q_t(c) = (1 - t) \prod_i p(c_i) + t\, p(c), \qquad 0 \le t \le 1.

The marginals of both ends are the same, so they are those of every mixture: what changes with t is
dependence alone. Mixing the conditional tables node by node would not do: where parents depend on each
other, their joint changes with t and takes the child's marginal along.
"""

from dataclasses import replace

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.errors import InputError
from linrep.worlds.concepts import ConceptModel


def with_dependence(model: ConceptModel, share: float) -> ConceptModel:
    r"""The same concepts with the same marginals, and a share t of their dependence: :math:`q_t` above.

    Naively: ``(1 - share) * prod(marginals) + share * model.joint()``.

    Args:
        model: The world's concepts; none of them nested.
        share: t in [0, 1]: 0 is the product of the marginals, 1 the model itself.

    Returns:
        The mixture as a Bayesian network. In between, it has no other graph than the complete one: each
        concept's parents are all those before it in the model's own order.

    Raises:
        InputError: If the share leaves [0, 1], a concept is nested, or the model is too large to enumerate.

    Example:
        >>> from linrep.worlds.network import load_network
        >>> half = with_dependence(load_network("cancer"), 0.5)
        >>> half.names == load_network("cancer").names, len(half.edges())
        (True, 10)
    """
    if not 0 <= share <= 1:
        raise InputError(f"dependence: expected a share in [0, 1], got {share}")
    if share == 1:
        return model
    if model.nests:
        raise InputError(
            "dependence: a nested concept is bound to its parent's state; use a world without nested concepts"
        )
    joint = model.joint().reshape(model.sizes)
    own = marginals(joint)
    # Its graph is no longer that of the marginal, so that no edge of it was added there.
    reduction = model.reduction and replace(model.reduction, added=())
    if share == 0:
        return replace(model, parents=((),) * model.concepts, tables=own, reduction=reduction)
    mixed = (1 - share) * _product(own) + share * joint
    order = model.order()
    parents: list[tuple[int, ...]] = [()] * model.concepts
    tables = list(own)
    for place, concept in enumerate(order):
        before, family = order[:place], order[: place + 1]
        parents[concept] = before
        tables[concept] = _conditional(_marginal(mixed, family), own[concept])
    return replace(model, parents=tuple(parents), tables=tuple(tables), reduction=reduction)


def total_correlation(joint: Float64[Tensor, " *states"]) -> float:
    r"""Total correlation :math:`\sum_i H(C_i) - H(C)` of concepts, in nats; 0 iff they are independent.

    Naively: ``sum(entropy(marginal) for marginal in marginals) - entropy(joint)``.

    Args:
        joint: Probabilities, one axis a concept; they sum to 1. Invariant to the order of axes and of states.

    Example:
        >>> copies = torch.tensor([[0.5, 0.0], [0.0, 0.5]], dtype=torch.float64)
        >>> round(total_correlation(copies), 6)
        0.693147

    References:
        Watanabe 1960.
    """
    own = sum(float(torch.special.entr(each).sum()) for each in marginals(joint))
    return max(0.0, own - float(torch.special.entr(joint).sum()))


def marginals(joint: Float64[Tensor, " *states"]) -> tuple[Float64[Tensor, " states"], ...]:
    """The probabilities of each concept's states.

    Example:
        >>> marginals(torch.tensor([[0.25, 0.25], [0.0, 0.5]], dtype=torch.float64))[1]
        tensor([0.2500, 0.7500], dtype=torch.float64)
    """
    return tuple(_marginal(joint, (axis,)) for axis in range(joint.dim()))


def _marginal(joint: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Of some concepts, their axes in the order given."""
    rest = [axis for axis in range(joint.dim()) if axis not in axes]
    kept = sorted(axes)
    found = joint.sum(rest) if rest else joint
    return found.permute([kept.index(axis) for axis in axes])


def _product(own: tuple[Tensor, ...]) -> Tensor:
    product = torch.ones((), dtype=torch.float64)
    for each in own:
        product = product.unsqueeze(-1) * each
    return product


def _conditional(family: Tensor, own: Tensor) -> Tensor:
    """P(last axis | the others); its marginal where the others cannot occur."""
    given = family.sum(-1, keepdim=True)
    return torch.where(given > 0, family / given.where(given > 0, 1.0), own)
