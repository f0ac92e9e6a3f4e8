"""``linrep.measure``: the ruler for anyone's own vectors. Nothing heavy is imported before it is called."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linrep.laboratory.reading import Reading


def measure(
    *tables: Any,
    codes: Any = None,
    pairs: Any = None,
    world: Any = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    draws: int = 20,
    progress: bool = True,
) -> "Reading":
    r"""Are concepts directions in these vectors, beside what chance gives: linearity, overlap, alignment, ….

    ``linrep.measure(G, …)`` measures one table, ``linrep.measure(F, G, …)`` two whose product is a logit,
    such as contexts and tokens, and whether their directions agree. Say in one of three ways what rows are.

    Naively: ``mean(cosine(g[b] - g[a], g[d] - g[c]) for all pairs (a, b), (c, d) of a concept)``, alone.

    Args:
        *tables: G, or F and G: ``[rows, dim]``, or ``[runs, rows, dim]`` for several at once; NumPy, torch
            (parameters too), a DataFrame or lists, of any real numbers.
        codes: The concept values of each row, ``[rows, concepts]``; -1, None, NaN, "?" or "⋄" where a value
            is unknown. Two rows that differ in one concept alone are a pair of it.
        pairs: Pairs of rows by concept, ``{"male-female": [(3, 8), …]}``, each (low row, high row).
        world: Its contexts are the rows of F and its tokens those of G, in its order; adds the log-odds gap,
            margins and excess loss. A world, a concept model or a network by name; or a list, one for each
            run.
        names: Of the concepts; by default those of the world, the columns or the pairs.
        seed: Of the null; equal calls give equal results.
        draws: Times the null is drawn.
        progress: Whether to show a bar where it takes long, in a terminal or a notebook.

    With two tables, codes and pairs are a tuple of two, ``(of_F, of_G)``, or one where the rows are the same.

    Returns:
        Every measure with its null, its interval and its number of pairs, of the tables as they lie. Equal to
        what ``linrep run`` says of the same tables, world and seed; but those of Adam and of networks it
        turns first, as :func:`linrep.theory.gauge.balanced_gauge` does.

    Raises:
        InputError: What cannot be measured: what is wrong, and the right call.

    Example:
        >>> import linrep
        >>> cube = [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]]
        >>> found = linrep.measure(cube, codes=cube, names=["gender", "number", "tense"])
        >>> found.measures["linearity", "unembedding"].mean
        1.0
        >>> found.matrix("orthogonality.mean_directions").loc["gender", "tense"].item()
        0.0

    References:
        docs/theory, section 2.
    """
    from linrep.errors import InputError
    from linrep.laboratory.laid import lay
    from linrep.progress import told
    from linrep.runs.config import MeasureConfig

    for name, value, least in (("seed", seed, 0), ("draws", draws, 2)):
        if type(value) is not int or value < least:
            raise InputError(f"{name}: expected a whole number of at least {least}, got {value!r}")
    settings = MeasureConfig(null_draws=draws)
    laid = lay(tables, codes=codes, pairs=pairs, world=world, names=names)
    with told(quiet=not progress or laid.rows < MANY_ROWS):
        return laid.read(seed=seed, settings=settings)


MANY_ROWS = 20_000
"""From so many on a bar is shown."""
