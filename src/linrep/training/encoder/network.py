"""What networks share: they read digits as indicators, and autograd carries gradients to their parameters."""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from linrep.training.encoder.record import Descend, Encoder, PullBack


class Network(Encoder):
    """An encoder with weights: one stack of them per run, so that every layer is one call for all runs."""

    features: Float[Tensor, "_ contexts ..."]
    """What the network reads of each context; one batch entry where all runs share their contexts."""

    @abstractmethod
    def forward(
        self, weights: dict[str, Tensor], features: Float[Tensor, "runs rows ..."]
    ) -> Float[Tensor, "runs rows dim"]:
        """Embeddings of contexts from their features."""

    def embed(self, parameters: list[Tensor]) -> Float[Tensor, "runs contexts dim"]:
        """One pass over every context."""
        runs = len(parameters[0])
        features = self.features.expand(runs, *self.features.shape[1:])
        return self.forward(dict(zip(self.shapes, parameters, strict=True)), features)

    def exact(self, parameters: list[Tensor]) -> tuple[Float[Tensor, "runs contexts dim"], PullBack]:
        """One pass forward; the pull-back is one backward."""
        with torch.enable_grad():
            leaves = [each.detach().requires_grad_() for each in parameters]
            embedding = self.embed(leaves)
        return embedding.detach(), lambda slope: list(torch.autograd.grad(embedding, leaves, slope))

    def sampled(
        self, parameters: list[Tensor], rows: Int64[Tensor, "runs batch"]
    ) -> tuple[Float[Tensor, "runs batch dim"], Descend]:
        """One pass over the sampled contexts; the step moves every parameter."""
        run = torch.arange(len(self.features), device=rows.device)[:, None]
        with torch.enable_grad():
            leaves = [each.detach().requires_grad_() for each in parameters]
            weights = dict(zip(self.shapes, leaves, strict=True))
            embedding = self.forward(weights, self.features[run, rows])

        def descend(slope: Tensor, factor: float) -> None:
            slopes = torch.autograd.grad(embedding, leaves, slope)
            for parameter, each in zip(parameters, slopes, strict=True):
                parameter.add_(each, alpha=factor)

        return embedding.detach(), descend


def digits(context_index: Int64[Tensor, "runs contexts *digits"], sizes: tuple[int, ...]) -> list[Tensor]:
    """Each concept's digit in every context, state or unknown; one batch entry where the runs share them.

    Args:
        context_index: Flat indices, or the digits themselves, as a population has them.
        sizes: Number of states of each concept.
    """
    if context_index.stride(0) == 0 or bool((context_index == context_index[:1]).all()):
        context_index = context_index[:1]
    if context_index.ndim == 3:
        return list(context_index.unbind(-1))
    found: list[Tensor] = []
    for size in reversed(sizes):
        found.insert(0, context_index % (size + 1))
        context_index = context_index // (size + 1)
    return found
