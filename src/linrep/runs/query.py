"""Which runs: an expression over the columns of the table of runs, read by its grammar and never evaluated.

.. code-block:: text

    world.concepts >= 5 and final.linearity.unembedding.median < 0.9
    training.optimizer in ("gd", "adam") and not 0.1 <= final.excess_loss_nats.median < 1
    model.dim > concepts

Only the grammar is ours: pyarrow compares. In DuckDB a dotted column would need quotes, text in double quotes
would be a column, a missing value would pass neither a condition nor its opposite, and files could be read;
``pandas.query`` calls methods. All of that would have to be refused by reading the expression first, as here.
"""

import ast
import difflib
import json
from collections.abc import Sequence
from functools import reduce
from typing import Any

from linrep.errors import InputError, short, shown
from linrep.runs.index import RunTable

LONGEST = 2000
"""Characters of an expression."""
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
}
WORDS = {"true": True, "false": False}
"""Names that are values, as TOML writes them."""
FORM = "expected comparisons such as \"world.concepts >= 5 and training.optimizer in ('gd', 'adam')\""


def where(table: RunTable, text: str) -> RunTable:
    """The rows for which an expression is true. A comparison with a missing value is false.

    Args:
        table: Of runs.
        text: Comparisons (``== != < <= > >= in``, chains too) of columns, numbers, texts and true or false,
            joined by ``and``, ``or``, ``not`` and parentheses.

    Raises:
        InputError: Anything else, or a column that is not there, in one line.

    Example:
        >>> import pyarrow as pa
        >>> runs = pa.table({"run": ["a", "b", "c"], "model.dim": [2, 4, None]})
        >>> where(runs, "model.dim > 2 or run == 'a'")["run"].to_pylist()
        ['a', 'b']
    """
    try:
        return table.filter(_truth(_tree(text), table))
    except RecursionError:
        raise InputError(f"where: nested too deeply; {FORM}") from None


def ordered(table: RunTable, key: str, *, descending: bool = False) -> RunTable:
    """The rows by one column, missing values last, equal ones as they stood.

    Raises:
        InputError: A column that is not there.

    Example:
        >>> import pyarrow as pa
        >>> ordered(pa.table({"x": [2, None, 3]}), "x", descending=True)["x"].to_pylist()
        [3, 2, None]
    """
    column(table, key, "sort")
    return table.sort_by([(key, "descending" if descending else "ascending")])


def column(table: RunTable, name: str, asked_by: str) -> Any:
    """A column by name.

    Raises:
        InputError: If it is not there, with the nearest names.
    """
    if name in table.column_names:
        return table[name]
    close = difflib.get_close_matches(name, table.column_names, n=3)
    close = close or [each for each in table.column_names if name in each][:3]
    near = f", did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise InputError(f"{asked_by}: unknown field {shown(name)}{near}; `linrep runs --csv -` shows all")


def named(text: str) -> list[str]:
    """The columns that an expression names, in order.

    Example:
        >>> named("model.dim > 2 and world.kind == 'chain'")
        ['model.dim', 'world.kind']
    """
    nodes = [_dotted(node) for node in ast.walk(_tree(text)) if isinstance(node, ast.Name | ast.Attribute)]
    whole = [name for name in nodes if not any(other.startswith(f"{name}.") for other in nodes)]
    return list(dict.fromkeys(name for name in whole if name not in WORDS))


