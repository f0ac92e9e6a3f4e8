"""``linrep.run`` and ``linrep.predict``: an experiment from a file, plain data or a world in memory.

Nothing heavy is imported before one of them is called.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linrep.runs.config import Config
    from linrep.runs.result import Result
    from linrep.theory.prediction import Prediction
    from linrep.worlds.concepts import ConceptModel
    from linrep.worlds.truth import World

Progress = Callable[[int, int, float], None]
"""Called with steps done, steps in all, and the mean excess loss last measured, in nats."""


def run(
    config: "Config | Mapping[str, Any] | str | Path | None" = None,
    *,
    world: "ConceptModel | World | Mapping[str, Any] | str | Path | None" = None,
    dim: int | None = None,
    out: Path | str | None = None,
    force: bool = False,
    repair: bool = False,
    progress: bool | Progress | None = True,
    stop: Callable[[], bool] = lambda: False,
    **tables: Any,
) -> "Result":
    """The whole path: concept model, contexts, training, geometry.

    Args:
        config: A checked config, plain data, or the path of a TOML file; None to say everything by keyword.
        world: Instead of the config's: a concept model or a world in memory, the name of a
            published network or the path of a BIF file, or plain data as in a config.
        dim: Instead of ``model.dim``: the width k of both tables.
        out: Folder of runs. There a finished run is found again, and an interrupted one goes on; without it
            nothing is written.
        force: Train again even if the run is there.
        repair: Train again if the run that is there cannot be read. It stays until the new one replaces it.
        progress: Whether to show a bar, in a terminal or a notebook; or a function of (steps done, steps in
            all, excess loss in nats), called as training goes on.
        stop: Asked between steps; when true the run is left resumable and KeyboardInterrupt is raised.
        **tables: Any other part of a config, over what the config says: ``seed=1``, ``runs=5``,
            ``training={"steps": 500}``, ``contexts={"kind": "known", "at_most": 2}``.

    Returns:
        Tables, trace and summary. Runs that diverged are named in ``summary.diverged``.

    Raises:
        InputError: Whatever in the config cannot be used.
        DivergedError: When every run diverged; names the step and the step size.
        KeyboardInterrupt: When stopped.

    Example:
        >>> import linrep
        >>> result = linrep.run(world="cancer", dim=5, runs=2, training={"steps": 10})
        >>> result.unembedding.shape
        torch.Size([2, 32, 5])
    """
    from linrep.laboratory import run as laboratory
    from linrep.laboratory.given import checked
    from linrep.progress import progress_bar

    whole = checked(config, world=world, dim=dim, **tables)
    if isinstance(progress, bool):
        with progress_bar("training", quiet=not progress) as advance:
            return laboratory.run(whole, out=out, force=force, repair=repair, progress=advance, stop=stop)
    return laboratory.run(whole, out=out, force=force, repair=repair, progress=progress, stop=stop)


def predict(
    world: "Config | ConceptModel | World | Mapping[str, Any] | str | Path", *, dim: int | None = None
) -> "Prediction":
    """What theory says the tables of a world become: the limit geometry, with a certificate.

    Args:
        world: A world or a concept model in memory, the name of a published network or the path of a BIF
            file; or a config (checked, plain data with a ``world``, or the path of a TOML file): its world,
            contexts, tokens and width.
        dim: Width k of the tables, instead of the config's; for a world alone, None is wide enough.

    Returns:
        The prediction; ``status`` says what is known, and what is not is None.

    Raises:
        InputError: A world that cannot be built, or a program too large, with its size.

    Example:
        >>> import linrep
        >>> asked = linrep.predict("cancer", dim=5)
        >>> asked.status, asked.geometry.linearity_unembedding
        ('additive_not_proven_optimal', 1.0)

    References:
        Theory claim C6.
    """
    from linrep.laboratory.comparison import for_config
    from linrep.laboratory.given import checked, is_config, world_of
    from linrep.theory.limits import predict_world

    if is_config(world):
        return for_config(checked(world), dim)
    return predict_world(world_of(world), dim)
