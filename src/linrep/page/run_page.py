"""The page of one run: which figures, in which order, with which words."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import linrep
from linrep.errors import many
from linrep.page import (
    concept_table,
    cube,
    ended,
    graph,
    growth,
    heatmaps,
    held_out,
    odds,
    prediction,
    recipe,
    spectrum,
    traces,
    verdict,
)
from linrep.page.numbers import count
from linrep.page.shell import Page, Section
from linrep.page.view import View

CHANGES = "A concept of more than two states has a direction for every two of them; its numbers are means."


def page(view: View) -> Page:
    """All that the page of a run says."""
    return Page(
        title=verdict.title(view),
        kicker=_kicker(view),
        hero=cube.block(view),
        facts=facts(view),
        brief=_brief(view),
        lines=verdict.lines(view),
        thresholds=verdict.thresholds(view),
        sections=[section for section in _sections(view) if section.blocks or section.intro],
        footer=f"linrep {linrep.__version__}. f(d) is the embedding of a context, g(c) the unembedding of a "
        "token; their product is the logit. Losses and log-odds are in nats, similarities are cosines.",
    )


def _kicker(view: View) -> str:
    training: dict[str, Any] = dict(view.config.get("training") or {})
    name = {
        "gd": "gradient descent",
        "sgd": "stochastic gradient descent",
        "adam": "Adam",
        "newton": "Newton's method",
    }
    optimizer = name.get(str(training.get("optimizer")), "training")
    return f"A next-token predictor trained by {optimizer}"


def _start(model: dict[str, Any]) -> str:
    """How tables began that did not begin at random."""
    best = f", the best of {model['starts']}" if model.get("starts", 1) > 1 else ""
    return f"wide: monotone descent at twice the width, cut to {model.get('dim')}{best}"


def _step_size(training: dict[str, Any]) -> str:
    size = training.get("step_size")
    if training.get("optimizer") == "newton":
        return f"a whole Newton step, damped where needed; ridge falling to {training['ridge']:g} at most"
    if size == "auto":
        return "auto: each run's own, grown and halved so that its loss never rises"
    rate = f"{size or 0:g}, {training.get('schedule', 'constant')}"
    final = training.get("final_step_size")
    return rate if final is None else f"{rate} to {final:g}"


def facts(view: View) -> list[tuple[str, str]]:
    """What was trained."""
    counts, training = view.summary.counts, view.config.get("training") or {}
    model = view.config.get("model") or {}
    batch = f", batches of {training['batch_size']}" if training.get("batch_size") else ""
    batch += f" from {count(int(training['samples']))} sampled pairs" if training.get("samples") else ""
    return [
        ("Concepts", f"{len(view.names)}: {', '.join(view.names)}"),
        *([] if view.binary else [("States of each", ", ".join(str(len(s)) for s in view.states))]),
        ("Contexts in use", _range(counts.contexts, counts.contexts_range)),
        ("Tokens", _range(counts.tokens, counts.tokens_range)),
        ("Dimension k", str(model.get("dim", view.snapshots.shape[-1]))),
        *([("Encoder f", _encoder(model))] if model.get("encoder", "table") != "table" else []),
        ("Training", f"{training.get('optimizer', '')}, {many(view.summary.final.step, 'step')}{batch}"),
        *([] if model.get("start", "normal") == "normal" else [("Start", _start(model))]),
        ("Step size", _step_size(training)),
        ("Runs", f"{view.runs}, seed {view.config.get('seed', 0)}"),
        ("Run", view.summary.run),
    ]


def _encoder(model: Mapping[str, Any]) -> str:
    heads = f", {model['heads']} heads" if model.get("heads") else ""
    return f"{model['encoder']}, width {model['width']}, {model['layers']} layers{heads}"


def _range(size: int, ends: tuple[int, int] | None) -> str:
    return " to ".join(count(end) for end in ends or (size,))


def _whose(view: View) -> list[str]:
    """A word of warning where figures are over runs that ended differently."""
    many = f"The figures here are over all {view.headline.of} runs, however they ended."
    return [many] if view.headline.mixed else []


def _sections(view: View) -> list[Section]:
    """What is looked at first stands open; the rest of it one tap away."""
    main, rest = traces.blocks(view)
    rest += growth.blocks(view)
    first, others = heatmaps.blocks(view)
    scatter = odds.block(view)
    fit = [heatmaps.alignment(view), spectrum.block(view), *prediction.blocks(view)]
    whose = [text for text in [spectrum.absence(view), *_whose(view)] if text]
    return [
        Section(
            id="training",
            title="Training",
            intro=prediction.sentence(view),
            blocks=main,
            more=rest,
            more_title=f"More traces: {', '.join(block.title.lower() for block in rest)}",
        ),
        Section(
            id="directions",
            title="Directions and log-odds",
            short="Directions",
            intro=[*([] if view.binary else [CHANGES]), *whose],
            blocks=[first, *([] if scatter is None else [scatter])],
            more=[*others, *(replace(each, size="half") for each in fit if each is not None)],
            more_title="More of both tables: every overlap, alignment, spectrum, singular values",
        ),
        Section(
            id="held-out-contexts", title="Held-out contexts", short="Held out", blocks=held_out.blocks(view)
        ),
        Section(
            id="numbers",
            title="Numbers",
            blocks=[*concept_table.blocks(view), *ended.blocks(view)],
            folded=True,
        ),
        Section(id="world", title="The world", short="World", blocks=[graph.block(view)], folded=True),
        Section(
            id="again",
            title="Config and citation",
            short="Config",
            blocks=recipe.blocks(view),
            folded=True,
        ),
    ]


def _brief(view: View) -> str:
    """What was trained, in a line."""
    given = dict(facts(view))
    counts = view.summary.counts
    contexts, tokens = (
        many(most, what) if extent is None else f"{given[fact]} {what}s"
        for what, fact, most, extent in (
            ("context", "Contexts in use", counts.contexts, counts.contexts_range),
            ("token", "Tokens", counts.tokens, counts.tokens_range),
        )
    )
    sizes = f"{many(len(view.names), 'concept')}, {contexts}, {tokens}"
    return f"{sizes}, dimension {given['Dimension k']}; {given['Training']}; {many(view.runs, 'run')}"
