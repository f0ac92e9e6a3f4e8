"""What a benchmark may be asked for: refused in one line, before anything is measured."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import torch

MOST_CONCEPTS = 16
"""Beyond, one table of contexts alone takes gigabytes."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Reads a whole number within bounds."""
    wanted = f"expected a whole number from {least}" + ("" if most is None else f" to {most}")

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{wanted}, got {text!r}")
        return number

    return read


positive = whole(1)
concepts = whole(1, MOST_CONCEPTS)


def device(text: str) -> str:
    """A device that is here."""
    kind, _, number = text.partition(":")
    if text == "cpu":
        return text
    if kind != "cuda" or not (number or "0").isdecimal():
        raise argparse.ArgumentTypeError(f"expected cpu or cuda, got {text!r}")
    if int(number or 0) >= torch.cuda.device_count():
        raise argparse.ArgumentTypeError(f"{text} is not here: PyTorch {torch.__version__} does not see it")
    return text


def target(text: str) -> Path:
    """A file that can be written."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"expected a file, got the folder {text!r}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"no folder {str(path.parent)!r} to write it to")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written; choose another place")
    return path
