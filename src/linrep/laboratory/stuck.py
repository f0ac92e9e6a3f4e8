"""Free and stuck runs apart: a median over both kinds would describe neither."""

from jaxtyping import Bool, Float64
from torch import Tensor

from linrep import geometry
from linrep.geometry.record import MEAN_DIRECTIONS
from linrep.geometry.recording import numbers
from linrep.runs.summary import Medians, Stuck


def stuck_record(
    found: geometry.Measurement,
    loss: Float64[Tensor, " runs"],
    odds: Float64[Tensor, " runs"],
    alive: Bool[Tensor, " runs"],
    threshold: float,
) -> Stuck:
    """Which runs are stuck, and the medians of both kinds.

    Args:
        found: On both tables.
        loss: Excess loss in nats.
        odds: RMSE of the log-odds in nats.
        alive: Which runs did not diverge.
        threshold: In nats; a run is free whose excess loss is below it.
    """
    stuck = ~(loss < threshold) & alive

    def medians(chosen: Tensor) -> Medians:
        def median(per_run: Tensor) -> float | None:
            return numbers(per_run[chosen].nanmedian()[None])[0] if bool(chosen.any()) else None

        return Medians(
            runs=int(chosen.sum()),
            linearity_embedding=median(found.values.per_run(("linearity", "embedding"))),
            linearity_unembedding=median(found.values.per_run(("linearity", "unembedding"))),
            alignment=median(found.values.per_run(("alignment", ""))),
            orthogonality_unembedding=median(found.values.per_run((MEAN_DIRECTIONS, "unembedding"))),
            excess_loss_nats=median(loss),
            log_odds_rmse_nats=median(odds),
        )

    return Stuck(
        share=int(stuck.sum()) / int(alive.sum()),
        criterion=f"excess loss >= {threshold:g} nats",
        per_run=tuple(bool(each) if lives else None for each, lives in zip(stuck, alive, strict=True)),
        free_runs=medians(alive & ~stuck),
        stuck_runs=medians(stuck),
    )
