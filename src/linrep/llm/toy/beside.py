"""A saved toy model beside the same world's tables: one ruler, one width, one world, one excess loss."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from linrep.llm.loading import LanguageModel
from linrep.llm.toy.known import known
from linrep.llm.toy.make import Toy
from linrep.llm.toy.sweep import TABLE_STEPS, Trained, matched, measured_tables, measured_toy
from linrep.llm.toy.tokenizer import word_ids
from linrep.llm.toy.train import Encoder
from linrep.runs.row import NAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A toy model and tables of its width, trained on its world to its excess loss."""

    transformer: Trained
    tables: Trained
    entropy_nats: float
    """Of the world's next tokens: what no model can predict."""

    @property
    def matched(self) -> bool:
        """Whether the tables came to the transformer's excess loss: only then are the two compared."""
        return matched(self.transformer, self.tables)

    def json(self) -> dict[str, Any]:
        """Width, excess losses, whether they are equal, and one row for each model × measure × table."""
        columns = ("model", "measure", "table", "value", "low", "high", "null", "null_q95", "pairs")
        both = (self.transformer, self.tables)
        return {
            "width": self.tables.width,
            "concepts": self.tables.concepts,
            "excess_loss_nats": {each.model: each.excess_loss_nats for each in both},
            "matched": self.matched,
            "entropy_nats": self.entropy_nats,
            "rows": [{name: record[name] for name in columns} for each in both for record in each.records()],
        }


def beside_tables(folder: Path, lm: LanguageModel, *, table_steps: int = TABLE_STEPS) -> Beside | None:
    """The geometry of a toy model and of tables of its width trained on its world, both Euclidean.

    Args:
        folder: A toy model's.
        lm: The model in it.
        table_steps: Most SGD steps of the tables, which end at the transformer's excess loss.

    Returns:
        Both, measured; None if the folder holds no toy model.
    """
    found = known(folder)
    if found is None:
        return None
    spoken, settings, seed = found.language, found.settings, found.seed
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
        history=((settings.steps, NAN, found.truth["excess_loss_nats"]),),
    )
    width = int(lm.model.config.hidden_size)
    own = measured_toy(toy, seed=seed)
    return Beside(
        transformer=replace(own, width=width),
        tables=measured_tables(spoken.world, width, steps=table_steps, until=own.excess_loss_nats, seed=seed),
        entropy_nats=found.truth["entropy_nats"],
    )
