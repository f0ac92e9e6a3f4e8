"""The errors a user can cause. Each is one line: what, what was got, what to do."""


class InputError(ValueError):
    """Something the user gave cannot be used. The command line prints it as one line and exits with 2."""


class DivergedError(RuntimeError):
    """Training left the finite numbers. The command line prints it as one line and exits with 1."""


class DamagedError(InputError):
    """A finished run cannot be read."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        """Which file, and what is wrong with it; what to do is for the command to say."""

    def __str__(self) -> str:
        return f"{self.what}; run again with --force"


class FolderError(InputError):
    """The folder of runs cannot be written or locked: nothing that is trained could be kept."""


class BusyError(InputError):
    """Another process is training the run."""


class LostError(RuntimeError):
    """What was to do the work is gone: a scheduler, workers, another rank. The command line exits with 1."""
