"""Encoders: networks against slow twins and finite differences, runs apart, tables as ever."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from linrep.errors import InputError
from linrep.training.encoder import Encoder, Table, encoder
from linrep.training.encoder.transformer import EXPANSION
from linrep.training.normals import Normals
from linrep.worlds.contexts import complete, flat_index

SIZES = (2, 3, 2)
DIM = 3
RUNS = 2


def contexts() -> Tensor:
    """Each run its own half of the contexts, in an order of its own."""
    every = math.prod(size + 1 for size in SIZES)
    draw = torch.Generator().manual_seed(0)
    return torch.stack([torch.randperm(every, generator=draw)[: every // 2] for _ in range(RUNS)])


def made(kind: str, index: Tensor) -> Encoder:
    return encoder(
        kind,  # pyright: ignore
        index,
        SIZES,
        DIM,
        init_scale=0.5,
        width=8,
        layers=2,
        heads=2,
    )


def parameters(found: Encoder, runs: int = RUNS, seed: int = 0) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    draws = [Normals(found.numbers, torch.Generator().manual_seed(seed + 1 + run)) for run in range(runs)]
    start = found.start(draws, torch.float64)
    # Biases start at zero; here they too must matter.
    return [each + 0.1 * torch.randn(each.shape, generator=draw, dtype=torch.float64) for each in start]


def codes(index: Tensor) -> Tensor:
    return complete(SIZES)[index]


def test_the_mlp_is_a_stack_of_linear_layers() -> None:
    index = contexts()
    found = made("mlp", index)
    weights = parameters(found)
    for run in range(RUNS):
        first, first_bias, second, second_bias, out = (each[run] for each in weights)
        for row, code in enumerate(codes(index)[run].tolist()):
            digits = [digit == state for digit, v in zip(code, SIZES, strict=True) for state in range(v + 1)]
            hidden = functional.gelu(torch.tensor(digits).double() @ first + first_bias)
            expected = functional.gelu(hidden @ second + second_bias) @ out
            torch.testing.assert_close(found.embed(weights)[run, row], expected)


def test_the_transformer_is_torchs_own() -> None:
    """One run at a time through nn.TransformerEncoder, with norms that neither scale nor shift."""
    index = contexts()
    found = made("transformer", index)
    weights = parameters(found)
    width = 8
    for run in range(RUNS):
        named = dict(zip(found.shapes, (each[run] for each in weights), strict=True))
        layer = nn.TransformerEncoderLayer(
            width, 2, EXPANSION * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        twin = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).double()
        for number, block in enumerate(twin.layers):
            own = {name: named[f"{number}/{name}"] for name in ("query", "key", "value", "mix", "up", "down")}
            joined = torch.cat([own["query"], own["key"], own["value"]], 1).T
            block.self_attn.in_proj_weight = nn.Parameter(joined)  # pyright: ignore
            block.self_attn.in_proj_bias = nn.Parameter(torch.zeros(3 * width).double())  # pyright: ignore
            block.self_attn.out_proj.weight = nn.Parameter(own["mix"].T)  # pyright: ignore
            block.linear1.weight = nn.Parameter(own["up"].T)  # pyright: ignore
            block.linear1.bias = nn.Parameter(named[f"{number}/up_bias"])  # pyright: ignore
            block.linear2.weight = nn.Parameter(own["down"].T)  # pyright: ignore
            block.linear2.bias = nn.Parameter(torch.zeros(width).double())  # pyright: ignore
        unknown = max(SIZES)
        for row, code in enumerate(codes(index)[run].tolist()):
            read = [unknown if digit == v else digit for digit, v in zip(code, SIZES, strict=True)]
            sequence = torch.cat([named["symbols"][read], torch.zeros(1, width)]) + named["places"]
            last = twin(sequence[None])[0, -1]
            expected = functional.layer_norm(last, (width,)) @ named["out/weight"]
            torch.testing.assert_close(found.embed(weights)[run, row], expected.detach())


@pytest.mark.parametrize("kind", ["table", "mlp", "transformer"])
def test_the_pull_back_is_the_derivative(kind: str) -> None:
    """Against central differences along random directions, in float64."""
    found = made(kind, contexts())
    weights = parameters(found)
    draw = torch.Generator().manual_seed(1)
    embedding, pull_back = found.exact(weights)
    torch.testing.assert_close(embedding, found.embed(weights), rtol=0, atol=0)
    slope = torch.randn(embedding.shape, generator=draw, dtype=torch.float64)
    slopes = pull_back(slope)
    assert [each.shape for each in slopes] == [each.shape for each in weights]
    for number, weight in enumerate(weights):
        step = 1e-5 * torch.randn(weight.shape, generator=draw, dtype=torch.float64)
        up, down = list(weights), list(weights)
        up[number], down[number] = weight + step, weight - step
        expected = (slope * (found.embed(up) - found.embed(down))).sum() / 2
        torch.testing.assert_close((slopes[number] * step).sum(), expected, rtol=1e-6, atol=1e-12)
    assert not any(each.requires_grad for each in weights)


@pytest.mark.parametrize("kind", ["table", "mlp", "transformer"])
def test_a_sampled_step_is_the_exact_step_of_the_sampled_rows(kind: str) -> None:
    """Rows drawn twice count twice."""
    found = made(kind, contexts())
    weights = parameters(found)
    rows = torch.tensor([[3, 0, 3, 7], [1, 1, 2, 5]])
    slope = torch.randn(RUNS, 4, DIM, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    embedding, pull_back = found.exact(weights)
    at = rows[..., None].expand(-1, -1, DIM)
    expected = [
        each - 0.5 * gradient
        for each, gradient in zip(
            weights, pull_back(torch.zeros_like(embedding).scatter_add(1, at, slope)), strict=True
        )
    ]
    sampled, descend = found.sampled(weights, rows)
    torch.testing.assert_close(sampled, embedding.gather(1, at))
    descend(slope, -0.5)
    torch.testing.assert_close(weights, expected)


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_a_run_is_itself_whoever_trains_beside_it(kind: str) -> None:
    index = contexts()
    both, alone = made(kind, index), made(kind, index[:1])
    weights = parameters(both)
    mine = [each[:1].clone() for each in weights]
    torch.testing.assert_close(both.embed(weights)[:1], alone.embed(mine))
    for each in weights:
        each[1] = torch.nan
    assert bool(both.embed(weights)[0].isfinite().all())


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_shared_contexts_are_read_once(kind: str) -> None:
    index = contexts()[:1]
    shared, apart = made(kind, index.expand(RUNS, -1)), made(kind, torch.cat([index, index.roll(1, 1)]))
    weights = parameters(shared)
    assert len(shared.features) == 1  # pyright: ignore
    assert len(apart.features) == RUNS  # pyright: ignore
    torch.testing.assert_close(shared.embed(weights)[1], apart.embed(weights)[1].roll(-1, 0))


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_every_digit_counts(kind: str) -> None:
    """Contexts of all kinds, three-state concepts among them, get embeddings of their own."""
    index = flat_index(complete(SIZES), SIZES)[None]
    embedding = made(kind, index).embed(parameters(made(kind, index), runs=1))[0]
    assert float(functional.pdist(embedding).min()) > 1e-6


@pytest.mark.parametrize("kind", ["table", "mlp", "transformer"])
def test_embeddings_start_at_about_the_scale_asked_for(kind: str) -> None:
    index = flat_index(complete(SIZES), SIZES)[None]
    found = made(kind, index)
    draws = [Normals(found.numbers, torch.Generator().manual_seed(run)) for run in range(200)]
    assert 0.25 < float(found.embed(found.start(draws, torch.float64)).std()) / 0.5 < 2.0


def test_the_table_is_its_parameter() -> None:
    found = encoder("table", contexts(), SIZES, DIM, init_scale=0.1)
    assert isinstance(found, Table)
    weights = parameters(found)
    assert found.embed(weights) is weights[0]
    assert found.exact(weights)[1](weights[0])[0] is weights[0]


@pytest.mark.parametrize(
    ("kind", "sizes", "message"),
    [
        ("mlp", {"width": 8}, "needs a width and a number of layers"),
        ("transformer", {"width": 8, "layers": 1, "heads": 3}, "got 3 heads for width 8"),
    ],
)
def test_mistakes_are_one_line(kind: str, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        encoder(kind, contexts(), SIZES, DIM, init_scale=0.1, **sizes)  # pyright: ignore
    assert "\n" not in str(caught.value)
