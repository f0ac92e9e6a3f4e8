"""From numbers to a verdict by stated rules: nothing here is decided by hand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from linrep.intervals import mean_interval

LEAST_SEEDS = 20
RULE = (
    "A test holds when the whole 95 % interval of the mean over seeds (Student's t) meets its rule and at "
    f"least {LEAST_SEEDS} seeds have a value; a control fails, as it must, when its whole interval breaks "
    "the same rule. A claim holds when all its tests hold and all its controls fail; if a control breaks a "
    "condition, the claim holds under that condition. Otherwise it fails: it is not shown. Conjectures are "
    "reported and do not count."
)

Role = Literal["test", "control", "conjecture"]
Outcome = Literal["holds", "fails", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over seeds with its 95 % interval (Student's t); None where too few seeds have a value."""

    mean: float | None
    interval95: tuple[float, float] | None
    seeds: int

    @property
    def text(self) -> str:
        """``0.012 [0.010, 0.014], 20 seeds``."""
        if self.mean is None:
            return f"–, {self.seeds} seeds"
        bounds = "" if self.interval95 is None else " [{:.3g}, {:.3g}]".format(*self.interval95)
        return f"{self.mean:.3g}{bounds}, {self.seeds} seeds"


def estimate(values: Sequence[float | None]) -> Estimate:
    """Mean and interval of one number per seed; seeds without a value are left out.

    Args:
        values: One per seed; None or NaN where there is none.

    Example:
        >>> estimate([1.0, 1.0, 1.0, 1.0, None])
        Estimate(mean=1.0, interval95=(1.0, 1.0), seeds=4)
    """
    present = torch.tensor([v for v in values if v is not None and math.isfinite(v)], dtype=torch.float64)
    mean = float(present.mean()) if len(present) else None
    return Estimate(mean=mean, interval95=mean_interval(present), seeds=len(present))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the interval is held against."""

    kind: Literal["at most", "at least", "near"]
    bound: float
    """The limit; for "near" the largest distance from the target."""
    target: float = 0.0

    @property
    def text(self) -> str:
        """The rule in words."""
        if self.kind == "near":
            return f"within {self.bound:g} of {self.target:.4g}"
        return f"{self.kind} {self.bound:g}"

    @property
    def range(self) -> tuple[float, float]:
        """Values that meet it."""
        if self.kind == "near":
            return self.target - self.bound, self.target + self.bound
        return (-math.inf, self.bound) if self.kind == "at most" else (self.bound, math.inf)


def judge(measured: Estimate, rule: Rule) -> Outcome:
    """Whether the whole interval meets the rule, breaks it, or neither; too few seeds decide nothing.

    Args:
        measured: With its interval.
        rule: Held against it.

    Example:
        >>> judge(Estimate(mean=0.5, interval95=(0.4, 0.6), seeds=20), Rule(kind="at most", bound=0.5))
        'undecided'
    """
    if measured.interval95 is None or measured.seeds < LEAST_SEEDS:
        return "undecided"
    low, high = measured.interval95
    least, most = rule.range
    if least <= low and high <= most:
        return "holds"
    return "fails" if high < least or low > most else "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One number held against one rule."""

    name: str
    """What was measured, in words."""
    quantity: str
    """The number's short name, with its unit if it has one."""
    role: Role = "test"
    condition: str = ""
    """control: the condition of the claim that is broken; empty where the control breaks none."""
    experiments: tuple[str, ...]
    """Configs it used; none for a computation, which ``name`` describes."""
    measured: Estimate
    prediction: float | None
    rule: Rule
    null: float | None = None
    """The same measure on random pairs."""

    @property
    def outcome(self) -> Outcome:
        """By :func:`judge`."""
        return judge(self.measured, self.rule)

    def control(self, *, breaks: str = "") -> "Trial":
        """The same trial as a control, which is to fail.

        Args:
            breaks: The condition of the claim that does not hold here; none where rows are shuffled, say.
        """
        return replace(self, role="control", condition=breaks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim with everything that was held against it."""

    id: str
    short: str
    """A word or two for it."""
    title: str
    statement: str
    trials: tuple[Trial, ...]

    @property
    def conditions(self) -> tuple[str, ...]:
        """Conditions without which the claim was seen to fail, in order."""
        broken = [t.condition for t in self.trials if t.role == "control" and t.outcome == "fails"]
        return tuple(dict.fromkeys(condition for condition in broken if condition))

    @property
    def doubts(self) -> tuple[Trial, ...]:
        """Tests that do not hold and controls that do not fail."""
        wanted = {"test": "holds", "control": "fails"}
        return tuple(t for t in self.trials if t.role in wanted and t.outcome != wanted[t.role])

    @property
    def verdict(self) -> str:
        """*holds*, *holds under …* or *fails*, from the outcomes alone."""
        if self.doubts or not any(t.role == "test" for t in self.trials):
            return "fails"
        return f"holds under {listed(self.conditions)}" if self.conditions else "holds"

    @property
    def reason(self) -> str:
        """What stands in the way, if something does."""
        said: list[str] = []
        for trial in self.doubts:
            if trial.measured.seeds < LEAST_SEEDS:
                said.append(f"{trial.name}: only {trial.measured.seeds} seeds have a value")
            elif trial.role == "test":
                said.append(f"{trial.name}: not {trial.rule.text}")
            else:
                said.append(f"control not seen to fail: {trial.name}")
        return "; ".join(said)


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
