"""Shapes are checked in every test: beartype enforces the jaxtyping annotations of the package."""

import os

# Ranks are forked, which hangs once threads of OpenMP have run; the others change what is printed or run.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("RANK", None)
os.environ.pop("WORLD_SIZE", None)
os.environ.pop("COLUMNS", None)
os.environ.pop("MPLBACKEND", None)
# What a notebook or a CI sets to have colours where there is no terminal.
os.environ.pop("FORCE_COLOR", None)
os.environ.pop("PY_COLORS", None)
os.environ.pop("GITHUB_ACTIONS", None)
os.environ.pop("TTY_COMPATIBLE", None)
os.environ.pop("TTY_INTERACTIVE", None)
# Before any test imports the profiler, which else speaks on stderr.
os.environ["KINETO_LOG_LEVEL"] = "99"

import torch

# Where there is no card its kernels are run by their interpreter.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

from tests.support.chromium import chromium as chromium

# A machine that stalls is no failure.
settings.register_profile("linrep", deadline=None)
settings.load_profile("linrep")
install_import_hook("linrep", "beartype.beartype")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own to work in: commands write where they are called unless told otherwise."""
    monkeypatch.chdir(tmp_path)
