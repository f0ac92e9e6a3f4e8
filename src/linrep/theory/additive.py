"""The additive solution: logits count the known concepts on which a token agrees with a context."""

import torch
from jaxtyping import Float64, Int8
from torch import Tensor


def additive_logits(
    context_codes: Int8[Tensor, "contexts concepts"], token_codes: Int8[Tensor, "tokens concepts"]
) -> Float64[Tensor, "contexts tokens"]:
    r"""L(d, c) = number of known concepts of d on which c agrees, rows centred over the tokens.

    For binary concepts this is :math:`\tfrac12 \sum_i D_i C_i^\top` up to a shift of each row. Feasible at
    unit margin for every set of contexts and tokens; its rank is at most the affine rank of the tokens;
    exactly linear.

    Naively: ``[[sum(a == b for a, b in zip(d, c)) for c in tokens] for d in contexts]``.

    Args:
        context_codes: Digits of each context, the number of states where unknown.
        token_codes: Digits of each token.

    Returns:
        The table, rows summing to zero.

    Example:
        >>> digits = torch.tensor([[0], [1]], dtype=torch.int8)
        >>> additive_logits(digits, digits)
        tensor([[ 0.5000, -0.5000],
                [-0.5000,  0.5000]], dtype=torch.float64)

    References:
        Theory claim C6, "With k = m".
    """
    agree = torch.zeros(len(context_codes), len(token_codes), dtype=torch.float64)
    for known, state in zip(context_codes.T, token_codes.T, strict=True):
        agree += known[:, None] == state
    return agree - agree.mean(1, keepdim=True)
