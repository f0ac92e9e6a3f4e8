r"""A network made small without a change to what is left: sub-networks, exact marginals, merged states.

The sub-network of some variables and their ancestors is exact as it stands. A marginal is not the network
less some nodes: what a variable that is summed out brought together stays together. In an order in which
parents come first, the marginal factors as :math:`\prod_v p(v \mid S_v)`, :math:`S_v` the least set of kept
variables before v given which v is independent of the others before it. By d-separation these are the kept
ones that a path reaches from v, through variables that are not kept, in the moral graph of v, what is kept
before it and all their ancestors. Merging states is the same thing: the merged variable is a child, with
certainty, of the one that is then summed out.

References:
    Lauritzen et al., Independence properties of directed Markov fields, 1990.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.errors import InputError, counted, short, shown
from linrep.worlds.concepts import ConceptModel, Reduction, require_enumerable

LARGEST_TABLE_BYTES = 2**28
"""Largest float64 table that summing out may need on the way."""

PROPOSED_CONTEXTS = 1000
"""Most contexts of what is proposed to keep: trained to the bottom within a minute."""

Groups = Mapping[str, Sequence[Sequence[str]]]
"""For a variable, its states in groups; each group becomes one state."""


def ancestral(model: ConceptModel, names: Sequence[str]) -> ConceptModel:
    """The network of some variables and all their ancestors: exact, and no edge is added.

    Args:
        model: The whole.
        names: Of it.

    Returns:
        The sub-network, variables in their order of before.

    Raises:
        InputError: An unknown name, or nested concepts.

    Example:
        >>> from linrep.worlds.network import load_network
        >>> ancestral(load_network("asia"), ["either"]).names
        ('asia', 'tub', 'smoke', 'lung', 'either')
    """
    _require_plain(model)
    wanted = _above(model.parents, indices(model, names, "ancestors_of"))
    place = {old: new for new, old in enumerate(wanted)}
    return ConceptModel(
        names=tuple(model.names[i] for i in wanted),
        states=tuple(model.states[i] for i in wanted),
        parents=tuple(tuple(place[parent] for parent in model.parents[i]) for i in wanted),
        tables=tuple(model.tables[i] for i in wanted),
        reduction=Reduction(
            variables=_before(model),
            added=tuple((place[a], place[b]) for a, b in _added(model) if a in place and b in place),
            merged=_merged(model),
        ),
    )


def marginal(
    model: ConceptModel, keep: Sequence[str] | None = None, *, merge: Groups | None = None
) -> ConceptModel:
    r"""The exact marginal of a network over some variables, of some of which states may be merged.

    Naively: ``model.joint().reshape(model.sizes).sum(all axes but those kept)``, which only small ones allow.

    Args:
        model: The whole; of any size.
        keep: Of its variables, in the order that the concepts shall have; None for all.
        merge: Groups of states, every state in one of them, for the variables whose states shall be merged. A
            group of several is named after them, ``NORMAL+HIGH``; the second of two groups counts as 1.

    Returns:
        The network of the marginal (the module says which); ``reduction.added`` are its edges that the graph
        of before has not.

    Raises:
        InputError: An unknown name or state, a state in no group or in two, nested concepts, or a marginal
            that is too large, or needs too large a table on the way.

    Example:
        >>> from linrep.worlds.network import load_network
        >>> small = marginal(load_network("asia"), ["tub", "lung", "xray"])
        >>> small.edges(), small.reduction.added
        (((0, 2), (1, 2)), ((0, 2), (1, 2)))
    """
    _require_plain(model)
    kept = range(model.concepts) if keep is None else indices(model, keep, "keep")
    whole = _with_merged(model, merge or {}, kept)
    require_enumerable([len(whole.states[i]) for i in whole.kept], remedy="keep fewer, or merge states")
    joint = _joint(whole)
    place = {old: new for new, old in enumerate(whole.kept)}
    parents: list[tuple[int, ...]] = []
    tables: list[Tensor] = []
    rank = {i: at for at, i in enumerate(model.order())}
    order = sorted(whole.kept, key=lambda v: rank[whole.original[v]])
    needed = {v: _needed(whole.parents, v, order[:at]) for at, v in enumerate(order)}
    for v in whole.kept:
        before = [place[u] for u in needed[v]]
        parents.append(tuple(before))
        tables.append(_conditional(joint, before, place[v]))
    arrows = set(model.edges()) - set(_added(model))
    added = tuple(
        (parent, child)
        for child, own in enumerate(parents)
        for parent in own
        if (whole.original[whole.kept[parent]], whole.original[whole.kept[child]]) not in arrows
    )
    return ConceptModel(
        names=tuple(whole.names[i] for i in whole.kept),
        states=tuple(whole.states[i] for i in whole.kept),
        parents=tuple(parents),
        tables=tuple(tables),
        reduction=Reduction(
            variables=_before(model),
            added=added,
            merged=tuple(dict.fromkeys((*_merged(model), *(merge or {})))),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """A network, and after its variables a child with certainty for each whose states are merged."""

    names: tuple[str, ...]
    states: tuple[tuple[str, ...], ...]
    parents: tuple[tuple[int, ...], ...]
    tables: tuple[Tensor, ...]
    original: tuple[int, ...]
    """Which variable of the network each is, or is made of."""
    kept: tuple[int, ...]
    """What is not summed out, in the order asked for."""


def _with_merged(model: ConceptModel, merge: Groups, kept: Sequence[int]) -> _Whole:
    names, states = list(model.names), list(model.states)
    parents, tables = list(model.parents), list(model.tables)
    original = list(range(model.concepts))
    stands_for = {i: i for i in kept}
    for name, groups in merge.items():
        (i,) = indices(model, [name], "merge")
        if i not in stands_for:
            raise InputError(f"merge: '{short(name)}' is not kept; add it to keep, or leave it out")
        stands_for[i] = len(names)
        onto = _groups(name, model.states[i], groups)
        names.append(name)
        states.append(tuple("+".join(model.states[i][state] for state in group) for group in onto))
        parents.append((i,))
        table = torch.zeros(len(model.states[i]), len(onto), dtype=torch.float64)
        for group, members in enumerate(onto):
            table[members, group] = 1
        tables.append(table)
        original.append(i)
    return _Whole(
        names=tuple(names),
        states=tuple(states),
        parents=tuple(parents),
        tables=tuple(tables),
        original=tuple(original),
        kept=tuple(stands_for[i] for i in kept),
    )


def _groups(name: str, states: Sequence[str], groups: Sequence[Sequence[str]]) -> list[list[int]]:
    what = f"merge: '{short(name)}' has the states {short(', '.join(states))}"
    found = [list(group) for group in groups]
    given = [state for group in found for state in group]
    for state in given:
        if state not in states:
            raise InputError(f"{what}, got {shown(state)}; name its own")
    if sorted(given) != sorted(states) or not all(found):
        raise InputError(f"{what}, got {shown(found)}; put each state into one group")
    if len(found) < 2:
        raise InputError(f"{what}, got one group; leave two or more, or leave it out of keep")
    return [[states.index(state) for state in group] for group in found]


def _joint(whole: _Whole) -> Float64[Tensor, " *states"]:
    """Of what is kept, by variable elimination, an axis each."""
    import opt_einsum

    above = _above(whole.parents, whole.kept)
    operands: list[object] = []
    for i in above:
        operands += [whole.tables[i].numpy(), (*whole.parents[i], i)]
    path, about = opt_einsum.contract_path(*operands, whole.kept, optimize="greedy")
    needed = 8 * int(about.largest_intermediate)
    if needed > LARGEST_TABLE_BYTES:
        raise InputError(
            f"keep: summing out the other variables may take a table of at most {LARGEST_TABLE_BYTES:,} "
            f"bytes, got {counted(needed)}; keep fewer, or variables nearer to each other"
        )
    joint = np.asarray(opt_einsum.contract(*operands, whole.kept, optimize=path))
    # Rows of every table sum to 1, so that the joint does, to rounding.
    return torch.from_numpy(np.ascontiguousarray(joint / joint.sum()))


def _conditional(joint: Float64[Tensor, " *states"], given: Sequence[int], v: int) -> Float64[Tensor, "..."]:
    """P(v | given); the marginal of v where the given cannot occur."""
    axes = [*given, v]
    ascending = sorted(axes)
    rest = [axis for axis in range(joint.dim()) if axis not in axes]
    family = (joint.sum(rest) if rest else joint).permute([ascending.index(axis) for axis in axes])
    own = family.reshape(-1, family.shape[-1]).sum(0)
    total = family.sum(-1, keepdim=True)
    return torch.where(total > 0, family / total.where(total > 0, 1.0), own).contiguous()


def _needed(parents: Sequence[tuple[int, ...]], v: int, before: Sequence[int]) -> list[int]:
    """The least set of those before given which v is independent of the others, by d-separation."""
    above = set(_above(parents, [v, *before]))
    near: dict[int, set[int]] = {i: set() for i in above}
    for child in above:
        family = (*parents[child], child)
        for one in family:
            near[one].update(family)
    waiting, seen, found = [v], {v}, set[int]()
    blocked = set(before)
    while waiting:
        for other in near[waiting.pop()] - seen:
            seen.add(other)
            if other in blocked:
                found.add(other)
            else:
                waiting.append(other)
    return [u for u in before if u in found]


def _above(parents: Sequence[tuple[int, ...]], of: Sequence[int]) -> list[int]:
    """Some variables and their ancestors, ascending."""
    found, waiting = set(of), list(of)
    while waiting:
        new = set(parents[waiting.pop()]) - found
        found |= new
        waiting += new
    return sorted(found)


def indices(model: ConceptModel, names: Sequence[str], what: str) -> list[int]:
    if not names:
        raise InputError(f"{what}: expected some variables, got none; name one or more")
    for at, name in enumerate(names):
        if name not in model.names:
            raise InputError(f"{what}: no variable {shown(name)}; there are {short(', '.join(model.names))}")
        if name in names[:at]:
            raise InputError(f"{what}: expected each variable once, got {shown(name)} twice; remove one")
    return [model.names.index(name) for name in names]


def _require_plain(model: ConceptModel) -> None:
    if model.nests:
        raise InputError("reduction: nested concepts are bound to their parents; use a world without them")


def _before(model: ConceptModel) -> int:
    return model.concepts if model.reduction is None else model.reduction.variables


def _added(model: ConceptModel) -> tuple[tuple[int, int], ...]:
    return () if model.reduction is None else model.reduction.added


def _merged(model: ConceptModel) -> tuple[str, ...]:
    return () if model.reduction is None else model.reduction.merged


def proposal(model: ConceptModel) -> tuple[str, ...]:
    """Variables worth keeping of a network that is too large: near to each other, and few contexts.

    It begins with the variable of most neighbours and grows by the neighbour that has most itself.

    Example:
        >>> from linrep.worlds.network import load_network
        >>> proposal(load_network("alarm"))[:3]
        ('VENTLUNG', 'INTUBATION', 'VENTTUBE')
    """
    near: list[set[int]] = [set() for _ in model.names]
    for parent, child in model.edges():
        near[parent].add(child)
        near[child].add(parent)
    sizes = model.sizes
    ranked = sorted(range(model.concepts), key=lambda i: (-len(near[i]), i))
    chosen: list[int] = []
    for first in ranked:
        chosen = [first]
        while True:
            room = PROPOSED_CONTEXTS / math.prod(sizes[i] + 1 for i in chosen)
            around = set[int]().union(*(near[i] for i in chosen)) - set(chosen)
            fitting = [i for i in ranked if i in around and sizes[i] + 1 <= room]
            if not fitting:
                break
            chosen.append(fitting[0])
        if len(chosen) > 1 and _affordable(model, chosen):
            break
    return tuple(model.names[i] for i in chosen)


def _affordable(model: ConceptModel, kept: Sequence[int]) -> bool:
    try:
        marginal(model, [model.names[i] for i in kept])
    except InputError:
        return False
    return True
