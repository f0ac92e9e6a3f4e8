"""The excess loss near zero: against mpmath's many digits, seamless between its forms, down to 1e-12 nats."""

import pytest
import torch

from linrep.population.excess_loss import accurate_excess_loss
from linrep.population.gradient import Population, population_gradient
from tests.support.populations import random_population, random_tables


def near_exact(epsilon, dtype, seed=0):
    """Tables whose logits miss a solution of every context that knows nothing or one thing by about epsilon.

    Contexts that know a concept exclude tokens: these lie far below, by a margin of ln(1/epsilon²)."""
    generator = torch.Generator().manual_seed(seed)
    joint = torch.rand(8, generator=generator, dtype=torch.float64) + 0.1
    joint = joint / joint.sum()
    contexts = torch.tensor([26, 8, 17, 24])
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    population = Population.build((2, 2, 2), [joint], [contexts], [weights], [torch.arange(8)], dtype=dtype)
    p = population.conditional_rows(0, 4)[0]
    logits = torch.where(p > 0, p.clamp_min(1e-300).log(), 2 * torch.log(torch.tensor(epsilon)))
    logits = logits + epsilon * torch.randn(4, 8, generator=generator, dtype=torch.float64)
    return population, logits.to(dtype)[None], torch.eye(8, dtype=dtype)[None]


def many_digits(population, f, g):
    """Excess loss of these very tables with fifty digits."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(50):
        total = mpmath.mpf(0)
        for d, weight in enumerate(population.weights[0].tolist()):
            logits = [mpmath.mpf(x) for x in (f[0, d].double() @ g[0].double().T).tolist()]
            normaliser = mpmath.fsum(mpmath.exp(x) for x in logits)
            index = population.conditional_rows(d, d + 1)[0, 0] > 0
            p = [
                mpmath.mpf(x) if on else mpmath.mpf(0)
                for x, on in zip(population.probability[0].tolist(), index, strict=True)
            ]
            z = mpmath.fsum(p)
            for x, share in zip(logits, p, strict=True):
                if share:
                    total += weight * share / z * (mpmath.log(share / z) - x + mpmath.log(normaliser))
        return float(total)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("power", range(8))
def test_relative_accuracy_at_every_size(power, dtype):
    population, f, g = near_exact(10.0**-power, dtype)
    exact = many_digits(population, f, g)
    assert 1e-16 < exact < 10
    bound = 1e-6 if dtype == torch.float64 else 1e-3
    for method in ("dense", "fused"):
        assert population_gradient(population, f, g, method=method).excess_loss.item() == pytest.approx(
            exact, rel=bound
        )
    assert accurate_excess_loss(population, f, g).item() == pytest.approx(exact, rel=1e-7, abs=0)


def test_the_forms_meet_without_a_seam():
    """Along a fine path through both switches the loss falls smoothly in every dtype."""
    for dtype, bound in ((torch.float32, 1e-3), (torch.float64, 1e-6)):
        for power in torch.linspace(0, 6, 61).tolist():
            population, f, g = near_exact(10.0**-power, dtype)
            found = population_gradient(population, f, g).excess_loss.item()
            assert found == pytest.approx(accurate_excess_loss(population, f, g).item(), rel=bound, abs=0)


def test_negative_control_the_plain_form_loses_it():
    population, f, g = near_exact(1e-6, torch.float64)
    plain = (f @ g.mT).logsumexp(-1) - (f * population.conditional_mean(g)).sum(-1) - population.entropy
    plain = (population.weights * plain).sum().item()
    assert plain != pytest.approx(many_digits(population, f, g), rel=1e-6, abs=0)


def test_many_runs_padded_and_impossible():
    population = random_population((2,) * 4, 3, zeros=0.3, fewer_tokens=2, fewer_contexts=5)
    f, g = random_tables(population, 3)
    torch.testing.assert_close(
        accurate_excess_loss(population, f, g), population_gradient(population, f, g).excess_loss
    )
