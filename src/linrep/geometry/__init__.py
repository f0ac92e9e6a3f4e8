"""THE RULER. Matrices and index pairs in, frozen records out; it knows no model, so tables and
language models are measured by the same functions.
"""

from linrep.geometry.additive import AdditiveShare, additive_share
from linrep.geometry.compatibility import Triples, triples
from linrep.geometry.cross_talk import CrossTalk, cross_talk
from linrep.geometry.gauge import gauge_imbalance
from linrep.geometry.hierarchy import child_overlap
from linrep.geometry.log_odds_gap import LogOddsGap, Points, log_odds_gap
from linrep.geometry.margin import Margin, margin
from linrep.geometry.measurement import Measurement, Null, Similarity, measure, snapshot
from linrep.geometry.moments import Moments, steering_moments
from linrep.geometry.pairs import (
    Pairs,
    contrast_pairs,
    contrasts,
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
from linrep.geometry.simplex import regular_deviation, span_share, vertices
from linrep.geometry.spectrum import energy_by_degree
from linrep.geometry.uncertainty import interval_over_runs, intervals_over_vectors
from linrep.geometry.values import Values

__all__ = [
    "AdditiveShare",
    "CrossTalk",
    "LogOddsGap",
    "Margin",
    "Measurement",
    "Moments",
    "Null",
    "Pairs",
    "Points",
    "Similarity",
    "Triples",
    "Values",
    "additive_share",
    "alignment",
    "alignment_matrix",
    "child_overlap",
    "contrast_pairs",
    "contrasts",
    "counterfactual_pairs",
    "cross_talk",
    "energy_by_degree",
    "gauge_imbalance",
    "interval_over_runs",
    "intervals_over_vectors",
    "linearity",
    "log_odds_gap",
    "margin",
    "measure",
    "off_diagonal",
    "orthogonality_mean",
    "orthogonality_rms",
    "pairs_from_lists",
    "random_pairs",
    "regular_deviation",
    "repeat",
    "shuffled_pairs",
    "snapshot",
    "span_share",
    "stack",
    "steering_moments",
    "triples",
    "vertices",
]