def _tree(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise InputError(f"where: expected at most {LONGEST:,} characters, got {len(text):,}; write less")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = getattr(error, "msg", None) or "nested too deeply"
        raise InputError(f"where: cannot be read ({reason}) in {shown(text)}; {FORM}") from None


def _truth(node: ast.expr, table: RunTable) -> Any:
    """One boolean for each row, none missing."""
    match node:
        case ast.BoolOp(op=op, values=parts):
            return _folded(
                "and" if isinstance(op, ast.And) else "or", [_truth(part, table) for part in parts]
            )
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return _each("invert", _truth(part, table))
        case ast.Compare(left=left, ops=ops, comparators=rest):
            sides = zip([left, *rest], ops, rest, strict=False)
            return _folded("and", [_compared(first, op, second, table) for first, op, second in sides])
        case ast.Name() | ast.Attribute():  # a field that is true or false by itself
            return _true(_yes_or_no(node, table), table)
        case _:
            raise InputError(f"where: cannot use {_said(node)} as a condition; {FORM}")


def _each(function: str, *given: Any) -> Any:
    import pyarrow.compute as pc

    return pc.call_function(function, list(given))


def _folded(function: str, parts: Sequence[Any]) -> Any:
    return reduce(lambda first, second: _each(function, first, second), parts)


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr, table: RunTable) -> Any:
    import pyarrow as pa

    first = _value(left, table)
    try:
        if isinstance(op, ast.In | ast.NotIn):
            return _is_in(first, right, table, inside=isinstance(op, ast.In))
        if type(op) not in COMPARISONS:
            raise InputError(f"where: `is` is not known; write == between {_said(left)} and {_said(right)}")
        found = _each(COMPARISONS[type(op)], first, _value(right, table))
    except pa.ArrowException:
        raise InputError(
            f"where: {_said(left)} and {_said(right)} are not of one kind; compare numbers with numbers, "
            "text with quoted text"
        ) from None
    return _true(found, table)


def _yes_or_no(node: ast.expr, table: RunTable) -> Any:
    """A field that is a condition by itself: true, false or missing."""
    import pyarrow as pa

    found = _value(node, table)
    if pa.types.is_boolean(found.type) or pa.types.is_null(found.type):
        return found.cast(pa.bool_())
    present = found.drop_null()
    example = (
        f"{_dotted(node)} == {json.dumps(present[0].as_py() if len(present) else 1, ensure_ascii=False)}"
    )
    raise InputError(f"where: {_said(node)} is not true or false; compare it with a value: {short(example)}")


def _is_in(first: Any, right: ast.expr, table: RunTable, *, inside: bool) -> Any:
    if not isinstance(right, ast.Tuple | ast.List | ast.Set) or not right.elts:
        raise InputError(f"where: after `in` expected values in parentheses, got {_said(right)}; {FORM}")
    equal = [_true(_each("equal", first, _value(each, table)), table) for each in right.elts]
    found = _folded("or", equal)
    return (
        found if inside else _each("and", _true(_each("equal", first, first), table), _each("invert", found))
    )


def _true(found: Any, table: RunTable) -> Any:
    """One boolean for each row: a missing one is false, and one for all stands for each."""
    import pyarrow as pa

    if isinstance(found, pa.Scalar):
        return pa.chunked_array([pa.array([bool(found.as_py())] * len(table), pa.bool_())])
    return _each("coalesce", found, pa.scalar(False))


def _value(node: ast.expr, table: RunTable) -> Any:
    """A column, or a single value."""
    import pyarrow as pa

    match node:
        case ast.Name(id=name) if name in WORDS:
            return pa.scalar(WORDS[name])
        case ast.Name() | ast.Attribute():
            return column(table, _dotted(node), "where")
        case ast.Constant(value=bool() | str() | float() as value):
            return pa.scalar(value)
        case ast.Constant(value=int() as value):
            return pa.scalar(value if abs(value) < 2**63 else float(min(value, 10**300)))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return pa.scalar(-float(value) if abs(value) < 1e300 else float("-inf"))
        case _:
            raise InputError(f"where: expected a field, a number or quoted text, got {_said(node)}; {FORM}")


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=inner, attr=name):
            return f"{_dotted(inner)}.{name}"
        case _:
            raise InputError(f"where: expected a dotted name, got {_said(node)}; {FORM}")


def _said(node: ast.expr) -> str:
    return shown(ast.unparse(node))


def chosen(
    table: RunTable, *, condition: str | None, sort: str | None, descending: bool, limit: int | None
) -> tuple[RunTable, Sequence[str]]:
    """Filtered, sorted and cut, with the names of the columns it was asked by.

    Example:
        >>> import pyarrow as pa
        >>> runs = pa.table({"x": [2, 1, 3]})
        >>> chosen(runs, condition="x > 1", sort="x", descending=True, limit=1)[0]["x"].to_pylist()
        [3]
    """
    asked = named(condition) if condition is not None else []
    asked += [sort] if sort is not None and sort not in asked else []
    found = where(table, condition) if condition is not None else table
    found = ordered(found, sort, descending=descending) if sort is not None else found
    return found if limit is None else found.slice(0, limit), asked
