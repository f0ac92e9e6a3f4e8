"""A language model whose concepts we know, to try the ruler on.

A small language about a world, a small transformer trained on it, and the truth saved beside both.

Importing this loads neither transformers nor pandas.
"""

from linrep.llm.toy.make import Toy, ToyReport, ToySettings, WorldKind, make_toy, toy_language, train_toy
from linrep.llm.toy.save import read_world
from linrep.llm.toy.sweep import WidthSweep, toy_geometry, width_sweep

__all__ = [
    "Toy",
    "ToyReport",
    "ToySettings",
    "WidthSweep",
    "WorldKind",
    "make_toy",
    "read_world",
    "toy_geometry",
    "toy_language",
    "train_toy",
    "width_sweep",
]
