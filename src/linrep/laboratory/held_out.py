"""The ruler laid apart on the contexts of training and on those held out of it.

Each part is a world of its own: its log-odds are asked in its contexts alone, and its steering vectors have
*both* ends there. A vector with one trained end would lend a table part of a direction, though it knows
nothing of the other end. Few held-out contexts make few such vectors: every similarity says how many.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from linrep.geometry.record import Similarity, Spread
from linrep.geometry.recording import spread_record
from linrep.laboratory.ruler import FINAL_CONTEXTS, SNAPSHOT_CONTEXTS, BatchRuler, absent_where_dead
from linrep.laboratory.summary import log_odds_record
from linrep.population.gradient import Population, population_gradient
from linrep.runs.config import Config
from linrep.runs.summary import PARTS, LogOdds, PartName, held_out_measure
from linrep.runs.summary import HeldOut as HeldOutRecord
from linrep.runs.trace import Series
from linrep.seeds import generator
from linrep.training.state import State
from linrep.worlds.contexts import World, part

MEASURES = (("linearity", "embedding"), ("alignment", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some contexts of every run."""

    ruler: BatchRuler
    population: Population
    rows: Int64[Tensor, "runs most"]
    """Where they stand in the embedding; narrower runs are padded with row 0."""

    def of(self, embedding: Float[Tensor, "runs contexts dim"]) -> Float[Tensor, "runs most dim"]:
        """Their rows of the embedding."""
        return embedding.gather(1, self.rows[..., None].expand(-1, -1, embedding.shape[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What is said of a part."""

    excess_loss_nats: Spread
    log_odds_gap_nats: LogOdds | None
    linearity: Similarity
    alignment: Similarity


class HeldOut:
    """Both parts of a batch of worlds, ready to be measured.

    Args:
        worlds: One per run, all with contexts held out.
        config: Of the experiment.
        device: Where the tables lie.
    """

    def __init__(
        self, worlds: Sequence[World], config: Config, *, device: torch.device | str = "cpu"
    ) -> None:
        self.config = config
        self.parts: dict[PartName, Part] = {
            "training": _part(worlds, [~world.held_out for world in worlds], config, device),
            "held_out": _part(worlds, [world.held_out for world in worlds], config, device),
        }

    def observe(self, ruler: BatchRuler, state: State) -> dict[Series, Tensor]:
        """Both parts at one step, as :meth:`linrep.laboratory.ruler.Ruler.observe` gives the whole.

        Names say the part, as in the summary; the excess loss of the held-out part weighs its contexts
        equally.
        """
        embedding, unembedding = ruler.tables(state)
        found: dict[Series, Tensor] = {}
        for name in PARTS:
            part = self.parts[name]
            own = part.of(embedding)
            draw = generator(self.config.seed, f"null {name}", state.step)
            seen = part.ruler.snapshot(own, unembedding, draw)
            odds = part.ruler.log_odds(own, unembedding, contexts=SNAPSHOT_CONTEXTS, points=0)
            seen = {series: seen[series] for series in seen if series[:2] in MEASURES} | {
                Series("log_odds_gap_nats"): odds.rmse,
                Series("log_odds_gap_nats", kind="null"): odds.rmse_of_zero,
                Series("excess_loss_nats"): _excess_loss(part, own, unembedding),
            }
            found |= {
                series._replace(measure=held_out_measure(series.measure, name)): each
                for series, each in seen.items()
            }
        return absent_where_dead(found, state.alive.cpu())

    def summarise(self, ruler: BatchRuler, state: State) -> HeldOutRecord:
        """Both parts of the final state in full."""
        embedding, unembedding = ruler.tables(state)
        parts = {name: self._summarise(name, embedding, unembedding, state.alive.cpu()) for name in PARTS}
        return HeldOutRecord(
            contexts={name: int(self.parts[name].ruler.context_rows.max()) for name in PARTS},
            excess_loss_nats={name: parts[name].excess_loss_nats for name in PARTS},
            log_odds_gap_nats={name: parts[name].log_odds_gap_nats for name in PARTS},
            linearity={name: parts[name].linearity for name in PARTS},
            alignment={name: parts[name].alignment for name in PARTS},
        )

    def _summarise(self, name: PartName, embedding: Tensor, unembedding: Tensor, alive: Tensor) -> _Measured:
        part = self.parts[name]
        own = part.of(embedding)
        similar = part.ruler.measure(own, unembedding, generator(self.config.seed, f"bootstrap {name}"))
        assert similar.alignment is not None, "both tables were measured"
        odds = part.ruler.log_odds(own, unembedding, contexts=FINAL_CONTEXTS, points=0)
        loss = _excess_loss(part, own, unembedding)
        return _Measured(
            excess_loss_nats=spread_record(loss.where(alive, torch.nan)),
            log_odds_gap_nats=log_odds_record(odds, odds.rmse.where(alive, torch.nan), alive),
            linearity=similar.linearity["embedding"],
            alignment=similar.alignment,
        )


def _part(
    worlds: Sequence[World],
    chosen: Sequence[Bool[Tensor, " _"]],
    config: Config,
    device: torch.device | str,
) -> Part:
    parts = [part(world, rows) for world, rows in zip(worlds, chosen, strict=True)]
    rows = [each.nonzero()[:, 0] for each in chosen]
    return Part(
        ruler=BatchRuler(parts, seed=config.seed, settings=config.measure, device=device),
        population=Population.of(parts, device=device),
        rows=torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device),
    )


def _excess_loss(part: Part, embedding: Tensor, unembedding: Tensor) -> Float64[Tensor, " runs"]:
    return population_gradient(part.population, embedding, unembedding).excess_loss.cpu()
