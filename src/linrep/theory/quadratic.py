"""A convex quadratic program, solved without a word to the terminal: how it went is in the status."""

import warnings
from importlib import import_module
from typing import Any

from linrep.progress import stage


def solve_quadratic(problem: Any, *, tolerance: float) -> str:
    """Solve a program of cvxpy in place, by CLARABEL.

    Args:
        problem: A ``cvxpy.Problem``; its variables hold the solution afterwards, or None.
        tolerance: Of feasibility and the relative gap; a tenth of it, of the absolute gap.

    Returns:
        cvxpy's word, "optimal" if all is well, or the error of a solver that failed. A solution that misses
        the tolerance is "optimal_inaccurate": the caller's certificate says by how much, so cvxpy's warning
        would add nothing.

    Example:
        >>> import cvxpy
        >>> x = cvxpy.Variable()
        >>> solve_quadratic(cvxpy.Problem(cvxpy.Minimize(x**2), [x >= 1]), tolerance=1e-10)
        'optimal'
    """
    cvxpy: Any = import_module("cvxpy")
    with stage("convex program"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
        try:
            problem.solve(
                solver="CLARABEL", tol_gap_abs=tolerance / 10, tol_gap_rel=tolerance, tol_feas=tolerance
            )
        except cvxpy.error.SolverError as error:
            return f"solver error: {error}"
    return str(problem.status)
