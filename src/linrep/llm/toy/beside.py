"""A saved toy model beside the same world's tables: one ruler, one width, one world."""

from pathlib import Path
from typing import Any

from linrep.errors import InputError
from linrep.llm.loading import LanguageModel
from linrep.llm.toy.make import Toy, ToySettings, toy_language
from linrep.llm.toy.save import WORLD, read_world
from linrep.llm.toy.sweep import TABLE_STEPS, measured_rows, table_geometry, toy_geometry
from linrep.llm.toy.tokenizer import word_ids
from linrep.llm.toy.train import Encoder
from linrep.worlds.contexts import world as world_of


def beside_tables(
    folder: Path, lm: LanguageModel, *, table_steps: int = TABLE_STEPS
) -> dict[str, Any] | None:
    """The geometry of a toy model and of tables of its width trained on its world, both Euclidean.

    Args:
        folder: A toy model's.
        lm: The model in it.
        table_steps: SGD steps of the tables.

    Returns:
        Width, excess losses and one row for each model × measure × table; None if the folder holds no toy
        model.
    """
    if not (folder / WORLD).is_file():
        return None
    try:
        model, truth = read_world(folder)
        settings, seed = ToySettings(**truth["settings"]), int(truth["seed"])
    except (InputError, KeyError, TypeError, ValueError):
        return None  # a file of that name, but not ours
    spoken = toy_language(settings.concepts, settings.world, facts=settings.facts, seed=seed)
    toy = Toy(
        settings=settings,
        seed=seed,
        model=lm.model,
        tokenizer=lm.tokenizer,
        language=spoken,
        encoder=Encoder(
            spoken,
            word_ids(spoken, lm.tokenizer),
            start=lm.tokenizer.bos_token_id,
            pad=lm.tokenizer.pad_token_id,
        ),
        history=(),
    )
    width = int(lm.model.config.hidden_size)
    tables, excess = table_geometry(world_of(model), width, steps=table_steps, seed=seed)
    rows = [
        {"model": kind, **row}
        for kind, found in (("transformer", toy_geometry(toy, seed=seed)), ("tables", tables))
        for row in measured_rows(found)
    ]
    return {
        "width": width,
        "concepts": settings.concepts,
        "excess_loss_nats": {"transformer": truth["excess_loss_nats"], "tables": excess},
        "entropy_nats": truth["entropy_nats"],
        "rows": rows,
    }
