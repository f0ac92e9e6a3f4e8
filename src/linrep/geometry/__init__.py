"""THE RULER. Matrices and index pairs in, frozen records out; it knows no model, so tables and
language models are measured by the same functions.
"""

from linrep.geometry.moments import Moments, steering_moments
from linrep.geometry.pairs import (
    Pairs,
    counterfactual_pairs,
    pairs_from_lists,
    random_pairs,
    repeat,
    shuffled_pairs,
    stack,
)
from linrep.geometry.similarity import (
    alignment,
    alignment_matrix,
    linearity,
    off_diagonal,
    orthogonality_mean,
    orthogonality_rms,
)

__all__ = [
    "Moments",
    "Pairs",
    "alignment",
    "alignment_matrix",
    "counterfactual_pairs",
    "linearity",
    "off_diagonal",
    "orthogonality_mean",
    "orthogonality_rms",
    "pairs_from_lists",
    "random_pairs",
    "repeat",
    "shuffled_pairs",
    "stack",
    "steering_moments",
]
