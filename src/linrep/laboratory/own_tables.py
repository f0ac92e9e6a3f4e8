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
        InputError: Another shape, no numbers, or some that are not finite, naming the first row, or too
            large to square.

    Example:
        >>> own_table([[1, 2], [3, 4], [5, 6]], "G").shape
        torch.Size([1, 3, 2])
    """
    table = _tensor(given, name)
    if table.dim() not in (2, 3):
        raise InputError(
            f"{name}: expected vectors as [rows, dim] or [runs, rows, dim], got shape {list(table.shape)}; "
            f"{CALL}"
        )
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
    largest = float(table.abs().max())
    if largest and not 1 / LARGEST <= largest <= LARGEST:
        raise InputError(
            f"{name}: expected numbers whose squares a float holds, got up to {largest:.3g}; give them in "
            "another unit: cosines do not change with it"
        )
    return table


LARGEST = 1e70
"""Squares of products of two such numbers are finite; cosines of larger ones would silently be wrong."""


def in_memory(given: Any, name: str) -> Any:
    """Tensors as dense numbers on the CPU, detached, floats in float64, also those of a list; else as given.

    Args:
        given: Anything.
        name: For errors.

    Raises:
        InputError: A tensor that has no numbers, or not the same for each row.

    Example:
        >>> in_memory(torch.eye(2, dtype=torch.bfloat16).to_sparse(), "G")
        tensor([[1., 0.],
                [0., 1.]], dtype=torch.float64)
    """
    if isinstance(given, list | tuple):
        several: list[Any] = list(given)
        if any(isinstance(each, Tensor) for each in several):
            return [each.numpy() if isinstance(each, Tensor) else each
                    for each in (in_memory(each, name) for each in several)]  # fmt: skip
    if not isinstance(given, Tensor):
        return given
    if given.is_meta or given.is_nested:
        raise InputError(
            f"{name}: expected a tensor with a number in every place, got one that is "
            f"{'on the meta device' if given.is_meta else 'nested'}; give plain numbers"
        )
    if given.is_complex():
        raise InputError(f"{name}: expected real numbers, got {given.dtype}; give real and imaginary parts")
    dense = given.detach().dequantize() if given.is_quantized else given.detach().to_dense()
    return (dense.double() if dense.is_floating_point() else dense).cpu().resolve_neg()


def _tensor(given: Any, name: str) -> Tensor:
    given = in_memory(given, name)
    if isinstance(given, Tensor):
        return given.double()
    if hasattr(given, "columns") and hasattr(given, "dtypes"):
        words = [str(column) for column, kind in given.dtypes.items() if kind.kind not in "fiub"]
        if words:
            raise InputError(
                f"{name}: expected columns of numbers, got {words[0]!r} of another kind; leave it out: "
                f"frame.drop(columns=[{words[0]!r}])"
            )
        given = given.to_numpy(dtype=np.float64)
    if np.ma.is_masked(given):
        given = given.astype(np.float64).filled(np.nan)
    try:
        array = np.asarray(given)
    except ValueError:
        raise InputError(f"{name}: expected rows of one length, got ragged lists; pad or drop some") from None
    except (TypeError, RuntimeError):  # what torch says of tensors deep in lists
        raise InputError(f"{name}: expected plain numbers, got {type(given).__name__}; {CALL}") from None
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
