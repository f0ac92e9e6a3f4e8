"""Bayesian networks in and out as BIF files, through pgmpy.

Which state of a variable is 1: the affirmative one where the two names are a known pair (yes, true, present,
high, positive, on, 1, ... against their opposites), in whatever order the file has them; else the second.
A file may say otherwise by ``property state_one = NAME ;`` in the variable's block; :func:`write_bif` adds it
where it is needed.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from linrep.errors import InputError, short
from linrep.progress import silenced
from linrep.worlds.concepts import ConceptModel, from_tables
from linrep.worlds.network_text import STATE_ONE, parse, plain

NETWORKS = ("asia", "cancer", "earthquake")
"""Published networks that come with the package."""

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

SIZE_LIMIT_BYTES = 2**23
"""Largest BIF file that is read. A network small enough to enumerate is far smaller."""


def load_network(name_or_path: str | Path) -> ConceptModel:
    """A network that comes with the package, by name, or any other, by the path of its BIF file.

    Raises:
        InputError: If there is no such network or its file is malformed.

    Example:
        >>> load_network("cancer").names
        ('Pollution', 'Smoker', 'Cancer', 'Xray', 'Dyspnoea')
    """
    return read_bif(network_path(name_or_path))


def network_path(name_or_path: str | Path) -> Path:
    """The file that :func:`load_network` reads.

    Raises:
        InputError: If there is neither a shipped network nor a file of that name.

    Example:
        >>> network_path("asia").name
        'asia.bif'
    """
    if name_or_path in NETWORKS:
        return Path(__file__).parent / "networks" / f"{name_or_path}.bif"
    path = Path(name_or_path)
    if not os.path.exists(path):
        raise InputError(
            f"network: expected one of {', '.join(NETWORKS)} or the path of a BIF file, "
            f"got '{short(_line(path))}'; there is no such file"
        )
    return path


def read_bif(path: str | Path) -> ConceptModel:
    """A network of two-valued variables from a BIF file; concepts in the order they are declared.

    Args:
        path: The file.

    Returns:
        The model; ``states[i][1]`` is the state that counts as 1 (the module says which).

    Raises:
        InputError: For anything malformed, in one line naming the file and, where they apply, variable, row.

    Example:
        >>> read_bif(network_path("cancer")).states[0]
        ('low', 'high')
    """
    source = _line(path)
    variables = parse(_text(Path(path), source), source)
    names = list(variables)
    values = _pgmpy_tables(plain(variables), len(names), source)
    written = from_tables(
        names,
        {name: values[i].T.tolist() for i, name in enumerate(names)},
        parents={name: variable.parents for name, variable in variables.items()},
        states={name: variable.states for name, variable in variables.items()},
        source=source,
    )
    ones = [
        own.states.index(own.state_one) if own.state_one else state_one(own.states)
        for own in variables.values()
    ]
    return _with_ones(written, ones)


def write_bif(model: ConceptModel, path: str | Path) -> None:
    """Write a network of two-valued variables as a BIF file, which :func:`read_bif` reads back to the bit.

    Args:
        model: The network.
        path: The file, overwritten if it exists.

    Raises:
        InputError: If a name cannot stand in a BIF file, a variable has more than two states, or the path
            cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_bif(load_network("asia"), f"{folder}/copy.bif")
        ...     read_bif(f"{folder}/copy.bif").names[:3]
        ('asia', 'tub', 'smoke')
    """
    _require_writable(model)
    with silenced("pgmpy"):
        from pgmpy.factors.discrete import TabularCPD
        from pgmpy.models import DiscreteBayesianNetwork
        from pgmpy.readwrite import BIFWriter

        network = DiscreteBayesianNetwork()
        network.add_nodes_from(model.names)
        network.add_edges_from([(model.names[parent], model.names[child]) for parent, child in model.edges()])
        for name, states, parents, table in zip(
            model.names, model.states, model.parents, model.tables, strict=True
        ):
            evidence = [model.names[parent] for parent in parents]
            named = {model.names[i]: list(model.states[i]) for i in parents} | {name: list(states)}
            columns = table.reshape(-1, len(states)).T.numpy()
            cards = [len(model.states[parent]) for parent in parents]
            network.add_cpds(TabularCPD(name, len(states), columns, evidence, cards, state_names=named))
            if state_one(states) != 1:
                network.nodes[name][STATE_ONE] = states[1]
        text = _declared_in_order(str(BIFWriter(network)), model.names)
    try:
        Path(path).write_text(text, encoding="utf-8")
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


def _text(path: Path, source: str) -> str:
    if not os.path.exists(path):
        raise InputError(f"{source}: no such file; check the path")
    if not os.path.isfile(path):
        raise InputError(f"{source}: expected a BIF file, got a folder or a device")
    size = path.stat().st_size
    if size > SIZE_LIMIT_BYTES:
        raise InputError(f"{source}: expected a BIF file of at most {SIZE_LIMIT_BYTES:,} bytes, got {size:,}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source}: expected UTF-8 text, got byte {error.start} that is not; is it a BIF file?"
        ) from None
    if not text.strip():
        raise InputError(f"{source}: expected a network, got an empty file")
    if "\0" in text:
        raise InputError(f"{source}: expected text, got a binary file")
    return text


def _pgmpy_tables(text: str, variables: int, source: str) -> list["np.ndarray"]:
    """What pgmpy reads from plain text: for each variable an array (states, parent configurations)."""
    with silenced("pgmpy"):
        import pyparsing as pp
        from pgmpy.readwrite import BIFReader

        class PlainReader(BIFReader):
            """Pgmpy's own grammar lists all letters of Unicode, which takes seconds; plain text is ASCII."""

            def get_variable_grammar(self) -> tuple[pp.ParserElement, pp.ParserElement, pp.ParserElement]:
                name = pp.Suppress("variable") + pp.Word(pp.alphanums)
                return name, name, name

            def get_probability_grammar(self) -> tuple[pp.ParserElement, pp.ParserElement]:
                label = pp.Word(pp.alphanums) + pp.Suppress(pp.Optional(","))
                number = pp.Word(pp.nums + "+-.eE") + pp.Suppress(pp.Optional(","))
                where = pp.Suppress("(") + pp.OneOrMore(label) + pp.Suppress(")") | pp.Suppress("table")
                return label, where + pp.OneOrMore(number)

        try:
            found = PlainReader(string=text).variable_cpds
        except Exception as error:
            # pgmpy raises whatever its parser or numpy stumbles over; its reader is a boundary.
            raise InputError(
                f"{source}: pgmpy cannot read it ({type(error).__name__}: {_line(error)})"
            ) from None
    return [np.asarray(found[f"v{i}"], dtype=np.float64) for i in range(variables)]


