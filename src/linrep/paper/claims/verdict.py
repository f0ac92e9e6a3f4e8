"""From numbers to a verdict by stated rules: nothing here is decided by hand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from linrep.intervals import mean_interval
from linrep.laboratory.ended import AT_REST, SMALL

LEAST_SEEDS = 20
RULE = (
    "A test holds when the whole 95 % interval of the mean over seeds (Student's t) meets its rule and at "
    f"least {LEAST_SEEDS} seeds have a value; it fails when the whole interval breaks the rule, and is "
    "undecided otherwise. A control takes one condition away and must fail by the same rule. A claim holds "
    "when all its tests hold and all its controls fail; it fails when a test fails; else it is undecided: an "
    "interval straddles its rule, seeds are too few, or a control does not fail, so that its test tells "
    "nothing. Of trained tables only those that converged count, in the word of every summary of a run: an "
    f"excess loss up to {SMALL:g} of that of tables that know nothing, or {AT_REST:g} times that at rest. "
    "Conjectures are reported and do not count."
)

Role = Literal["test", "control", "conjecture"]
Outcome = Literal["holds", "fails", "undecided"]
WANTED: dict[Role, Outcome] = {"test": "holds", "control": "fails"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over seeds with its 95 % interval (Student's t); None where too few seeds have a value."""

    mean: float | None
    interval95: tuple[float, float] | None
    seeds: int

    @property
    def numbers(self) -> str:
        """``0.0123 [0.0101, 0.0145]``."""
        if self.mean is None:
            return "–"
        bounds = "" if self.interval95 is None else " [{}, {}]".format(*map(written, self.interval95))
        return f"{written(self.mean)}{bounds}"


def written(value: float) -> str:
    """Three digits that count, and never a power of ten.

    Example:
        >>> written(0.99971), written(-0.0000929), written(12345.6)
        ('1.00', '−0.0000929', '12,346')
    """
    value = float(f"{value:.3g}") if abs(value) < 1000 else value
    digits = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}".replace("-", "−")


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
    """What the interval is held against: how far it may lie from the predicted value."""

    kind: Literal["at most", "at least", "near"]
    bound: float
    """The limit; for "near" the largest distance from the target."""
    target: float
    """What theory predicts."""

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

    def distance(self, value: float) -> float:
        """From the target, in units of what the rule allows: at most 1 where the rule is met.

        Args:
            value: Beyond the target, where all is allowed, it counts as on the target.

        Example:
            >>> Rule(kind="at least", bound=0.75, target=1.0).distance(0.5)
            2.0
        """
        if self.kind == "near":
            return abs(value - self.target) / self.bound
        return (
            max(value - self.target, 0.0) / (self.bound - self.target)
            if self.kind == "at most"
            else (max(self.target - value, 0.0) / (self.target - self.bound))
        )

    def distances(self, low: float, high: float) -> tuple[float, float]:
        """The least and the largest distance in an interval.

        Args:
            low: Its lower end.
            high: Its upper end.

        Example:
            >>> Rule(kind="near", bound=0.5, target=1.0).distances(0.5, 1.25)
            (0.0, 1.0)
        """
        ends = self.distance(low), self.distance(high)
        return (0.0 if low <= self.target <= high else min(ends)), max(ends)


def judge(measured: Estimate, rule: Rule) -> Outcome:
    """Whether the whole interval meets the rule, breaks it, or neither; too few seeds decide nothing.

    Args:
        measured: With its interval.
        rule: Held against it.

    Example:
        >>> rule = Rule(kind="at most", bound=0.5, target=0.0)
        >>> judge(Estimate(mean=0.5, interval95=(0.4, 0.6), seeds=20), rule)
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
    rule: Rule
    trained: int | None = None
    """Runs that were trained, of which those that converged are measured; None where no limit is claimed."""
    null: float | None = None
    """The same measure on random pairs."""

    @property
    def prediction(self) -> float | None:
        """What theory predicts; a conjecture predicts a trend, no number."""
        return None if self.role == "conjecture" else self.rule.target

    @property
    def count(self) -> str:
        """How many are measured: ``20 seeds``, or ``35 of 64 runs``."""
        known = self.measured.seeds
        return f"{known} seeds" if self.trained is None else f"{known} of {self.trained} runs"

    @property
    def outcome(self) -> Outcome:
        """By :func:`judge`."""
        return judge(self.measured, self.rule)

    @property
    def as_wanted(self) -> bool:
        """A test that holds or a control that fails; a conjecture may do as it likes."""
        return self.role == "conjecture" or self.outcome == WANTED[self.role]

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
        return tuple(t for t in self.trials if not t.as_wanted)

    @property
    def verdict(self) -> Outcome:
        """From the outcomes alone, as :data:`RULE` says."""
        tests = [t for t in self.trials if t.role == "test"]
        if any(t.outcome == "fails" for t in tests):
            return "fails"
        return "holds" if tests and not self.doubts else "undecided"

    @property
    def reason(self) -> str:
        """What stands in the way, if something does."""
        said: list[str] = []
        for trial in self.doubts:
            if trial.measured.seeds < LEAST_SEEDS:
                said.append(f"{trial.name}: only {trial.measured.seeds} seeds have a value")
            elif trial.role == "test":
                how = "not" if trial.outcome == "fails" else "its interval is not all"
                said.append(f"{trial.name}: {how} {trial.rule.text}")
            else:
                said.append(f"control not seen to fail: {trial.name}")
        return "; ".join(said)
