"""docs/theory, section 1: the gradient as two attention calls is exact, but misses the float32 budget.

That is why linrep computes tiles of softmax instead of calling attention kernels.
"""

import torch
from torch import Tensor

from linrep.population.gradient import Population, population_gradient, table_gradients
from linrep.seeds import generator
from linrep.worlds.concepts import random_dag
from linrep.worlds.contexts import world


def two_attention_calls(population: Population, f: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """The predicted parts Σ p̂ g and Σ ω p̂ f of both gradients, from PyTorch's fused CPU kernel."""
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    queries, keys = f[:, None], g[:, None]
    mean, log_normaliser = kernel(queries, keys, keys, scale=1.0)[:2]
    bias = (population.weights.to(f.dtype).log() - log_normaliser[:, 0])[:, None, None, :]
    bias = bias.expand(-1, -1, g.shape[1], -1)
    back, log_total = kernel(keys, queries, queries, attn_mask=bias, scale=1.0)[:2]
    return mean[:, 0], back[:, 0] * log_total[:, 0, :, None].exp()


def case(concepts: int, dtype: torch.dtype) -> tuple[Population, Tensor, Tensor]:
    model = random_dag(concepts, edge_probability=0.5, generator=generator(0, "world"))
    population = Population.of([world(model)], dtype=dtype)
    draw = generator(0, "tables")
    f = torch.randn(1, population.context_index.shape[1], concepts, generator=draw, dtype=torch.float64)
    g = torch.randn(1, population.token_index.shape[1], concepts, generator=draw, dtype=torch.float64)
    return population, f.to(dtype), g.to(dtype)


def test_two_attention_calls_are_exact_in_float64() -> None:
    population, f, g = case(5, torch.float64)
    mean, back = two_attention_calls(population, f, g)
    exact = population_gradient(population, f, g, method="dense")
    slope_f = population.weights[..., None] * (mean - population.conditional_mean(g))
    slope_g = back - population.conditional_mean_transpose(f)
    torch.testing.assert_close(slope_f, exact.embedding, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(slope_g, exact.unembedding, rtol=1e-10, atol=1e-14)


def test_two_attention_calls_miss_the_float32_budget_that_tiles_keep() -> None:
    population, f, g = case(9, torch.float32)
    wide, f64, g64 = case(9, torch.float64)
    f64, g64 = f.double(), g.double()
    truth = table_gradients(wide, f64, g64, method="fused")[1]
    target = wide.conditional_mean_transpose(f64)
    parts = (truth + target).norm() + target.norm()
    tiled = table_gradients(population, f, g, method="fused")[1].double()
    called = two_attention_calls(population, f, g)[1].double() - target
    assert float((tiled - truth).norm() / parts) < 1e-6
    assert float((called - truth).norm() / parts) > 1e-6
