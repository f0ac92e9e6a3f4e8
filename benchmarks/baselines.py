"""What one would write first: the loss in a line and automatic differentiation, in PyTorch and in JAX."""

import importlib.util
import os
from collections.abc import Callable

import torch
import torch.nn.functional as nn

from linrep.population.gradient import Population


def autograd(population: Population, f: torch.Tensor, g: torch.Tensor) -> Callable[[], object]:
    """Cross-entropy with the dense targets through log_softmax, then backward."""
    loss = population_loss(population)

    def call() -> object:
        embedding, unembedding = f.clone().requires_grad_(), g.clone().requires_grad_()
        loss(embedding, unembedding).backward()
        return embedding.grad, unembedding.grad

    return call


def closed_form(population: Population, f: torch.Tensor, g: torch.Tensor) -> Callable[[], object]:
    """Prediction minus target, times the tables: the gradient as one writes it down."""
    target = population.conditional
    weights = population.weights.to(target.dtype).unsqueeze(-1)

    def call() -> object:
        residual = ((f @ g.mT).softmax(-1) - target) * weights
        return residual @ g, residual.mT @ f

    return call


def population_loss(population: Population) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The loss of all runs together, from tables."""
    target = population.conditional
    weights = population.weights.to(target.dtype)

    def loss(embedding: torch.Tensor, unembedding: torch.Tensor) -> torch.Tensor:
        log_prediction = (embedding @ unembedding.mT).log_softmax(-1)
        return -(weights * (target * log_prediction).sum(-1)).sum()

    return loss


def jax_gradient(population: Population, f: torch.Tensor, g: torch.Tensor) -> Callable[[], object] | None:
    """The same loss under ``jax.jit(jax.grad(...))``, at full precision, on as many threads, or on a card.

    None where there is no JAX, or none that knows the card.
    """
    if importlib.util.find_spec("jax") is None:
        return None
    for name in ("NPROC", "PJRT_NPROC"):
        os.environ[name] = str(torch.get_num_threads())
    # Else it takes most of a card's memory at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax

    if (f.device.type == "cuda") != (jax.default_backend() == "gpu"):
        return None
    target, weights, embedding, unembedding = (
        jax.numpy.asarray(each.float().cpu().numpy())
        for each in (population.conditional, population.weights, f, g)
    )

    # Targets are arguments: a constant of this size would be folded into the program.
    def loss(f, g, target, weights):
        logits = jax.numpy.matmul(f, g.swapaxes(-1, -2), precision="highest")
        log_prediction = jax.nn.log_softmax(logits, axis=-1)
        return -(weights * (target * log_prediction).sum(-1)).sum()

    gradient = jax.jit(jax.grad(loss, argnums=(0, 1)))
    return lambda: jax.block_until_ready(gradient(embedding, unembedding, target, weights))


def script_step(
    population: Population, f: torch.Tensor, g: torch.Tensor, optimizer: str, step_size: float, batch: int
) -> Callable[[], object]:
    """One step of the usual script: parameters, a loss, ``torch.optim``."""
    parameters = [torch.nn.Parameter(each.clone()) for each in (f, g)]
    kind = torch.optim.Adam if optimizer == "adam" else torch.optim.SGD
    torchs = kind(parameters, lr=step_size)
    loss = population_loss(population) if optimizer != "sgd" else sampled_loss(population, batch)

    def step() -> list[torch.nn.Parameter]:
        torchs.zero_grad()
        loss(*parameters).backward()
        torchs.step()
        return parameters

    return step


def sampled_loss(population: Population, batch: int) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Cross-entropy on contexts and tokens that ``torch.multinomial`` draws from the dense table."""
    target = population.conditional
    weights = population.weights.to(target.dtype)
    run = torch.arange(population.runs, device=target.device).unsqueeze(-1)

    def loss(embedding: torch.Tensor, unembedding: torch.Tensor) -> torch.Tensor:
        contexts = torch.multinomial(weights, batch, replacement=True)
        tokens = torch.multinomial(target[run, contexts].flatten(0, 1), 1).flatten()
        logits = embedding[run, contexts] @ unembedding.mT
        return nn.cross_entropy(logits.flatten(0, 1), tokens) * population.runs

    return loss


def sampled_gradient(
    population: Population, f: torch.Tensor, g: torch.Tensor, batch: int
) -> Callable[[], object]:
    """The gradient alone of one drawn minibatch, in closed form: what a step of sgd cannot do without."""
    contexts, tokens = population.sample(batch, generator=torch.Generator().manual_seed(2))
    run = torch.arange(population.runs, device=f.device).unsqueeze(-1)
    chosen = torch.full((*tokens.shape, 1), -1.0 / batch, dtype=f.dtype, device=f.device)

    def call() -> object:
        rows = f[run, contexts]
        residual = torch.softmax(rows @ g.mT, -1).div_(batch).scatter_add_(-1, tokens.unsqueeze(-1), chosen)
        return residual @ g, residual.mT @ rows

    return call
