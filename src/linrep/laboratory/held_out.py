"""The ruler laid apart on the contexts of training and on those held out of it.

Each part is a world of its own: its log-odds are asked in its contexts alone, and its steering vectors have
*both* ends there. A vector with one trained end would lend a table part of a direction, though it knows
nothing of the other end. Few held-out contexts make few such vectors: every similarity says how many.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from linrep import geometry
from linrep.laboratory.ruler import FINAL_CONTEXTS, SNAPSHOT_CONTEXTS, Ruler, absent_where_dead
from linrep.laboratory.summary import log_odds_record, spread_record
from linrep.population.gradient import Population, population_gradient
from linrep.runs.config import Config
from linrep.seeds import generator
from linrep.training.state import State
from linrep.worlds.contexts import World, part

PartName = Literal["training", "held_out"]
PARTS: tuple[PartName, ...] = ("training", "held_out")
MEASURES = (("linearity", "embedding"), ("alignment", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some contexts of every run."""

    ruler: Ruler
    rows: Int64[Tensor, "runs most"]
    """Where they stand in the embedding; narrower runs are padded with row 0."""

    def of(self, embedding: Float[Tensor, "runs contexts dim"]) -> Float[Tensor, "runs most dim"]:
        """Their rows of the embedding."""
        return embedding.gather(1, self.rows[..., None].expand(-1, -1, embedding.shape[2]))


class HeldOut:
    """Both parts of a batch of worlds, ready to be measured.

    Args:
        worlds: One per run, all with contexts held out.
        config: Of the experiment.
    """

    def __init__(self, worlds: Sequence[World], config: Config) -> None:
        self.config = config
        self.parts: dict[PartName, Part] = {
            "training": _part(worlds, [~world.held_out for world in worlds], config),
            "held_out": _part(worlds, [world.held_out for world in worlds], config),
        }

    def observe(self, ruler: Ruler, state: State) -> dict[str, Tensor]:
        """Both parts at one step, as :meth:`linrep.laboratory.ruler.Ruler.observe` gives the whole.

        Names are prefixed by the part; the excess loss of the held-out part weighs its contexts equally.
        """
        embedding, unembedding = ruler.tables(state)
        found: dict[str, Tensor] = {}
        for name in PARTS:
            part = self.parts[name]
            own = part.of(embedding)
            values, null = geometry.snapshot(
                own,
                unembedding,
                part.ruler.embedding_pairs,
                part.ruler.unembedding_pairs,
                generator=generator(self.config.seed, f"null {name}", state.step),
                context_rows=part.ruler.context_rows,
                token_rows=part.ruler.token_rows,
                concept_of=part.ruler.concept_of,
            )
            for kind, source in (("value", values), ("null", null)):
                for measure, table in MEASURES:
                    found[f"{name}_{measure}|{table}|{kind}"] = source.concepts[measure, table]
            odds = part.ruler.log_odds(own, unembedding, contexts=SNAPSHOT_CONTEXTS, points=0)
            found[f"{name}_log_odds_rmse_nats||value"] = odds.rmse
            found[f"{name}_log_odds_rmse_nats||null"] = odds.rmse_of_zero
            found[f"{name}_excess_loss_nats||value"] = _excess_loss(part, own, unembedding)
        return absent_where_dead(found, state.alive.cpu())

    def summarise(self, ruler: Ruler, state: State) -> dict[str, Any]:
        """Both parts of the final state in full, as plain data: for each measure, by part."""
        embedding, unembedding = ruler.tables(state)
        alive = state.alive.cpu()
        found: dict[str, dict[str, Any]] = {
            name: {}
            for name in ("contexts", "excess_loss_nats", "log_odds_gap_nats", "linearity", "alignment")
        }
        for name in PARTS:
            part = self.parts[name]
            own = part.of(embedding)
            similar = geometry.measure(
                own,
                unembedding,
                part.ruler.embedding_pairs,
                part.ruler.unembedding_pairs,
                generator=generator(self.config.seed, f"bootstrap {name}"),
                context_rows=part.ruler.context_rows,
                token_rows=part.ruler.token_rows,
                concept_of=part.ruler.concept_of,
                draws=self.config.measure.null_draws,
            )
            assert similar.alignment is not None, "both tables were measured"
            odds = part.ruler.log_odds(own, unembedding, contexts=FINAL_CONTEXTS, points=0)
            loss = _excess_loss(part, own, unembedding).where(alive, torch.nan)
            found["contexts"][name] = int(part.ruler.context_rows.max())
            found["excess_loss_nats"][name] = spread_record(loss)
            found["log_odds_gap_nats"][name] = log_odds_record(odds, odds.rmse.where(alive, torch.nan), alive)
            found["linearity"][name] = similar.linearity["embedding"].as_dict(ruler.names)
            found["alignment"][name] = similar.alignment.as_dict(ruler.names)
        return found


def _part(worlds: Sequence[World], chosen: Sequence[Bool[Tensor, " contexts"]], config: Config) -> Part:
    parts = [part(world, rows) for world, rows in zip(worlds, chosen, strict=True)]
    rows = [each.nonzero()[:, 0] for each in chosen]
    return Part(
        ruler=Ruler(parts, Population.of(parts), config),
        rows=torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
    )


def _excess_loss(part: Part, embedding: Tensor, unembedding: Tensor) -> Float64[Tensor, " runs"]:
    return population_gradient(part.ruler.population, embedding, unembedding).excess_loss
