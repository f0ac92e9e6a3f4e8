"""Shapes are checked in every test: jaxtyping annotations are enforced by beartype while the package is imported."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook

install_import_hook("linrep", "beartype.beartype")
