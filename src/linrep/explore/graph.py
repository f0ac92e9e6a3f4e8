"""Changes of the concept graph: concepts come and go, arrows join and part them, probabilities are set.

Every change makes a world written out in tables, whatever it was before, so that the config says all of it.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

from linrep.errors import InputError, shown
from linrep.explore.setting import MOST_CONCEPTS
from linrep.laboratory.given import world_fields
from linrep.worlds.concepts import ConceptModel
from linrep.worlds.network import parse_bif

EVEN, EDGE = 0.5, 0.02
MOST_PARENTS = 3
"""Of one concept: eight rows of probabilities, each a slider."""
JOINED = 0.7
"""By such a share of what is left to 0 or 1 an arrow that is new raises the child's probability where its
parent is on, and lowers it where it is off: enough to be seen, and never certain."""
Variable = dict[str, Any]


def edited(model: ConceptModel, edit: Mapping[str, Any]) -> dict[str, Any]:
    """The world after a change, as plain data of a config.

    Args:
        model: Before.
        edit: {"kind": "add"}, {"kind": "remove", "concept": 1}, {"kind": "join", "parent": 0, "child": 2},
            {"kind": "part", …}, {"kind": "probability", "concept": 1, "row": 0, "value": 0.7},
            {"kind": "rename", "concept": 1, "name": "smoker"}, or {"kind": "bif", "text": "network …"}.

    Raises:
        InputError: A change that cannot be made, and what can.

    Example:
        >>> import linrep
        >>> coins = linrep.independent(2, probabilities=[0.5, 0.5])
        >>> joined = edited(coins, {"kind": "join", "parent": 0, "child": 1})
        >>> joined["variables"][1]["parents"], joined["variables"][1]["table"]
        (['C1'], [[0.85, 0.15], [0.15, 0.85]])
    """
    kind = edit.get("kind")
    if kind == "bif":
        read = parse_bif(_text(edit, "text"), "BIF file")
        if read.concepts > MOST_CONCEPTS:
            raise InputError(
                f"world.network: expected at most {MOST_CONCEPTS} variables, got {read.concepts}; give a "
                "part of it, by linrep.worlds.marginal"
            )
        return world_fields(read)["world"]
    if model.nests or set(model.sizes) != {2}:
        raise InputError("world: only graphs of binary concepts are edited here; choose another world first")
    variables: list[Variable] = world_fields(model)["world"]["variables"]
    match kind:
        case "add":
            _add(variables)
        case "remove":
            _remove(variables, _index(edit, "concept", variables))
        case "join":
            _join(variables, *(_index(edit, end, variables) for end in ("parent", "child")))
        case "part":
            parent, child = (variables[_index(edit, end, variables)] for end in ("parent", "child"))
            if parent["name"] not in child["parents"]:
                raise InputError(
                    f"world: there is no arrow from {parent['name']} to {child['name']} to be taken away"
                )
            _part(child, parent["name"])
        case "probability":
            _set(variables[_index(edit, "concept", variables)], edit)
        case "rename":
            _rename(variables, _index(edit, "concept", variables), _text(edit, "name").strip())
        case _:
            raise InputError(f"world: expected a change of the graph, got {shown(kind)}")
    return {"kind": "tables", "variables": variables}


def _add(variables: list[Variable]) -> None:
    if len(variables) == MOST_CONCEPTS:
        raise InputError(f"world: expected at most {MOST_CONCEPTS} concepts to be watched; remove one first")
    taken = {each["name"] for each in variables}
    name = next(f"C{n}" for n in range(1, MOST_CONCEPTS + 2) if f"C{n}" not in taken)
    variables.append({"name": name, "states": ["0", "1"], "parents": [], "table": [[1 - EVEN, EVEN]]})


def _remove(variables: list[Variable], concept: int) -> None:
    if len(variables) == 1:
        raise InputError("world: the last concept stays; add another first")
    name = variables.pop(concept)["name"]
    for each in variables:
        if name in each["parents"]:
            _part(each, name)


def _join(variables: list[Variable], parent: int, child: int) -> None:
    up, down = variables[parent], variables[child]
    if parent == child or up["name"] in down["parents"]:
        raise InputError(
            f"world: expected an arrow between two concepts that has none, got {up['name']} to {down['name']}"
        )
    if _leads_to(variables, down["name"], up["name"]):
        raise InputError(
            f"world: an arrow from {up['name']} to {down['name']} would close a circle; turn it around, or "
            "take another away"
        )
    if len(down["parents"]) == MOST_PARENTS:
        raise InputError(f"world: expected at most {MOST_PARENTS} arrows into {down['name']}; take one away")
    down["parents"].append(up["name"])  # the last parent varies fastest
    rows: list[list[float]] = []
    for _, before in down["table"]:
        on = min(max(before, EDGE), 1 - EDGE)
        for sign in (-1, 1):
            now = round(on + sign * JOINED * min(on, 1 - on), 12)
            rows.append([round(1 - now, 12), now])
    down["table"] = rows


def _part(child: Variable, parent: str) -> None:
    """Without one of its parents: the mean over that parent's states."""
    place, count = child["parents"].index(parent), len(child["parents"])
    rows = dict(zip(product((0, 1), repeat=count), child["table"], strict=True))
    child["parents"].pop(place)
    table: list[list[float]] = []
    for rest in product((0, 1), repeat=count - 1):
        on = sum(rows[(*rest[:place], state, *rest[place:])][1] for state in (0, 1)) / 2
        table.append([1 - on, on])
    child["table"] = table


def _set(variable: Variable, edit: Mapping[str, Any]) -> None:
    row, value = edit.get("row"), edit.get("value")
    if type(row) is not int or not 0 <= row < len(variable["table"]):
        raise InputError(f"world: {variable['name']} has {len(variable['table'])} rows, got row {shown(row)}")
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"world: expected a probability from 0 to 1, got {shown(value)}")
    variable["table"][row] = [1 - value, float(value)]


def _rename(variables: list[Variable], concept: int, name: str) -> None:
    others = {each["name"] for number, each in enumerate(variables) if number != concept}
    if not name or len(name) > 40 or name in others:
        raise InputError(f"world: expected a name of its own, up to 40 letters, got {shown(name)}")
    before, variables[concept]["name"] = variables[concept]["name"], name
    for each in variables:
        each["parents"] = [name if parent == before else parent for parent in each["parents"]]


def _leads_to(variables: list[Variable], start: str, end: str) -> bool:
    """Whether arrows lead from one to the other."""
    parents = {each["name"]: each["parents"] for each in variables}
    open_, seen = [end], set[str]()
    while open_:
        name = open_.pop()
        if name == start:
            return True
        if name not in seen:
            seen.add(name)
            open_ += parents[name]
    return False


def _index(edit: Mapping[str, Any], key: str, variables: list[Variable]) -> int:
    found = edit.get(key)
    if type(found) is not int or not 0 <= found < len(variables):
        raise InputError(f"world: expected the number of a concept as {key}, got {shown(found)}")
    return found


def _text(edit: Mapping[str, Any], key: str) -> str:
    found = edit.get(key)
    if not isinstance(found, str):
        raise InputError(f"world: expected a text as {key}, got {shown(found)}")
    return found
