"""The page of the laboratory: one HTML document, everything inside, nothing asked for but its connection."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from linrep.explore.setting import LARGEST_WISH, MOST_CONCEPTS
from linrep.explore.stories import all_stories
from linrep.geometry.record import MEAN_DIRECTIONS
from linrep.page import palette
from linrep.worlds.network_file import NETWORKS

SCRIPTS = (
    "wire.js",
    "solid.js",
    "figure.js",
    "chart.js",
    "words.js",
    "graph.js",
    "concept.js",
    "form.js",
    "live.js",
)
CHARTS: tuple[dict[str, Any], ...] = (
    {
        "id": "linearity",
        "title": "Linearity",
        "cosine": True,
        "lines": [
            {"name": "linearity.unembedding", "label": "Linearity of g", "ink": "--unembedding"},
            {"name": "linearity.embedding", "label": "Linearity of f", "ink": "--embedding"},
        ],
    },
    {
        "id": "alignment",
        "title": "Alignment",
        "cosine": True,
        "lines": [{"name": "alignment", "label": "Alignment", "ink": "--both"}],
    },
    {
        "id": "overlap",
        "title": "Overlap",
        "most": 1,
        "lines": [{"name": f"{MEAN_DIRECTIONS}.unembedding", "label": "Overlap", "ink": "--unembedding"}],
    },
    {
        "id": "odds",
        "title": "Log-odds gap",
        "lines": [{"name": "log_odds_gap_nats", "label": "Log-odds gap", "ink": "--both"}],
    },
    {
        "id": "excess",
        "title": "Excess loss",
        "log": True,
        "price": True,
        "lines": [{"name": "excess_loss_nats", "label": "Excess loss", "ink": "--both"}],
    },
)
"""What stands on the right; names are those of :data:`linrep.explore.measures.CURVES`."""


def page(first: Mapping[str, Any], *, nonce: str) -> str:
    """The document.

    Args:
        first: The config it opens with.
        nonce: Of this answer, which its policy lets run.
    """
    from jinja2 import Environment, StrictUndefined

    data = {
        "first": first,
        "networks": list(NETWORKS),
        "largest": LARGEST_WISH,
        "charts": CHARTS,
        "stories": [story.model_dump(mode="json") for story in all_stories()],
    }
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_asset("explore", "explore.html")).render(
        nonce=nonce,
        colours=palette.custom_properties(),
        css=_asset("page", "page.css") + _asset("explore", "explore.css"),
        js="".join(_asset("explore", name) for name in SCRIPTS),
        data=_inside(data),
        charts=CHARTS,
        stories=all_stories(),
        most=MOST_CONCEPTS,
    )


def _inside(data: Any) -> str:
    """JSON that may stand inside a script element, every digit kept: a run's key has them."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _asset(room: str, name: str) -> str:
    return files(f"linrep.{room}").joinpath(name).read_text(encoding="utf-8")
