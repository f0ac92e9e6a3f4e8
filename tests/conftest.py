"""Shapes are checked in every test: beartype enforces the jaxtyping annotations of the package."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook

install_import_hook("linrep", "beartype.beartype")
