"""A feasible point and a lower bound of our own: what is proven, whatever the solver said."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Primal value of a feasible point and a dual lower bound, computed by us from a solver's numbers."""

    primal: float
    dual: float

    @property
    def relative_gap(self) -> float:
        """(primal − dual)/primal, no unit; 0 for two zeros; infinite when either value is not finite."""
        if not (math.isfinite(self.primal) and math.isfinite(self.dual)):
            return math.inf
        if self.primal == self.dual == 0.0:
            return 0.0
        return (self.primal - self.dual) / abs(self.primal)

    def as_json(self) -> dict[str, float | None]:
        """The three numbers; null where one is not finite."""
        values = {"primal": self.primal, "dual": self.dual, "relative_gap": self.relative_gap}
        return {name: value if math.isfinite(value) else None for name, value in values.items()}
