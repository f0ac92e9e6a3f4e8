"""A fixed step under which the loss rises for long is named in the result, the terminal and the page."""

import linrep
from linrep.cli.views.runs import overview
from linrep.page.rendering import run_page
from linrep.page.rising import rising_words
from linrep.runs.result import Result


def trained(size: float | str, steps: int = 300, optimizer: str = "gd", **more: object) -> Result:
    return linrep.run(
        world={"kind": "random", "concepts": 3},
        runs=6,
        training={"optimizer": optimizer, "step_size": size, "steps": steps, "snapshots": 3, **more},
        measure={"null_draws": 2},
        compute={"threads": 1},
        progress=False,
    )


def test_the_step_that_would_not_rise_does_not() -> None:
    found = trained(5.0)
    rises = found.summary.rises
    assert rises is not None
    assert rises.share.mean is not None
    assert rises.share.mean > 0.1
    assert rises.stable_step_size is not None
    (said,) = (line for line in overview(found) if isinstance(line, str) and line.startswith("Step size"))
    assert said.startswith("Step size 5 is too large: the loss rose on ")
    assert f"up to {rises.stable_step_size:.3g} it would not have" in said
    assert "Step size 5 is too large" in run_page(found)
    better = trained(rises.stable_step_size)
    assert better.summary.rises is not None
    assert set(better.summary.rises.share.per_run) == {0.0}
    assert better.summary.rises.stable_step_size is None
    assert rising_words(better.summary.rises, 1.0) is None
    assert "is too large: the loss" not in run_page(better)


def test_only_fixed_steps_of_gradient_descent_are_judged() -> None:
    for optimizer, size in (("gd", "auto"), ("adam", 0.01), ("sgd", 5.0)):
        assert trained(size, 20, optimizer).summary.rises is None


def test_networks_are_told_without_a_step() -> None:
    found = linrep.run(
        world={"kind": "random", "concepts": 2},
        runs=2,
        model={"encoder": "mlp", "width": 8},
        training={"optimizer": "gd", "step_size": 2.0, "steps": 60, "snapshots": 2},
        measure={"null_draws": 2},
        compute={"threads": 1},
        progress=False,
    ).summary.rises
    assert found is not None
    assert found.stable_step_size is None
