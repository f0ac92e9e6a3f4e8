"""Tables that a user brings, F or G or both, as tensors; whatever is wrong with one is said in one line."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.errors import InputError

CALL = 'linrep.measure(G, pairs={"male-female": [(3, 8), …]})'
"""The right call, at the end of an error."""


def own_table(given: Any, name: str) -> Float64[Tensor, "runs rows dim"]:
    """A table as the ruler takes it: on the CPU, in float64, detached, runs first.

    Args:
        given: A NumPy array, a tensor (a parameter too), a DataFrame or nested lists, of any real numbers;
            ``[rows, dim]``, or ``[runs, rows, dim]``.
        name: "F" or "G", for errors.

    Raises:
        InputError: Another shape, no numbers, or some that are not finite, naming the first row.

    Example:
        >>> own_table([[1, 2], [3, 4], [5, 6]], "G").shape
        torch.Size([1, 3, 2])
    """
    table = _tensor(given, name)
    if table.is_complex():
        raise InputError(f"{name}: expected real numbers, got {table.dtype}; give real and imaginary parts")
    if table.dim() not in (2, 3):
        raise InputError(
            f"{name}: expected vectors as [rows, dim] or [runs, rows, dim], got shape {list(table.shape)}; "
            f"{CALL}"
        )
    table = table.detach().to("cpu", torch.float64)
    table = (table if table.dim() == 3 else table[None]).contiguous()
    if 0 in table.shape:
        raise InputError(f"{name}: expected some rows and columns, got shape {list(table.shape)}; {CALL}")
    bad = (~table.isfinite().all(2)).nonzero()
    if len(bad):
        run, row = bad[0].tolist()
        where = f"row {row}" if len(table) == 1 else f"row {row} of run {run}"
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise InputError(
            f"{name}: expected finite numbers, got NaN or infinity in {where}{more}; leave it out"
        )
    return table


def _tensor(given: Any, name: str) -> Tensor:
    if isinstance(given, Tensor):
        return given
    if hasattr(given, "columns") and hasattr(given, "dtypes"):
        words = [str(column) for column, kind in given.dtypes.items() if kind.kind not in "fiub"]
        if words:
            raise InputError(
                f"{name}: expected columns of numbers, got {words[0]!r} of another kind; leave it out: "
                f"frame.drop(columns=[{words[0]!r}])"
            )
        given = given.to_numpy(dtype=np.float64)
    try:
        array = np.asarray(given)
    except ValueError:
        raise InputError(f"{name}: expected rows of one length, got ragged lists; pad or drop some") from None
    if array.dtype.kind == "c":
        raise InputError(f"{name}: expected real numbers, got {array.dtype}; give real and imaginary parts")
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name}: expected numbers, got {type(given).__name__} of {array.dtype}; {CALL}")
    return torch.from_numpy(np.array(array, dtype=np.float64, order="C"))


def precision(*given: Any) -> torch.dtype:
    """Float32 if all tables came in it, else float64.

    Example:
        >>> precision(torch.zeros(2, 2), np.zeros((2, 2), dtype=np.float32)), precision([[1.0]])
        (torch.float32, torch.float64)
    """
    single = all(str(getattr(each, "dtype", "")).endswith("float32") for each in given)
    return torch.float32 if single else torch.float64


def same_form(embedding: Tensor, unembedding: Tensor) -> None:
    """Refuse two tables that cannot belong together.

    Raises:
        InputError: They differ in the number of runs or in their width.
    """
    shapes = f"got F {list(embedding.shape)} and G {list(unembedding.shape)} as [runs, rows, dim]"
    if len(embedding) != len(unembedding):
        raise InputError(f"F, G: expected as many runs in both, {shapes}")
    if embedding.shape[2] != unembedding.shape[2]:
        raise InputError(f"F, G: expected one width, since f(d)·g(c) is the logit, {shapes}")
