"""Other libraries' words held back for a while."""

import contextlib
import logging
import re
import threading
import warnings
from collections import Counter
from collections.abc import Generator, Sequence


class _Silence:
    """What is held back for several threads at once comes back when the last of them is through."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: Counter[logging.Logger | None] = Counter()  # None: the warnings
        self._levels: dict[logging.Logger, int] = {}
        self._warnings = contextlib.ExitStack()

    def begin(self, loggers: Sequence[logging.Logger]) -> None:
        with self._lock:
            for each in loggers:
                if not self._holders[each]:
                    self._levels[each] = each.level
                    each.setLevel(logging.CRITICAL + 1)
            if not self._holders[None]:
                self._warnings.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
            self._holders.update([*loggers, None])

    def end(self, loggers: Sequence[logging.Logger]) -> None:
        with self._lock:
            self._holders.subtract([*loggers, None])
            for each in loggers:
                if not self._holders[each]:
                    each.setLevel(self._levels.pop(each))
            if not self._holders[None]:
                self._warnings.close()


_silence = _Silence()


@contextlib.contextmanager
def silenced(libraries: str) -> Generator[None, None, None]:
    """Keep the log lines and warnings of libraries from the user while we use them, and only then.

    What matters of them is told by us, in one line. In several threads at once, until the last is through.

    Args:
        libraries: A regular expression for how the names of their loggers begin; import them first.

    Example:
        >>> with silenced("pgmpy|formulaic"):
        ...     warnings.warn("nobody reads this", stacklevel=1)
    """
    loggers = [
        logging.getLogger(name) for name in logging.root.manager.loggerDict if re.match(libraries, name)
    ]
    _silence.begin(loggers)
    try:
        yield
    finally:
        _silence.end(loggers)
