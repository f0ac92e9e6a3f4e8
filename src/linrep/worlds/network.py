"""Bayesian networks in and out as BIF files.

Which of two states of a variable is 1: the affirmative one where their names are a known pair (yes, true,
present, high, positive, on, 1, ... against their opposites), in whatever order the file has them; else the
second. A file may say otherwise by ``property state_one = NAME ;`` in the variable's block; :func:`write_bif`
adds it where it is needed. Three states and more stay in the order of the file.
"""

import itertools
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from linrep.errors import InputError, InputWarning, short
from linrep.files import write_file
from linrep.worlds.concepts import ConceptModel, from_tables
from linrep.worlds.network_file import network_path, text
from linrep.worlds.network_text import STATE_ONE, Scaled, parse, table

AFFIRMATIVE = {
    "yes": "no",
    "y": "n",
    "true": "false",
    "t": "f",
    "present": "absent",
    "high": "low",
    "positive": "negative",
    "pos": "neg",
    "on": "off",
    "abnormal": "normal",
    "1": "0",
    "state1": "state0",
}
"""Names of a state that counts as 1, with their opposites, without regard to case."""


def load_network(name_or_path: str | Path) -> ConceptModel:
    """A published network by name, of those here and those of pgmpy, or any by the path of its BIF file.

    Raises:
        InputError: If there is no such network or its file is malformed.

    Example:
        >>> load_network("cancer").names
        ('Pollution', 'Smoker', 'Cancer', 'Xray', 'Dyspnoea')
        >>> load_network("survey").states[0]
        ('young', 'adult', 'old')
    """
    return read_bif(network_path(name_or_path))


def read_bif(path: str | Path) -> ConceptModel:
    """A network from a BIF file, compressed (.bif.gz) or not; concepts in the order they are declared.

    Args:
        path: The file.

    Returns:
        The model; of two states ``states[i][1]`` is the one that counts as 1 (the module says which). Rows
        that sum to 1 only to the digits written are scaled, which an ``InputWarning`` says once.

    Raises:
        InputError: For anything malformed, in one line naming the file, the line and, where they apply,
            variable and row.

    Example:
        >>> read_bif(network_path("cancer")).states[0]
        ('low', 'high')
    """
    source = _line(path)
    return parse_bif(text(Path(path), source), source)


def parse_bif(content: str, source: str) -> ConceptModel:
    """A network from the text of a BIF file, as :func:`read_bif` reads it.

    Args:
        content: The whole of it.
        source: What an error calls it.

    Raises:
        InputError: As there.

    Example:
        >>> parse_bif("network n {} variable a { type discrete [2] { no, yes }; } "
        ...           "probability ( a ) { table 0.75, 0.25; }", "mine").names
        ('a',)
    """
    variables = parse(content, source)
    scaled: list[Scaled] = []
    written = from_tables(
        list(variables),
        {name: table(variable, variables, source, scaled) for name, variable in variables.items()},
        parents={name: variable.parents for name, variable in variables.items()},
        states={name: variable.states for name, variable in variables.items()},
        source=source,
    )
    if scaled:
        furthest = max(scaled, key=lambda row: abs(row.total - 1))
        warnings.warn(
            f"{source}: {len(scaled)} row{'s sum' if len(scaled) > 1 else ' sums'} to 1 only to the digits "
            f"written, and {'are' if len(scaled) > 1 else 'is'} scaled; the furthest, of "
            f"'{short(furthest.name)}' in line {furthest.line}, sums to {furthest.total:.10g}",
            InputWarning,
            stacklevel=2,
        )
    ones = [
        1 if len(own.states) > 2 else own.states.index(own.state_one or own.states[state_one(own.states)])
        for own in variables.values()
    ]
    return _with_ones(written, ones)


def write_bif(model: ConceptModel, path: str | Path) -> None:
    """Write a network as a BIF file, which :func:`read_bif` reads back to the bit.

    Args:
        model: The network; of nested concepts the states are written, not that they are nested.
        path: The file; one that is there is replaced, once the new one is whole.

    Raises:
        InputError: If a name cannot stand in a BIF file, or the path cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_bif(load_network("asia"), f"{folder}/copy.bif")
        ...     read_bif(f"{folder}/copy.bif").names[:3]
        ('asia', 'tub', 'smoke')
    """
    whole = "".join(["network unknown {\n}\n", *_declarations(model), *_probabilities(model)])
    try:
        write_file(Path(path), whole.encode())
    except OSError as error:
        raise InputError(
            f"{_line(path)}: cannot be written ({error.strerror}); choose another path"
        ) from None


def state_one(states: Sequence[str]) -> int:
    """Which of two states counts as 1 by their names: the affirmative of a known pair, else the second.

    Example:
        >>> state_one(["Yes", "No"]), state_one(["low", "high"]), state_one(["left", "right"])
        (0, 1, 1)
    """
    first, second = (state.casefold() for state in states)
    return 0 if AFFIRMATIVE.get(first) == second else 1


def _with_ones(model: ConceptModel, ones: Sequence[int]) -> ConceptModel:
    """The same network with the states of each concept in the order (0, 1)."""
    swapped = [one == 0 for one in ones]
    tables = tuple(
        torch.flip(table, [axis for axis, concept in enumerate((*parents, i)) if swapped[concept]])
        for i, (parents, table) in enumerate(zip(model.parents, model.tables, strict=True))
    )
    states = tuple(own[::-1] if swap else own for own, swap in zip(model.states, swapped, strict=True))
    return ConceptModel(names=model.names, states=states, parents=model.parents, tables=tables)


def _declarations(model: ConceptModel) -> Iterator[str]:
    for name, states in zip(model.names, model.states, strict=True):
        listed = ", ".join(_word(state, name) for state in states)
        yield f"variable {_word(name, name)} {{\n  type discrete [ {len(states)} ] {{ {listed} }};\n"
        if len(states) == 2 and state_one(states) != 1:
            yield f"  property {STATE_ONE} = {_word(states[1], name)} ;\n"
        yield "}\n"


def _probabilities(model: ConceptModel) -> Iterator[str]:
    for name, states, parents, own in zip(
        model.names, model.states, model.parents, model.tables, strict=True
    ):
        given = ", ".join(_word(model.names[parent], name) for parent in parents)
        head = f"{_word(name, name)} | {given}" if parents else _word(name, name)
        yield f"probability ( {head} ) {{\n"
        labels = itertools.product(*(model.states[parent] for parent in parents))
        for configuration, row in zip(labels, own.reshape(-1, len(states)).tolist(), strict=True):
            where = ", ".join(_word(state, name) for state in configuration)
            yield f"  {f'({where})' if parents else 'table'} {', '.join(map(repr, row))};\n"
        yield "}\n"


def _word(word: str, name: str) -> str:
    """A name as a BIF file has it: in quotes where it would otherwise fall apart."""
    if re.fullmatch(r"[^\s{}()|,;\[\]\"/=]+", word):
        return word
    if '"' in word or "\n" in word:
        raise InputError(
            f"write_bif: a BIF file cannot hold the name '{_line(word)}' (of '{_line(name)}'); rename"
        )
    return f'"{word}"'


def _line(value: object) -> str:
    return " ".join(str(value).split())
