"""Downloads of the Hub's checkpoints: what was fetched for a measurement alone is deleted after it."""

from pathlib import Path

from linrep.files import one_line_errors
from linrep.llm.source import Source


def at_hand(source: Source) -> bool:
    """Whether the weights of a revision lie in the Hub's local cache."""
    snapshot = _snapshot(source)
    return snapshot is not None and any(snapshot.glob("*.safetensors"))


def begin(source: Source, mark: Path) -> None:
    """Remember, before anything is fetched, that it was not there: also for whoever goes on after a kill."""
    if source.folder is None and not at_hand(source):
        with one_line_errors(mark.parent):
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()


def end(source: Source, mark: Path, *, keep: bool) -> None:
    """Delete what was fetched, unless it is to be kept; what was there before is the user's, and stays."""
    if not mark.exists():
        return
    if not keep:
        forget(source)
    mark.unlink(missing_ok=True)


def forget(source: Source) -> None:
    """Delete one revision from the Hub's local cache; files that it shares with another stay."""
    snapshot = _snapshot(source)
    if snapshot is None or not snapshot.is_dir():
        return
    from huggingface_hub import constants, scan_cache_dir

    scan_cache_dir(constants.HF_HUB_CACHE).delete_revisions(snapshot.name).execute()


def _snapshot(source: Source) -> Path | None:
    if source.folder is not None or source.revision is None:
        return None
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = repo_folder_name(repo_id=source.name, repo_type="model")
    return Path(constants.HF_HUB_CACHE) / folder / "snapshots" / source.revision
