"""A result shows itself, draws itself and keeps itself."""

from pathlib import Path

import pytest
import torch

import linrep
from linrep.errors import InputError


@pytest.fixture(scope="module")
def result() -> linrep.Result:
    return linrep.run(world="cancer", dim=5, runs=2, training={"steps": 30, "snapshots": 4})


def test_it_is_short_in_a_terminal_and_a_table_in_a_notebook(result: linrep.Result) -> None:
    assert repr(result).startswith(f"Result({result.key}: 2 runs, 30 steps, 243 contexts, 32 tokens, k = 5; ")
    assert "\n" not in repr(result)
    assert len(repr(result)) < 300
    shown = result._repr_html_()
    assert "<td>linearity</td>" in shown
    assert "2 of 2 runs unfinished" in shown
    assert "<td>–</td>" in shown  # two runs have no interval
    assert "None" not in shown
    assert "nan" not in shown


def test_every_plot_of_the_page_is_a_figure(result: linrep.Result) -> None:
    for kind in ("linearity", "excess_loss_nats", "alignment_matrix", "spectrum", "log_odds"):
        assert result.plot(kind).data
    assert result.plot().layout.title.text == "Linearity"
    with pytest.raises(InputError, match="no kind 'nothing'; this has linearity, ") as caught:
        result.plot("nothing")
    assert "\n" not in str(caught.value)


def test_page_figures_and_folder(result: linrep.Result, tmp_path: Path) -> None:
    assert "not proven to be the limit" in result.page(tmp_path / "deep" / "page.html").read_text()
    assert {path.suffix for path in result.figures(tmp_path / "figures")} == {".pdf", ".svg", ".png"}
    folder = result.save(tmp_path / "runs")
    again = linrep.open(folder)
    assert torch.equal(again.unembedding, result.unembedding)
    assert again.summary == result.summary
    assert linrep.open(tmp_path / "runs").keys == (result.key,)
    with pytest.raises(InputError):
        result.page(tmp_path)


def test_what_theory_predicts_of_it(result: linrep.Result) -> None:
    assert result.predicted == linrep.predict("cancer", dim=5)
    held = linrep.run(result.config, runs=1, contexts={"held_out": 0.2}, training={"steps": 5})
    assert held.predicted is None
