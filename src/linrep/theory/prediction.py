"""What theory predicts for one world and width: the record that is printed, drawn and compared."""

from dataclasses import dataclass
from typing import Literal

from linrep.theory.certificate import Certificate
from linrep.theory.limit_geometry import LimitGeometry

Status = Literal[
    "optimal", "additive_not_proven_optimal", "unreachable", "no_convex_prediction", "solver_failed"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SingularValue:
    """One singular value of the limit's logits; degree is None where the world has no flip symmetry."""

    degree: int | None
    value: float
    multiplicity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Status first; every number that theory does not give at this width is None, never a stand-in.

    Example:
        >>> import linrep
        >>> linrep.predict("cancer", dim=4).status
        'unreachable'
    """

    status: Status
    reason: str
    """One sentence: why this status."""
    concepts: int
    dim: int | None
    """Width asked about; None for "wide enough"."""
    solver_status: str | None = None
    objective: float | None = None
    """Nuclear norm of the limit logits at unit margin."""
    singular_values: tuple[SingularValue, ...] = ()
    rank: int | None = None
    geometry: LimitGeometry | None = None
    certificate: Certificate | None = None

    def __repr__(self) -> str:
        asked = "wide enough" if self.dim is None else f"k = {self.dim}"
        numbers = ""
        if (g := self.geometry) is not None:
            limits = {
                "linearity of g": g.linearity_unembedding,
                "of f": g.linearity_embedding,
                "alignment": g.alignment,
            }
            known = [f"{name} {value:.2f}" for name, value in limits.items() if value is not None]
            numbers = "; " + ", ".join(known) if known else ""
        return f"Prediction({self.concepts} concepts, {asked}: {self.status}{numbers}; {self.reason})"

    def as_json(self) -> dict[str, object]:
        """The JSON object of ``linrep predict --json``; unknown numbers are null."""
        g = self.geometry
        return {
            "status": self.status,
            "reason": self.reason,
            "concepts": self.concepts,
            "dim": self.dim,
            "solver_status": self.solver_status,
            "objective": self.objective,
            "singular_values": [
                {"degree": s.degree, "value": s.value, "multiplicity": s.multiplicity}
                for s in self.singular_values
            ],
            "rank": self.rank,
            "linearity": {
                "embedding": g.linearity_embedding if g else None,
                "unembedding": g.linearity_unembedding if g else None,
            },
            "alignment": g.alignment if g else None,
            "orthogonality": {
                "mean_directions": g.orthogonality_mean_directions if g else None,
                "rms_embedding": g.orthogonality_rms_embedding if g else None,
                "rms_unembedding": g.orthogonality_rms_unembedding if g else None,
            },
            "additive_share": {
                "embedding": g.additive_share_embedding if g else None,
                "unembedding": g.additive_share_unembedding if g else None,
            },
            "spectrum": list(g.spectrum) if g and g.spectrum else None,
            "certificate": self.certificate.as_json() if self.certificate else None,
        }


def prediction_rows(prediction: Prediction) -> list[tuple[str, str, str]]:
    """A prediction as table rows (quantity, embedding or only value, unembedding), text to three digits.

    Naively: format every field by hand.

    Args:
        prediction: The record.

    Returns:
        Rows of three strings; "–" for a number that theory does not give; the third is empty if there is one.

    Example:
        >>> prediction_rows(Prediction(status="unreachable", reason="k < m", concepts=3, dim=2))[0]
        ('status', 'unreachable', '')

    References:
        Theory claim C6.
    """
    g = prediction.geometry
    rows = [("status", prediction.status.replace("_", " "), ""), ("why", prediction.reason, "")]
    if prediction.objective is None:
        return rows
    rows += [("objective (nuclear norm)", _digits(prediction.objective), "")]
    rows += [("rank", "–" if prediction.rank is None else str(prediction.rank), "")]
    for s in prediction.singular_values:
        name = "singular value" if s.degree is None else f"singular value, degree {s.degree}"
        rows.append((name, _digits(s.value), f"× {s.multiplicity}"))
    if g is not None:
        rows += [
            (
                "linearity (embedding, unembedding)",
                _digits(g.linearity_embedding),
                _digits(g.linearity_unembedding),
            ),
            ("alignment", _digits(g.alignment), ""),
            ("orthogonality, mean directions", _digits(g.orthogonality_mean_directions), ""),
            (
                "orthogonality, RMS cosine",
                _digits(g.orthogonality_rms_embedding),
                _digits(g.orthogonality_rms_unembedding),
            ),
            ("additive share", _digits(g.additive_share_embedding), _digits(g.additive_share_unembedding)),
        ]
    if prediction.certificate is not None:
        rows += [("certificate: relative gap", f"{prediction.certificate.relative_gap:.1e}", "")]
    return rows


def _digits(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 1e6 else f"{value:.4e}"
