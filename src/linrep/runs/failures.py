"""Why a run failed, kept beside the runs until it succeeds: ``<root>/.failed/<key>.json``."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from linrep.errors import InputError
from linrep.files import one_line_errors, write_file
from linrep.runs.store import holds_run, read_json

FAILED = ".failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A run that could not be finished."""

    key: str
    label: str
    """What was asked for, in words."""
    error: str
    """One line."""
    final: bool
    """Whether trying again must end the same way: training is deterministic, what diverged diverges again."""


def keep(root: Path, failure: Failure) -> None:
    """Write a failure down, over an earlier one of the same run.

    Raises:
        InputError: The folder cannot be written.
    """
    with one_line_errors(root):
        (root / FAILED).mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(failure), indent=1, ensure_ascii=False)
        write_file(_path(root, failure.key), (text + "\n").encode())


def forget(root: Path, key: str) -> None:
    """Strike a failure out, if there is one: the run succeeded."""
    path = _path(root, key)
    if path.exists():
        with one_line_errors(root):
            path.unlink(missing_ok=True)


def find(root: Path, key: str) -> Failure | None:
    """What is known of a run's failure; a record that cannot be read is as good as none."""
    path = _path(root, key)
    if not path.exists():
        return None
    try:
        fields = read_json(path)
        return Failure(
            key=key, label=str(fields["label"]), error=str(fields["error"]), final=bool(fields["final"])
        )
    except (InputError, KeyError):
        return None


def kept(root: Path) -> list[Failure]:
    """Every failure of a run that has not been finished since, by key.

    Example:
        >>> kept(Path("nowhere"))
        []
    """
    found = (find(root, path.stem) for path in sorted((root / FAILED).glob("*.json")))
    return [each for each in found if each is not None and not holds_run(root / each.key)]


def _path(root: Path, key: str) -> Path:
    return root / FAILED / f"{key}.json"
