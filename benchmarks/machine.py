"""What a number was measured on: part of every row, for a time without its machine says nothing."""

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.records import Row
from linrep.laboratory.machine import processor

COLUMNS = (
    *("processor", "cores", "threads", "device"),
    *("torch_version", "jax_version", "python", "commit", "load", "date"),
)


def description(device: str = "cpu") -> Row:
    """Processor, cores, threads, versions, commit, and how busy the machine was before this began."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "device": device if device == "cpu" else torch.cuda.get_device_name(device),
        "torch_version": torch.__version__,
        "jax_version": _version("jax"),
        "python": platform.python_version(),
        "commit": _commit(),
        "load": round(os.getloadavg()[0], 2),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _processor() -> str:
    """Its model; flags matter more than names on virtual machines, so the widest vectors are told too."""
    return f"{processor()}, {torch.backends.cpu.get_cpu_capability()}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    return done.stdout.strip() or "unknown"
