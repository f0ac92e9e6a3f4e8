"""The errors a user can cause. Each is one line: what, what was got, what to do."""

import math

LONGEST_SHOWN = 80
"""Characters of what was got; nobody reads more of it."""


class InputError(ValueError):
    """Something the user gave cannot be used. The command line prints it as one line and exits with 2.

    Example:
        >>> import linrep
        >>> try:
        ...     linrep.measure([[0.0, 1.0]])
        ... except linrep.InputError as error:
        ...     print(str(error).partition(";")[0])
        measure: expected one of codes=, pairs= or world= to say what the rows are, got none
    """


class InputWarning(UserWarning):
    """Something the user gave was mended before it was used. The command line prints it once, as one line."""


class DivergedError(RuntimeError):
    """Training left the finite numbers. The command line prints it as one line and exits with 1.

    Example:
        >>> import linrep
        >>> try:
        ...     linrep.run(world="cancer", runs=1, training={"optimizer": "gd", "step_size": 1e30})
        ... except linrep.DivergedError as error:
        ...     print(str(error).partition(":")[0])
        training diverged
    """


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


def short(text: str) -> str:
    """The beginning of a text that may be long, for a message.

    Example:
        >>> short("smoke"), len(short("smoke" * 1000))
        ('smoke', 80)
    """
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def shown(value: object) -> str:
    """Whatever was got, for a message, in one line.

    Example:
        >>> shown(["a", 1]), shown(2**20_000)
        ("['a', 1]", 'a number of thousands of digits')
    """
    try:
        text = repr(value)
        return short(" ".join(text.split()) if "\n" in text else text)
    except ValueError:  # Python writes out no more than some thousand digits
        return "a number of thousands of digits"


def counted(number: int) -> str:
    """A count in a line: a product of sizes may have thousands of digits.

    Example:
        >>> counted(6561), counted(3**20_000)
        ('6,561', 'about 10^9542')
    """
    return f"{number:,}" if number < 10**18 else f"about 10^{math.floor(math.log10(number))}"


def many(number: int, what: str) -> str:
    """So many of something.

    Example:
        >>> many(1, "context"), many(6561, "token"), many(0, "pair")
        ('1 context', '6,561 tokens', '0 pairs')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def in_our_words(message: str) -> str:
    """What pydantic says of a value, as our own errors say it: typer checks options by it as well.

    Example:
        >>> in_our_words("Value error, 'aisa' is not one of 'cube', 'asia'.")
        "'aisa' is not one of 'cube', 'asia'."
        >>> in_our_words("Input should be a valid integer")
        'expected a valid integer'
    """
    for theirs, ours in (("Value error, ", ""), ("Assertion failed, ", ""), ("Input should be", "expected")):
        message = message.replace(theirs, ours)
    return message
