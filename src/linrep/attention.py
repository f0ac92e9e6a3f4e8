"""Softmax attention that also returns its log-sum-exp, on PyTorch's own fused kernels: the one place that names them."""

import torch
from jaxtyping import Float
from torch import Tensor


def attention(
    query: Float[Tensor, "runs queries dim"],
    key: Float[Tensor, "runs keys dim"],
    value: Float[Tensor, "runs keys width"],
    bias: Float[Tensor, "runs keys"] | None = None,
) -> tuple[Float[Tensor, "runs queries width"], Float[Tensor, "runs queries"]]:
    r"""Softmax-weighted mean of the values and the log of its normaliser, never holding queries × keys numbers.

    Naively: ``logits = query @ key.mT + bias; (logits.softmax(-1) @ value, logits.logsumexp(-1))``.

    Args:
        query: One row per query.
        key: One row per key; the scale is 1.
        value: What is averaged, of the same width as the key.
        bias: Added to the logits of each key; -inf leaves a key out.

    Returns:
        Means and log-sum-exps.

    Example:
        >>> mean, log_normaliser = attention(torch.zeros(1, 1, 2), torch.eye(2)[None], torch.eye(2)[None])
        >>> mean, log_normaliser.exp()
        (tensor([[[0.5000, 0.5000]]]), tensor([[2.0000]]))
    """
    if query.device.type != "cpu":
        raise NotImplementedError(f"attention: no fused kernel is named for device {query.device.type}")
    # A bias per key, not per query: stride 0 along queries costs no memory.
    mask = None if bias is None else bias[:, None, None, :].expand(-1, 1, query.shape[1], -1)
    output, log_normaliser = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1), 0.0, False, attn_mask=mask, scale=1.0
    )
    return output.squeeze(1), log_normaliser.squeeze(1)
