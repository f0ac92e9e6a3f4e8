"""The text of a BIF file, checked for what pgmpy's reader lets pass: missing, doubled, unknown, left open.

That reader skips what it does not recognise, fills missing rows with zeros, and knows neither quotes nor
``default`` rows of roots. So the text is read here, in one pass, and every error names the line.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from linrep.errors import InputError, counted, short, shown
from linrep.worlds.network_words import Word, Words, listed
from linrep.worlds.probabilities import ROW_TOLERANCE

STATE_ONE = "state_one"
"""Property that names the state counted as 1, written where the rule for names would choose the other."""

FURTHEST = 0.05
"""How far a row may sum from 1 however few its digits are; what is further is no rounding."""

UNSAID = 5e-7
"""Up to here a row is scaled without a word: so far off are sums of numbers of six digits and more."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers as written, and where."""

    written: tuple[str, ...]
    line: int


@dataclass(slots=True)
class Variable:
    """What a file says about one variable."""

    name: str
    line: int
    """Of its declaration; of its probabilities as long as it has none."""
    states: tuple[str, ...] = ()
    state_one: str | None = None
    parents: tuple[str, ...] = ()
    rows: dict[tuple[str, ...], Numbers] = field(default_factory=dict[tuple[str, ...], Numbers])
    """By the states of the parents."""
    default: Numbers | None = None
    flat: Numbers | None = None
    """A ``table`` entry: the whole table in one list, the variable's own state slowest."""
    declared: bool = False
    tabled: int | None = None
    """Line of its probabilities."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """A row that sums to 1 only to the digits written."""

    name: str
    line: int
    total: float


def parse(text: str, source: str) -> dict[str, Variable]:
    """The variables of a BIF file in the order they are declared, complete and consistent.

    Args:
        text: The whole file.
        source: What an error message calls it.

    Raises:
        InputError: One line naming the file, the line and, where there is one, the variable and the row.
    """
    words = Words(text, source)
    variables: dict[str, Variable] = {}
    for word in words:
        if word.text == "network":
            _network(words)
        elif word.text == "variable":
            _variable(words, variables)
        elif word.text == "probability":
            _probability(words, variables)
        else:
            raise words.error(
                f"expected network, variable or probability, got '{short(word.text)}'; is this a BIF file?"
            )
    if not variables:
        raise InputError(f"{source}: expected a network with variables, got none; is this a BIF file?")
    for variable in variables.values():
        _check_states(variable, words)
    for variable in variables.values():
        _check(variable, variables, words)
    return variables


def table(
    variable: Variable, variables: dict[str, Variable], source: str, scaled: list[Scaled]
) -> list[list[float]]:
    """The probabilities of a variable, a row for each configuration of its parents, the last varying fastest.

    Args:
        variable: One of those parsed.
        variables: All of them.
        source: What an error message calls the file.
        scaled: Grows by the rows that had to be scaled.

    Raises:
        InputError: A row that sums to 1 not even to the digits written.
    """
    size = len(variable.states)
    states = [variables[parent].states for parent in variable.parents]
    found: list[list[float]] = []
    for index, labels in enumerate(itertools.product(*states)):
        if variable.flat is not None:
            rows = len(variable.flat.written) // size
            numbers = Numbers(variable.flat.written[index::rows], variable.flat.line)
        else:
            numbers = variable.rows.get(labels) or variable.default
        assert numbers is not None, "the file was checked"
        row = f", row ({short(', '.join(labels))})" if labels else ""
        where = f"{source}, line {numbers.line}: variable '{short(variable.name)}'{row}"
        found.append(_row(numbers, variable.name, where, scaled))
    return found


def _row(numbers: Numbers, name: str, where: str, scaled: list[Scaled]) -> list[float]:
    values = [float(number) for number in numbers.written]
    if min(values) < 0 or max(values) > 1 + ROW_TOLERANCE:
        raise InputError(f"{where}: probabilities must lie in [0, 1], got {shown(values)}")
    total = math.fsum(values)
    if abs(total - 1) < 1e-12:
        return values
    if abs(total - 1) > _tolerance(numbers.written):
        raise InputError(
            f"{where}: probabilities must sum to 1, got {shown(values)}, which sum to {total:.12g}"
        )
    if abs(total - 1) > UNSAID:
        scaled.append(Scaled(name, numbers.line, total))
    return [value / total for value in values]


def _tolerance(written: Sequence[str]) -> float:
    """How far a row may sum from 1: each number by one of the last digit that any of them has."""
    digits = max(-int(Decimal(number).as_tuple().exponent) for number in written)
    # With a little room, for the sum of decimals is not exact.
    return min(FURTHEST, max(ROW_TOLERANCE, 1.000001 * len(written) * 10.0**-digits))


def _network(words: Words) -> None:
    while not words.next("network").is_mark("{"):
        pass
    depth = 1
    while depth:
        word = words.next("network")
        if word.text == "property" and not word.quoted:
            words.property("network")
        elif word.is_mark("{}"):
            depth += 1 if word.text == "{" else -1


def _variable(words: Words, variables: dict[str, Variable]) -> None:
    opened = words.line
    name = _one(words.until("{", "variable"), "variable name", words)
    where = f"variable '{short(name)}'"
    # Put last, in the order of declaration, even if its probabilities came first.
    variable = variables[name] = variables.pop(name, Variable(name, opened))
    if variable.declared:
        raise words.error(f"{where} is declared twice; rename one", opened)
    variable.declared, variable.line = True, opened
    while not (word := words.next(where)).is_mark("}"):
        if word.text == "property" and not word.quoted:
            key, _, value = words.property(where).partition("=")
            if key.strip() == STATE_ONE:
                variable.state_one = value.strip().removeprefix('"').removesuffix('"')
        elif word.text == "type":
            variable.states = _states(words, where)
        else:
            raise words.error(f"{where}: expected type or property, got '{short(word.text)}'")


def _states(words: Words, where: str) -> tuple[str, ...]:
    kind = words.until("[", where)
    if listed(kind) != "discrete":
        raise words.error(f"{where}: expected type discrete, got '{listed(kind)}'; make its values states")
    count = words.until("]", where)
    words.expect("{", where)
    states = _names(words.until("}", where))
    words.expect(";", where)
    if listed(count) != str(len(states)):
        raise words.error(
            f"{where} announces {listed(count)} states, got {len(states)} ({short(', '.join(states))}); "
            "correct the number"
        )
    return states


def _probability(words: Words, variables: dict[str, Variable]) -> None:
    opened = words.line
    words.expect("(", "probability")
    head = words.until(")", "probability")
    bar = next((i for i, word in enumerate(head) if word.is_mark("|")), 1)
    name = _one(head[:bar], "variable name in a probability block", words)
    where = f"probability of '{short(name)}'"
    # Not declared so far is no error yet: the declaration may follow.
    variable = variables.setdefault(name, Variable(name, opened))
    if variable.tabled is not None:
        raise words.error(f"variable '{short(name)}' has two probability blocks; remove one", opened)
    variable.tabled = opened
    variable.parents = _names(head[bar:])

    def entry(word: Word) -> None:
        if word.is_mark("("):
            labels = _names(words.until(")", where))
            row = f"row ({short(', '.join(labels))})"
            if labels in variable.rows:
                raise words.error(f"{where} has two rows for ({short(', '.join(labels))}); remove one")
            variable.rows[labels] = _numbers(words, f"{where}, {row}")
        elif word.text == "table":
            variable.flat = _numbers(words, where)
        elif word.text == "default":
            variable.default = _numbers(words, f"{where}, default")
        else:
            raise words.error(f"{where}: expected table or (states), got '{short(word.text)}'")

    words.block(where, entry)


def _numbers(words: Words, where: str) -> Numbers:
    line = words.line
    numbers = tuple(word.text for word in words.until(";", where) if not word.is_mark(","))
    for number in numbers:
        try:
            finite = math.isfinite(float(number)) and number.isascii() and "_" not in number
        except ValueError:
            finite = False
        if not finite:
            raise words.error(f"{where}: expected probabilities, got '{short(number)}'")
    return Numbers(numbers, line)


def _one(words: Sequence[Word], what: str, of: Words) -> str:
    if len(words) != 1 or words[0].is_mark():
        raise of.error(
            f"expected one word as {what}, got '{listed(words)}'; put it in quotes if it has spaces"
        )
    return words[0].text


def _names(words: Sequence[Word]) -> tuple[str, ...]:
    return tuple(word.text for word in words if not word.is_mark(",|"))


def _check_states(variable: Variable, words: Words) -> None:
    what = f"variable '{short(variable.name)}'"
    states = variable.states
    if not variable.declared:
        raise words.error(
            f"{what} has probabilities but is not declared; declare it or remove them", variable.line
        )
    if len(states) < 2 or len(set(states)) < len(states):
        raise words.error(
            f"{what} must have two or more different states, got {len(states)}: "
            f"{short(', '.join(states)) or 'none'}",
            variable.line,
        )
    if len(states) == 2 and variable.state_one not in (None, *states):
        raise words.error(
            f"{what}: {STATE_ONE} must be one of {short(', '.join(states))}, got {shown(variable.state_one)}",
            variable.line,
        )


def _check(variable: Variable, variables: dict[str, Variable], words: Words) -> None:
    what = f"variable '{short(variable.name)}'"
    if variable.tabled is None or not (variable.rows or variable.flat or variable.default):
        raise words.error(
            f"{what} has no probabilities; add a probability block", variable.tabled or variable.line
        )
    for parent in variable.parents:
        if parent not in variables or not variables[parent].declared:
            raise words.error(
                f"{what} has the undefined parent '{short(parent)}'; declare it or remove it", variable.tabled
            )
    configurations = math.prod(len(variables[parent].states) for parent in variable.parents)
    if variable.flat is not None:
        _check_flat(variable, variable.flat, configurations, words)
    else:
        _check_rows(variable, variables, configurations, words)


def _check_flat(variable: Variable, flat: Numbers, configurations: int, words: Words) -> None:
    what = f"variable '{short(variable.name)}'"
    if variable.rows or variable.default:
        raise words.error(f"{what} has both a table and rows; keep one", flat.line)
    needed = len(variable.states) * configurations
    if len(flat.written) != needed:
        raise words.error(
            f"{what} needs a table of {counted(needed)} probabilities, got {len(flat.written)}", flat.line
        )


def _check_rows(
    variable: Variable, variables: dict[str, Variable], configurations: int, words: Words
) -> None:
    what = f"variable '{short(variable.name)}'"
    states = [variables[parent].states for parent in variable.parents]
    for labels, row in _rows(variable):
        where = "default row" if labels is None else f"row ({short(', '.join(labels))})"
        known = labels is None or (
            len(labels) == len(states)
            and all(label in own for label, own in zip(labels, states, strict=True))
        )
        if not known:
            raise words.error(f"{what}: {where} names no states of its parents", row.line)
        if len(row.written) != len(variable.states):
            raise words.error(
                f"{what}, {where}: expected {len(variable.states)} probabilities, got {len(row.written)}",
                row.line,
            )
    if len(variable.rows) == configurations or (variable.default is not None and configurations <= 2**20):
        return
    missing = next(labels for labels in itertools.product(*states) if labels not in variable.rows)
    named = ", ".join(f"{p}={label}" for p, label in zip(variable.parents, missing, strict=True))
    raise words.error(f"{what} has no row for {short(named) or 'its probabilities'}; add it", variable.tabled)


def _rows(variable: Variable) -> Iterator[tuple[tuple[str, ...] | None, Numbers]]:
    yield from variable.rows.items()
    if variable.default is not None:
        yield None, variable.default
