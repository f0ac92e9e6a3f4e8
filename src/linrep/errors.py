"""The errors a user can cause. Each is one line: what, what was got, what to do."""


class InputError(ValueError):
    """Something the user gave cannot be used. The command line prints it as one line and exits with 2."""


class DivergedError(RuntimeError):
    """Training left the finite numbers. The command line prints it as one line and exits with 1."""
