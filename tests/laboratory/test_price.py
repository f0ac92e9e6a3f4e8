"""The price of linearity of each run's world: in the summary, on the page, a column of ``linrep runs``."""

import pytest
from typer.testing import CliRunner

import linrep
from linrep.cli import app
from linrep.laboratory.build import worlds
from linrep.runs.toml import parse
from linrep.theory import price_of_linearity

CONFIG = {
    "runs": 2,
    "world": {"kind": "random", "concepts": 3, "per_run": True},
    "training": {"steps": 3},
    "measure": {"null_draws": 2},
    "compute": {"threads": 1},
}


def test_each_run_has_the_price_of_its_own_world(tmp_path) -> None:
    result = linrep.run(CONFIG, out=tmp_path / "runs")
    own = [price_of_linearity(world).nats for world in worlds(parse(CONFIG))]
    found = result.summary.price_of_linearity_nats
    assert found.per_run == pytest.approx(own)
    assert own[0] != own[1]
    listed = CliRunner().invoke(app, ["runs", "--out", str(tmp_path / "runs"), "--csv", "-"])
    assert "price_of_linearity_nats.mean" in listed.output
    page = tmp_path / "page.html"
    assert (
        CliRunner()
        .invoke(app, ["report", result.key, "--out", str(tmp_path / "runs"), "--page", str(page)])
        .exit_code
        == 0
    )
    assert "price of linearity" in page.read_text()
