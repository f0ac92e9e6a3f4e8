"""What a user writes: one TOML file, checked whole before anything is computed.

Every table is a frozen model that refuses unknown keys, so a misspelt key is an error and never a silent
default. Those of the world stand in :mod:`linrep.runs.world_config`; :mod:`linrep.runs.toml` reads them all
from TOML.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from linrep.runs.world_config import (
    ChainWorld,
    CompleteContexts,
    CompleteTokens,
    ContextsConfig,
    IndependentWorld,
    Probability,
    RandomWorld,
    SparseWorld,
    Table,
    TokensConfig,
    WorldConfig,
)

Count = Annotated[int, Field(ge=1, le=100_000)]
Positive = Annotated[float, Field(gt=0, le=1e30, allow_inf_nan=False)]


def _step_size(given: float | str) -> float | str:
    if given == AUTO or (isinstance(given, float) and 0 < given <= 1e30):
        return given
    raise ValueError(f"expected a number above 0, or '{AUTO}', got {given!r}")


AUTO = "auto"
StepSize = Annotated[float | str, AfterValidator(_step_size)]

DEFAULT_NETWORK: dict[str, dict[str, int]] = {
    "mlp": {"width": 64, "layers": 2},
    "transformer": {"width": 32, "layers": 2, "heads": 4},
}


class ModelConfig(Table):
    """The representations that are trained. After validation only what the encoder has is left."""

    dim: Count | None = None
    """k, the dimension of both tables; by default the affine rank of the tokens in use."""
    init_scale: Positive = 0.1
    """Standard deviation of the normal start; of a network, about that of the embeddings it starts with."""
    encoder: Literal["table", "mlp", "transformer"] = "table"
    """f: a row for each context, or a network that reads the context."""
    width: Count | None = None
    """Of a network's layers; by default 64 for an mlp, 32 for a transformer."""
    layers: Annotated[int, Field(ge=1, le=100)] | None = None
    """Hidden layers of an mlp, blocks of a transformer; by default 2."""
    heads: Count | None = None
    """Attention heads of a transformer, which divide its width; by default 4."""
    start: Literal["normal", "wide"] = "normal"
    """wide: 300 monotone steps at twice the width, then cut to the k largest singular directions of the
    logits; init_scale is that of the wider start."""
    starts: Annotated[int, Field(ge=1, le=100)] = 1
    """Wide starts tried for each run; training goes on from the one whose way down a ridge ends lowest."""

    @model_validator(mode="before")
    @classmethod
    def _only_what_applies(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        fields = dict(given)
        defaults = DEFAULT_NETWORK.get(str(fields.get("encoder", "table")), {})
        for name in ("width", "layers", "heads"):
            if name not in defaults:
                fields[name] = None
            elif fields.get(name) is None:
                fields[name] = defaults[name]
        return fields

    @model_validator(mode="after")
    def _starts_of_tables(self) -> "ModelConfig":
        if self.start == "wide" and self.encoder != "table":
            raise ValueError(
                f"start: a wide start is cut from tables, got encoder '{self.encoder}'; use 'normal'"
            )
        if self.starts > 1 and self.start != "wide":
            raise ValueError(f"starts: expected 1 unless start = 'wide', got {self.starts}; set one of them")
        return self

    @model_validator(mode="after")
    def _heads_divide(self) -> "ModelConfig":
        if self.width is not None and self.heads is not None and self.width % self.heads:
            raise ValueError(f"heads: expected a divisor of the width, {self.width}, got {self.heads}")
        return self


DEFAULT_STEP_SIZE = {"gd": 5.0, "sgd": 5.0, "adam": 0.01}
"""Where a schedule says how it falls; without one gd finds its own."""
DEFAULT_STEPS = {"gd": 3000, "newton": 300}
"""Of steps that find their own size."""
DEFAULT_BATCH_SIZE = 100
DEFAULT_NEWTON = {"until_excess": 1e-3, "until_gradient": 1e-4, "ridge": 1e-6}


class TrainingConfig(Table):
    """How they are trained. After validation only what applies is left: the rest is None."""

    optimizer: Literal["gd", "sgd", "adam", "newton"] = "sgd"
    """gd: full-batch gradient descent; sgd: sampled contexts and tokens; adam: full-batch Adam; newton:
    Newton's method on both tables along a falling ridge."""
    step_size: StepSize | None = None
    """Initial step size; by default 5 for sgd and for gd with a schedule, 0.01 for adam. "auto", the default
    for gd: every run finds its own, and its loss never rises. newton has none."""
    steps: Annotated[int, Field(ge=0, le=10**12)] = 30_000
    """By default 3000 for gd with step size "auto", 300 for newton."""
    batch_size: Count | None = None
    """Contexts, each with one sampled token, in a step of sgd; by default 100."""
    stream: Literal["shared", "own"] = "shared"
    """sgd: the pairs of all runs from one stream, or each run's from one of its own, counted out by step: it
    does not depend on the runs beside it, and tables are trained on it several times as fast."""
    samples: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Pairs of context and token drawn once for each run: sgd draws from them, gd at step size "auto" goes by
    their frequencies; by default both know the true distribution. How a run ended is judged by the loss of
    the pairs for gd, of the true distribution for sgd."""
    schedule: Literal["constant", "geometric", "cosine"] = "constant"
    final_step_size: Positive | None = None
    """Step size at the last step, for geometric (required) and cosine (default 0)."""
    until_excess: Positive | None = None
    """A run ends, and stays as it is, once its excess loss is this small, in nats; newton: 0.001."""
    until_gradient: Positive | None = None
    """And once its gradient is, in nats: its norm times that of both tables; newton: 0.0001."""
    ridge: Positive | None = None
    """newton: the ridge for each context at which it stops following growing norms; by default 1e-6."""
    snapshots: Annotated[int, Field(ge=2, le=1000)] = 40
    """Measurements at log-spaced steps, the start and the end included."""

    @model_validator(mode="before")
    @classmethod
    def _only_what_applies(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        fields = dict(given)
        optimizer = str(fields.get("optimizer", "sgd"))
        constant = fields.get("schedule", "constant") == "constant"
        if fields.get("step_size") is None:
            fields["step_size"] = AUTO if optimizer == "gd" and constant else DEFAULT_STEP_SIZE.get(optimizer)
        if "steps" not in fields and optimizer in DEFAULT_STEPS and fields["step_size"] in (AUTO, None):
            fields["steps"] = DEFAULT_STEPS[optimizer]
        for name, default in DEFAULT_NEWTON.items():
            if optimizer == "newton" and fields.get(name) is None:
                fields[name] = default
        if optimizer != "sgd":
            fields["batch_size"] = None
            fields.pop("stream", None)
        elif fields.get("batch_size") is None:
            fields["batch_size"] = DEFAULT_BATCH_SIZE
        if constant:
            fields["final_step_size"] = None
        return fields

    @model_validator(mode="after")
    def _samples_are_drawn_from(self) -> "TrainingConfig":
        if self.samples is not None and self.optimizer != "sgd" and self.step_size != AUTO:
            raise ValueError(
                f"samples: needs optimizer 'sgd', or 'gd' at step_size 'auto', got '{self.optimizer}'; leave "
                "it out, or train with one of these"
            )
        return self

    @model_validator(mode="after")
    def _own_steps(self) -> "TrainingConfig":
        if self.step_size == AUTO and self.optimizer != "gd":
            raise ValueError(
                f"step_size: 'auto' needs optimizer 'gd', got '{self.optimizer}'; leave it out"
                + (": newton finds its own" if self.optimizer == "newton" else ", or give a number")
            )
        if self.optimizer == "newton" and self.step_size is not None:
            raise ValueError(f"step_size: newton finds its own, got {self.step_size}; leave it out")
        if self.schedule != "constant" and self.step_size in (AUTO, None):
            raise ValueError(
                f"schedule: expected none where steps find their own size, got '{self.schedule}'; leave it "
                "out, or give training.step_size as a number"
            )
        if self.ridge is not None and self.optimizer != "newton":
            raise ValueError(f"ridge: needs optimizer 'newton', got '{self.optimizer}'; leave it out")
        return self

    @model_validator(mode="after")
    def _schedule_complete(self) -> "TrainingConfig":
        if self.schedule == "geometric" and self.final_step_size is None:
            raise ValueError("final_step_size: a geometric schedule needs one; set the step size it ends at")
        return self


class ShiftConfig(Table):
    """From a step on, the world has other probabilities: same graph, contexts and tokens."""

    step: Annotated[int, Field(ge=0)]
    """Steps made in the old world; with 0 all are made in the new one, as a control."""
    strength: Probability = 1.0
    """Share of the freshly drawn tables in the new ones; with 0 nothing changes, as a control."""


class ComputeConfig(Table):
    """Where and how it is computed. Threads are part of a run's key: they change the order of float sums."""

    device: str = "cpu"
    """Of PyTorch; "auto": a card if there is one and the work is worth it, and a result says what it took."""
    dtype: Literal["float32", "float64"] = "float32"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Threads for tensor operations; by default one per core this process may use."""
    method: Literal["auto", "dense", "fused"] = "auto"
    """Form of the population gradient (gd, adam); auto chooses by size."""


class MeasureConfig(Table):
    """How it is judged."""

    free_threshold_nats: Positive = 0.01
    """Not used any more: how a run ended is measured, not set. Stays, so that configs are read and runs found
    as before; so does the next."""
    bootstrap: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Not used any more: intervals are Student's t and need no resamples."""
    null_draws: Annotated[int, Field(ge=2, le=10_000)] = 20
    """Draws of random pairs behind each null."""


class OutputConfig(Table):
    """Not part of a run's key: it changes no result."""

    checkpoint_seconds: Positive = 30.0
    """A run under way is saved about this often."""


class Config(Table):
    """One experiment: a concept model, its contexts and tokens, the training and the measurement.

    Example:
        >>> import linrep
        >>> config = linrep.Config.model_validate({"world": {"kind": "chain", "concepts": 3}, "runs": 5})
        >>> config.training.optimizer, config.runs
        ('sgd', 5)
    """

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    runs: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Seeds trained together."""
    world: WorldConfig
    contexts: ContextsConfig = CompleteContexts()
    tokens: TokensConfig = CompleteTokens()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    shift: ShiftConfig | None = None
    compute: ComputeConfig = ComputeConfig()
    measure: MeasureConfig = MeasureConfig()
    output: OutputConfig = OutputConfig()

    @model_validator(mode="before")
    @classmethod
    def _complete_by_default(cls, given: Any) -> Any:
        """[contexts] and [tokens] without a kind are complete; a world with a network is of that kind."""
        if not isinstance(given, Mapping):
            return given
        fields = dict(given)
        world = fields.get("world")
        if isinstance(world, Mapping) and "kind" not in world:
            kinds = {"network": "network", "variables": "tables"}
            kind = next((kind for key, kind in kinds.items() if key in world), None)
            fields["world"] = {**({} if kind is None else {"kind": kind}), **world}
        for table in ("contexts", "tokens"):
            if isinstance(fields.get(table), Mapping) and "kind" not in fields[table]:
                fields[table] = {"kind": "complete", **fields[table]}
        training, compute = fields.get("training"), fields.get("compute", {})
        newton = isinstance(training, Mapping) and training.get("optimizer") == "newton"
        if newton and isinstance(compute, Mapping):
            # Its systems are solved in it; in float32 the loss could not be told to fall.
            fields["compute"] = {"dtype": "float64", **compute}
        return fields

    @model_validator(mode="after")
    def _ends_where_it_can(self) -> "Config":
        training = self.training
        if training.optimizer == "newton":
            if self.compute.dtype != "float64":
                raise ValueError(
                    f"compute.dtype: newton needs 'float64', got '{self.compute.dtype}'; leave it out"
                )
            if self.model.encoder != "table":
                raise ValueError(
                    "training.optimizer: newton moves tables, got model.encoder "
                    f"'{self.model.encoder}'; use gd"
                )
        if self.shift is not None and (training.until_excess or training.until_gradient):
            raise ValueError(
                "shift: a run that ends early would not see it; leave out until_excess, until_gradient"
            )
        return self

    @model_validator(mode="after")
    def _samples_its_own(self) -> "Config":
        if isinstance(self.world, SparseWorld):
            for name, kind in (("contexts", self.contexts.kind), ("tokens", self.tokens.kind)):
                if kind != "complete":
                    raise ValueError(
                        f"{name}: a sparse world samples its own, got kind '{kind}'; leave it out, and set "
                        "world.samples, world.contexts and world.known"
                    )
        return self

    @model_validator(mode="after")
    def _can_shift(self) -> "Config":
        if self.shift is None:
            return self
        if self.shift.step >= self.training.steps:
            raise ValueError(
                f"shift.step: expected a step before the last, training.steps = {self.training.steps}, "
                f"got {self.shift.step}"
            )
        dependence: float = getattr(self.world, "dependence", 1.0)
        if dependence != 1:
            raise ValueError(
                "shift: probabilities are drawn anew for the world's own graph, got world.dependence = "
                f"{dependence}; leave one of them out"
            )
        drawn = isinstance(self.world, IndependentWorld | ChainWorld | RandomWorld)
        if not drawn or getattr(self.world, "probabilities", None) is not None:
            raise ValueError(
                "shift: expected a world whose probabilities are drawn (independent, chain or random), got "
                f"{'given probabilities' if drawn else repr(self.world.kind)}; choose one of those, or "
                "remove [shift]"
            )
        return self
