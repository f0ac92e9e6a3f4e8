"""Shapes are checked in every test: beartype enforces the jaxtyping annotations of the package."""

import os

# Ranks are forked, which hangs once threads of OpenMP have run; the others change what is printed or run.
os.environ["OMP_NUM_THREADS"] = "1"
for name in ("FORCE_COLOR", "COLUMNS", "RANK", "WORLD_SIZE"):
    os.environ.pop(name, None)
# Before any test imports the profiler, which else speaks on stderr.
os.environ["KINETO_LOG_LEVEL"] = "99"

from hypothesis import settings  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402

# A machine that stalls is no failure.
settings.register_profile("linrep", deadline=None)
settings.load_profile("linrep")
install_import_hook("linrep", "beartype.beartype")
