"""The keys of a config by name: which there are, of which kind of table, and which one was meant."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from linrep.runs.config import Config
from linrep.runs.world_config import ContextsConfig, TokensConfig, WorldConfig

LEAST_ALIKE = 0.65
"""Of two keys, one of which may be meant by the other."""
LONGEST_KEY = 100
"""Characters; more is no misspelt name, and comparing takes time."""
UNIONS = {"world": WorldConfig, "contexts": ContextsConfig, "tokens": TokensConfig}
"""Tables with kinds."""


FIELD_WORDS = {
    "lr eta learning_rate stepsize": "training.step_size",
    "final_lr min_lr": "training.final_step_size",
    "lr_schedule lr_scheduler scheduler": "training.schedule",
    "epochs iterations iters niter num_steps n_steps max_steps updates": "training.steps",
    "bs batch batchsize minibatch": "training.batch_size",
    "opt optim optimiser": "training.optimizer",
    "n_samples num_samples dataset_size": "training.samples",
    "tol tolerance": "training.until_excess",
    "k width hidden hidden_size hidden_dim d_model n_embd embedding_dim dimension rank": "model.dim",
    "std sigma init init_std": "model.init_scale",
    "arch architecture": "model.encoder",
    "depth num_layers n_layers": "model.layers",
    "num_heads n_heads": "model.heads",
    "m n_concepts num_concepts": "world.concepts",
    "graph bif": "world.network",
    "p edge_prob": "world.edge_probability",
    "n_runs num_runs seeds num_seeds n_seeds repeats trials": "runs",
    "random_seed random_state rng": "seed",
    "precision": "compute.dtype",
    "gpu cuda": "compute.device",
    "num_threads n_threads cores": "compute.threads",
    "max_known": "contexts.at_most",
    "n_null": "measure.null_draws",
}
"""What a key is called elsewhere, and here."""
_MEANT = {word: key for words, key in FIELD_WORDS.items() for word in words.split()}


def kinds_of(table: str) -> dict[str, type[BaseModel]]:
    """The kinds of a table with kinds, and the model behind each."""
    models = get_args(get_args(UNIONS[table])[0])
    return {get_args(model.model_fields["kind"].annotation)[0]: model for model in models}


def kinds_with(location: Sequence[str]) -> list[str]:
    """The kinds of a table that have a key.

    Example:
        >>> kinds_with(["world", "network"]), kinds_with(["world", "colour"]), kinds_with(["seed"])
        (['network'], [], [])
    """
    if len(location) != 2 or location[0] not in UNIONS:
        return []
    return [kind for kind, model in kinds_of(location[0]).items() if location[1] in model.model_fields]


def did_you_mean(location: Sequence[str], kind: str | None) -> str:
    """The whole name of the key that an unknown one was most likely meant to be."""
    if len(".".join(location)) > LONGEST_KEY:
        return ""
    given = [*(part for part in location[:-1] if not part.isdigit()), location[-1]]
    # What a table's kind does not know is hardly meant for another table.
    names = list(every_key(kinds_of(given[0])[kind], f"{given[0]}.") if kind else every_key(Config))
    nearest = _MEANT.get(given[-1].lower().replace("-", "_"))
    if nearest not in names:
        alike = {name: _alike(given, name.split(".")) for name in names}
        nearest = max(alike, key=alike.__getitem__)
        if alike[nearest] < LEAST_ALIKE:
            return ""
    *table, last = nearest.split(".")
    if table == given[:-1]:  # with the places in lists that were given
        nearest = ".".join([*location[:-1], last])
    return f", did you mean {nearest!r}?"


def _alike(given: list[str], name: list[str]) -> float:
    """How alike two dotted keys are, from 0 to 1; their last parts count for half."""
    last = difflib.SequenceMatcher(None, given[-1], name[-1]).ratio()
    whole = difflib.SequenceMatcher(None, ".".join(given), ".".join(name)).ratio()
    return (last + whole) / 2


def every_key(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every dotted key below a table, of every kind where there are several."""
    for key, field in model.model_fields.items():
        yield prefix + key
        # A table, one that may be absent, or a list of them.
        tables: list[Any] = [field.annotation, *get_args(field.annotation)]
        for table in kinds_of(key).values() if not prefix and key in UNIONS else tables:
            if isinstance(table, type) and issubclass(table, BaseModel):
                yield from every_key(table, f"{prefix}{key}.")
