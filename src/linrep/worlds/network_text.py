"""The text of a BIF file, checked for what pgmpy's reader lets pass: missing, doubled, unknown, left open.

pgmpy reads the probabilities, but skips what it does not recognise and fills missing rows with zeros. So the
text is taken apart here first, in one linear pass, and handed on in plain form, with every row spelled out.
"""

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from linrep.errors import InputError, counted, short, shown

STATE_ONE = "state_one"
"""Property that names the state counted as 1, written where the rule for names would choose the other."""


@dataclass(slots=True)
class Variable:
    """What a file says about one variable; rows are numbers as text, one row per parent configuration."""

    name: str
    states: tuple[str, ...] = ()
    state_one: str | None = None
    parents: tuple[str, ...] = ()
    rows: dict[tuple[str, ...], list[str]] = field(default_factory=dict[tuple[str, ...], list[str]])
    default: list[str] | None = None
    flat: list[str] | None = None
    """A ``table`` entry: the whole table in one list, the variable's own state slowest."""
    declared: bool = False
    tabled: bool = False


def parse(text: str, source: str) -> dict[str, Variable]:
    """The variables of a BIF file in the order they are declared, complete and consistent.

    Args:
        text: The whole file.
        source: What an error message calls it.

    Raises:
        InputError: One line naming the file and, where there is one, the variable and the row.
    """
    words = _Words(text, source)
    variables: dict[str, Variable] = {}
    for word in words:
        if word == "network":
            words.skip_block()
        elif word == "variable":
            _variable(words, variables)
        elif word == "probability":
            _probability(words, variables)
        else:
            raise InputError(
                f"{source}: expected network, variable or probability, got '{short(word)}'; "
                "is this a BIF file?"
            )
    if not variables:
        raise InputError(f"{source}: expected a network with variables, got none; is this a BIF file?")
    for variable in variables.values():
        _check_states(variable, source)
    for variable in variables.values():
        _check(variable, variables, source)
    return variables


def plain(variables: dict[str, Variable]) -> str:
    """The same network in the one form that pgmpy reads reliably: numbered names, every row spelled out."""
    number = {name: f"v{i}" for i, name in enumerate(variables)}
    state = {name: {label: f"s{i}" for i, label in enumerate(own.states)} for name, own in variables.items()}
    blocks: list[str] = []
    for name, own in variables.items():
        listed = ", ".join(state[name].values())
        blocks.append(
            f"variable {number[name]} {{\n  type discrete [ {len(own.states)} ] {{ {listed} }};\n}}\n"
        )
    for name, own in variables.items():
        head = " | ".join(filter(None, [number[name], ", ".join(number[parent] for parent in own.parents)]))
        lines = [f"table {', '.join(own.flat)};"] if own.flat is not None else []
        for labels, row in own.rows.items():
            where = ", ".join(state[parent][label] for parent, label in zip(own.parents, labels, strict=True))
            lines.append(f"({where}) {', '.join(row)};")
        blocks.append(f"probability ( {head} ) {{\n" + "\n".join(lines) + "\n}\n")
    return "network plain {\n}\n" + "".join(blocks)