def _with_ones(model: ConceptModel, ones: Sequence[int]) -> ConceptModel:
    """The same network with the states of each concept in the order (0, 1)."""
    swapped = [one == 0 for one in ones]
    tables = tuple(
        torch.flip(table, [axis for axis, concept in enumerate((*parents, i)) if swapped[concept]])
        for i, (parents, table) in enumerate(zip(model.parents, model.tables, strict=True))
    )
    states = tuple(own[::-1] if swap else own for own, swap in zip(model.states, swapped, strict=True))
    return ConceptModel(names=model.names, states=states, parents=model.parents, tables=tables)


def _require_writable(model: ConceptModel) -> None:
    for name, states in zip(model.names, model.states, strict=True):
        if len(states) != 2:
            raise InputError(
                f"write_bif: variable '{name}' must have two states, got {len(states)}; merge them"
            )
        for word in (name, *states):
            if not re.fullmatch(r"[^\s{}()|,;\[\]\"/=]+", word):
                raise InputError(
                    f"write_bif: a BIF file cannot hold the name '{_line(word)}' (of '{_line(name)}'); rename"
                )


def _declared_in_order(text: str, names: Sequence[str]) -> str:
    """The text with variables in their own order, not the alphabet's, since the order numbers the tokens."""
    head, *blocks = re.split(r"^(?=variable |probability )", text, flags=re.MULTILINE)
    place = {name: i for i, name in enumerate(names)}

    def key(block: str) -> tuple[bool, int]:
        return block.startswith("probability"), place[re.split(r"[\s(]+", block)[1]]

    return head + "".join(sorted(blocks, key=key))


def _line(value: object) -> str:
    return " ".join(str(value).split())
