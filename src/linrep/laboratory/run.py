"""Config to Result: the one place where worlds, training, ruler and store meet.

A run is deterministic: equal resolved configs give bit-equal tables and summaries on CPU at equal thread
counts, whether or not it was stopped and resumed on the way.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from linrep.errors import InputError
from linrep.laboratory.build import data_hash, resolve, worlds
from linrep.laboratory.ending import ending
from linrep.laboratory.machine import enough_memory, keep_freed_memory, require_device, threads
from linrep.laboratory.rate import rate_of
from linrep.laboratory.rising import rises
from linrep.laboratory.ruler import SPECTRUM, excess_loss
from linrep.laboratory.stage import stages_of
from linrep.laboratory.summary import summarise
from linrep.laboratory.trajectory import (
    DIRECTIONS,
    SAMPLE_LOSS,
    SNAPSHOTS,
    Progress,
    step_sizes,
    trajectory,
)
from linrep.laboratory.turning import turns
from linrep.population.sharding import ALONE, Team
from linrep.runs import folder as run_folder
from linrep.runs.config import Config
from linrep.runs.keys import run_key
from linrep.runs.provenance import provenance
from linrep.runs.result import Result
from linrep.runs.spectrum import Spectrum
from linrep.runs.store import Store
from linrep.runs.toml import load, parse
from linrep.runs.trace import trace_frame
from linrep.training.encoder import Table
from linrep.training.state import State, gathered
from linrep.worlds.contexts import World


def run(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    out: Path | str | None = None,
    force: bool = False,
    repair: bool = False,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Result:
    """:func:`linrep.run` without its keywords and its bar: what sweeps and claims train their runs by.

    Args:
        config: As there.
        out: As there.
        force: As there.
        repair: As there.
        progress: As there, a function.
        stop: As there.

    Raises:
        InputError: As there.
        DivergedError: As there.
        KeyboardInterrupt: As there.
    """
    result = run_shared(config, ALONE, out=out, force=force, repair=repair, progress=progress, stop=stop)
    assert result is not None, "alone is rank 0"
    return result


def run_shared(
    config: Config | Mapping[str, Any] | str | Path,
    team: Team,
    *,
    out: Path | str | None = None,
    force: bool = False,
    repair: bool = False,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Result | None:
    """:func:`run` on every rank of a team: each trains its part; rank 0 alone measures, reads and writes.

    A checkpoint has the whole, so another number of ranks may go on from it, to the same within rounding.

    Returns:
        On rank 0 what :func:`run` returns, None elsewhere.

    Raises:
        LostError: Another rank ended.
    """
    if isinstance(config, str | Path):
        config = load(config)
    elif not isinstance(config, Config):
        config = parse(config)
    require_device(config.compute.device)
    keep_freed_memory()
    if team.ranks > 1 and config.model.encoder != "table":
        raise InputError(
            f"model.encoder: expected 'table' with several processes, got {config.model.encoder!r}; start one"
        )
    if team.ranks > 1 and (config.model.start == "wide" or config.training.optimizer == "newton"):
        asked = "model.start = 'wide'" if config.model.start == "wide" else "training.optimizer = 'newton'"
        raise InputError(f"{asked}: needs the whole world in one process, got {team.ranks}; start one")
    if team.ranks > 1 and config.training.samples and config.training.optimizer != "sgd":
        raise InputError(
            "training.samples: expected optimizer 'sgd' with several processes, got "
            f"{config.training.optimizer!r}; start one"
        )
    if team.ranks > 1 and config.training.stream == "own":
        raise InputError(
            f"training.stream: 'own' needs one process, got {team.ranks}; start one, or leave it out"
        )
    built = worlds(config)
    config = resolve(config, built)
    key = run_key(config, data_hash(config))
    if out is None or team.rank:
        (found_by_rank_0,) = team.any(False)
        seen = None if team.rank else progress
        return None if found_by_rank_0 else _train_and_measure(config, key, built, team, None, seen, stop)
    store = Store(Path(out))

    def wanted() -> Path | None:
        folder = None if force else store.find(key)
        return None if folder is not None and repair and not run_folder.is_whole(folder) else folder

    found = wanted()
    if found is None:
        with store.claim(key) as partial:
            # Another process may have finished it between the look and the claim.
            found = wanted()
            if found is None:
                team.any(False)
                result = _train_and_measure(config, key, built, team, partial, progress, stop)
                assert result is not None, "rank 0 measures"
                return run_folder.write(store, result)
    team.any(True)
    return run_folder.read(found)


def _train_and_measure(
    config: Config,
    key: str,
    built: tuple[World, ...],
    team: Team,
    partial: Path | None,
    progress: Progress | None,
    stop: Callable[[], bool],
) -> Result | None:
    began, read = time.time(), data_hash(config)
    with threads(config.compute.threads), enough_memory():
        stages = stages_of(config, built, team)
        part, history = trajectory(config, stages, partial, progress, stop)
        last = stages[-1]
        loss = excess_loss(last.population, part, config.compute.method)
        # How it ended is a question about what it was trained on.
        end = ending(last.trained_on, part, config.compute.method)
        risen = rises(config, last.population, part)
        state = gathered(part, last.population.shard)
        if last.ruler is None or state is None:
            return None
        apart = None if last.apart is None else last.apart.summarise(last.ruler, state)
        summary = summarise(
            last.ruler,
            state,
            loss,
            key,
            step_sizes(config),
            config=config,
            slope=rate_of(config, history),
            ending=end,
            sample_loss=history.rows[-1].get(SAMPLE_LOSS),
            rises=risen,
            held_out=apart,
        )
    measured, steps = history.stacked(), history.steps
    snapshots, spectra = measured.pop(SNAPSHOTS), measured.pop(SPECTRUM, None)
    if config.shift is not None:
        measured |= turns(measured.pop(DIRECTIONS), steps, config.shift.step)
    return Result(
        key=key,
        config=config,
        worlds=last.worlds,
        embedding=_by_rows(state.embedding),
        unembedding=_by_rows(state.unembedding),
        parameters=_parameters(state),
        trace=trace_frame(measured, steps, built[0].model.names),
        snapshot_steps=tuple(steps),
        snapshots=snapshots,
        wide=history.wide,
        spectrum=None if spectra is None else Spectrum.of_looks(spectra),
        summary=summary,
        provenance=provenance(config, read, began, processes=team.ranks),
    )


def _by_rows(table: Tensor) -> Tensor:
    """A copy; training lays tables by columns, and ``contiguous()`` would leave those of one column so."""
    return table.detach().cpu().clone(memory_format=torch.contiguous_format)


def _parameters(state: State) -> dict[str, Tensor]:
    """The encoder's own, by name; a table's is the embedding, which is kept anyway."""
    if isinstance(state.encoder, Table):
        return {}
    return {name: each.cpu() for name, each in zip(state.encoder.shapes, state.parameters, strict=True)}