class _Words:
    """The words and marks of a file, comments and quotes removed, with errors that name the file."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self._words = iter(re.findall(r"[{}()|,;\[\]]|[^\s{}()|,;\[\]]+", _without_comments(text, source)))

    def __iter__(self) -> Iterator[str]:
        return self._words

    def next(self, where: str) -> str:
        word = next(self._words, None)
        if word is None:
            raise InputError(f"{self.source}: {where}: the file ends too early; is a closing brace missing?")
        return word

    def until(self, mark: str, where: str) -> list[str]:
        """The words before a mark; no other bracket may come between."""
        words: list[str] = []
        while (word := self.next(where)) != mark:
            if word in "{}();[]":
                raise InputError(f"{self.source}: {where}: expected '{mark}', got '{short(word)}'")
            words.append(word)
        return words

    def expect(self, mark: str, where: str) -> None:
        if (word := self.next(where)) != mark:
            raise InputError(f"{self.source}: {where}: expected '{mark}', got '{short(word)}'")

    def skip_block(self) -> None:
        while self.next("network") != "{":
            pass
        depth = 1
        while depth:
            depth += {"{": 1, "}": -1}.get(self.next("network"), 0)


def _without_comments(text: str, source: str) -> str:
    parts: list[str] = []
    start, mark = 0, re.compile(r'"[^"\n]*"|//[^\n]*|/\*')
    while found := mark.search(text, start):
        parts.append(text[start : found.start()])
        start = found.end()
        if found[0].startswith('"'):
            parts.append(f" {found[0][1:-1]} ")
        elif found[0] == "/*":
            start = text.find("*/", start) + 2
            if start == 1:
                raise InputError(f"{source}: a comment opened with /* is never closed; close it with */")
            parts.append(" ")
    return "".join([*parts, text[start:]])


def _variable(words: _Words, variables: dict[str, Variable]) -> None:
    name = _one(words.until("{", "variable"), "variable name", words.source)
    where = f"variable '{short(name)}'"
    # Put last, in the order of declaration, even if its probabilities came first.
    variable = variables[name] = variables.pop(name, Variable(name))
    if variable.declared:
        raise InputError(f"{words.source}: {where} is declared twice; rename one")
    variable.declared = True
    while (word := words.next(where)) != "}":
        if word == "property":
            key, _, value = " ".join(words.until(";", where)).partition("=")
            variable.state_one = value.strip() if key.strip() == STATE_ONE else variable.state_one
        elif word == "type":
            words.until("[", where)
            count = words.until("]", where)
            words.expect("{", where)
            variable.states = _names(words.until("}", where))
            words.expect(";", where)
            if count != [str(len(variable.states))]:
                raise InputError(
                    f"{words.source}: {where} announces {short(' '.join(count))} states, "
                    f"got {len(variable.states)} ({short(', '.join(variable.states))}); correct the number"
                )
        else:
            raise InputError(f"{words.source}: {where}: expected type or property, got '{short(word)}'")


def _probability(words: _Words, variables: dict[str, Variable]) -> None:
    words.expect("(", "probability")
    head = words.until(")", "probability")
    bar = head.index("|") if "|" in head else 1
    name = _one(head[:bar], "variable name in a probability block", words.source)
    where = f"probability of '{short(name)}'"
    # Not declared so far is no error yet: the declaration may follow.
    variable = variables.setdefault(name, Variable(name))
    if variable.tabled:
        raise InputError(f"{words.source}: variable '{short(name)}' has two probability blocks; remove one")
    variable.tabled = True
    variable.parents = _names(head[bar:])
    words.expect("{", where)
    while (word := words.next(where)) != "}":
        if word == "(":
            labels = _names(words.until(")", where))
            if labels in variable.rows:
                raise InputError(
                    f"{words.source}: {where} has two rows for ({short(', '.join(labels))}); remove one"
                )
            variable.rows[labels] = _numbers(words, f"{where}, row ({short(', '.join(labels))})")
        elif word == "table":
            variable.flat = _numbers(words, where)
        elif word == "default":
            variable.default = _numbers(words, f"{where}, default")
        elif word == "property":
            words.until(";", where)
        else:
            raise InputError(f"{words.source}: {where}: expected table or (states), got '{short(word)}'")


def _numbers(words: _Words, where: str) -> list[str]:
    numbers = [word for word in words.until(";", where) if word != ","]
    for number in numbers:
        try:
            finite = math.isfinite(float(number)) and number.isascii() and "_" not in number
        except ValueError:
            finite = False
        if not finite:
            raise InputError(f"{words.source}: {where}: expected probabilities, got '{short(number)}'")
    return numbers


def _one(words: Sequence[str], what: str, source: str) -> str:
    if len(words) != 1:
        raise InputError(f"{source}: expected one word as {what}, got '{short(' '.join(words))}'")
    return words[0]


def _names(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in {",", "|"})


def _check_states(variable: Variable, source: str) -> None:
    what = f"{source}: variable '{short(variable.name)}'"
    if not variable.declared:
        raise InputError(f"{what} has probabilities but is not declared; declare it or remove them")
    if len(variable.states) != 2 or len(set(variable.states)) != 2:
        listed = short(", ".join(variable.states)) or "none"
        raise InputError(
            f"{what} must have two different states, got {len(variable.states)}: {listed}; merge them"
        )
    if variable.state_one not in (None, *variable.states):
        listed = short(", ".join(variable.states))
        raise InputError(f"{what}: {STATE_ONE} must be one of {listed}, got {shown(variable.state_one)}")


def _check(variable: Variable, variables: dict[str, Variable], source: str) -> None:
    what = f"{source}: variable '{short(variable.name)}'"
    if not variable.tabled or not (variable.rows or variable.flat or variable.default):
        raise InputError(f"{what} has no probabilities; add a probability block")
    for parent in variable.parents:
        if parent not in variables or not variables[parent].declared:
            raise InputError(f"{what} has the undefined parent '{short(parent)}'; declare it or remove it")
    configurations = math.prod(len(variables[parent].states) for parent in variable.parents)
    if variable.flat is not None:
        _check_flat(variable, configurations, what)
    else:
        _check_rows(variable, variables, configurations, what)


def _check_flat(variable: Variable, configurations: int, what: str) -> None:
    assert variable.flat is not None
    if variable.rows or variable.default:
        raise InputError(f"{what} has both a table and rows; keep one")
    if len(variable.flat) != 2 * configurations:
        raise InputError(
            f"{what} needs a table of {counted(2 * configurations)} probabilities, got {len(variable.flat)}"
        )


def _check_rows(variable: Variable, variables: dict[str, Variable], configurations: int, what: str) -> None:
    states = [variables[parent].states for parent in variable.parents]
    for labels, row in variable.rows.items():
        where = f"row ({short(', '.join(labels))})"
        known = len(labels) == len(states) and all(
            label in own for label, own in zip(labels, states, strict=True)
        )
        if not known:
            raise InputError(f"{what}: {where} names no states of its parents")
        if len(row) != 2:
            raise InputError(f"{what}, {where}: expected 2 probabilities, got {len(row)}")
    if len(variable.rows) == configurations:
        return
    if variable.default is None or configurations > 2**20:
        missing = next(labels for labels in itertools.product(*states) if labels not in variable.rows)
        named = ", ".join(f"{p}={label}" for p, label in zip(variable.parents, missing, strict=True))
        raise InputError(f"{what} has no row for {short(named) or 'its probabilities'}; add it")
    if len(variable.default) != 2:
        raise InputError(f"{what}, default row: expected 2 probabilities, got {len(variable.default)}")
    for labels in itertools.product(*states):
        variable.rows.setdefault(labels, variable.default)
