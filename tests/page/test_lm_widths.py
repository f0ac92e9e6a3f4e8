"""Transformers are laid beside tables that are as near the true probabilities, or beside none."""

from dataclasses import replace

from linrep.llm.toy import ToySettings, toy_language
from linrep.llm.toy.sweep import WidthSweep, matched, measured_tables
from linrep.page.lm.widths import render


def test_what_is_not_equally_near_is_not_compared() -> None:
    spoken = toy_language(3, "independent", seed=0).world
    far = measured_tables(spoken, 8, steps=5, until=0.01, seed=0)
    own = replace(far, model="transformer", excess_loss_nats=0.01)
    assert not matched(own, far)
    sweep = WidthSweep(settings=ToySettings(concepts=3), seed=0, runs=1, widths=(8,), trained=(own, far))
    text = render(sweep)
    assert "Transformers and tables are not compared" in text
    assert "more linear than tables" not in text
    assert "in tables" not in text.partition("<title>")[2].partition("</title>")[0]
    near = replace(sweep, trained=(own, replace(far, excess_loss_nats=0.0105)))
    assert "equal excess loss: transformers are more linear than tables" in render(near)
    assert "of equal excess loss" in render(near).partition("<title>")[2].partition("</title>")[0]
