r"""In which gauge the cosines of a run are read, and both readings.

(F A, G A^{-T}) has the same logits, hence the same loss, and other cosines. Gradient flow with one step size
for both tables conserves :math:`F^\top F - G^\top G` (theory, C5), so that gd, and sgd, which moves a sampled
part of the same gradient, stay by the balanced gauge of a small start, and newton comes to rest in it. What
they leave is read as it lies. Adam scales every number of the gradient by itself, and a network moves F by
way of its parameters: neither conserves anything of the kind, and where they stop is one gauge among many.
Their tables are turned to the balanced one, :math:`F^\top F = G^\top G` with G centred, before they are read.
"""

from linrep.geometry.record import MEAN_DIRECTIONS, TABLES
from linrep.geometry.recording import spread_record
from linrep.geometry.values import Values
from linrep.laboratory.ruler import BatchRuler
from linrep.runs.config import Config
from linrep.runs.summary import Cosines, Gauge
from linrep.training.state import State


def keeps_gauge(config: Config) -> bool:
    """Whether training conserves the balance of both tables.

    Example:
        >>> world = {"kind": "chain", "concepts": 2}
        >>> adam = {"optimizer": "adam"}
        >>> keeps_gauge(Config(world=world)), keeps_gauge(Config(world=world, training=adam))
        (True, False)
    """
    return config.training.optimizer != "adam" and config.model.encoder == "table"


def gauge_record(ruler: BatchRuler, state: State) -> Gauge:
    """Both readings of a trained state.

    Args:
        ruler: Prepared for the worlds.
        state: With all its contexts.
    """
    as_trained = ruler.as_trained(state)
    lies, turned = (ruler.cosines(*tables) for tables in (as_trained, ruler.turned(*as_trained)))
    return Gauge(
        read="balanced" if ruler.balanced else "as trained",
        as_trained=_cosines(lies),
        balanced=_cosines(turned),
    )


def _cosines(values: Values) -> Cosines:
    return Cosines(
        linearity={table: spread_record(values.per_run(("linearity", table))) for table in TABLES},
        alignment=spread_record(values.per_run(("alignment", ""))),
        orthogonality={table: spread_record(values.per_run((MEAN_DIRECTIONS, table))) for table in TABLES},
    )
