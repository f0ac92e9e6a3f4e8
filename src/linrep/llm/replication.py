"""The paper's figures of LLaMA-2 for any model: four findings, each one number in a stated gauge, and the
same in the others.

The paper measures four things, in this order: word pairs of one concept differ by one direction; directions
of different concepts are apart, which depends on the inner product; states of paired contexts move along the
direction of their own concept and of no other; states of Winograd pairs move from one referent to the other.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch

from linrep.errors import InputError
from linrep.intervals import mean_interval
from linrep.llm.architecture import is_encoder_decoder
from linrep.llm.inner import InnerName
from linrep.llm.inputs import ContextsInput, PairsInput, WinogradInput
from linrep.llm.measurement import Model, ModelRead, read_model
from linrep.llm.options import MeasureOptions
from linrep.llm.resampling import NONE
from linrep.llm.result import LMResult
from linrep.llm.source import LoadOptions, locate
from linrep.llm.states import Progress
from linrep.llm.weights import is_table
from linrep.llm.words import overlap_row
from linrep.runs.drawing import drawing
from linrep.runs.row import NullRange, Row, Subject
from linrep.runs.tidy import Tidy, plain

FigureName = Literal["linearity", "overlap", "alignment", "winograd"]
FIGURES: tuple[FigureName, ...] = ("linearity", "overlap", "alignment", "winograd")
INNERS: tuple[InnerName, ...] = ("euclid", "causal", "random")
HEADLINES: dict[FigureName, tuple[str, str]] = {
    "linearity": ("linearity", ""),
    "overlap": ("orthogonality_mean", ""),
    "alignment": ("alignment_direction", ""),
    "winograd": ("alignment", "winograd"),
}
"""Measure and concept of the one number of each figure."""
NOT_RUN = "the model was not run: only a table of it was read"


@dataclass(frozen=True, slots=True, kw_only=True)
class LMPaper(Tidy):
    """The paper's four figures of one model.

    `rows` holds the four numbers under each of three inner products (concept "", or "winograd"), then
    everything they rest on, concept by concept.

    Example:
        >>> of_nothing = LMPaper(inner="euclid", measured={}, rows=())
        >>> of_nothing.headline("winograd") is None
        True
    """

    columns: ClassVar[tuple[str, ...]] = LMResult.columns
    inner: InnerName
    """That of the headlines."""
    measured: Mapping[InnerName, LMResult]
    """The whole measurement in each gauge."""
    absent: Mapping[FigureName, str] = field(default_factory=dict[FigureName, str])
    """Why a figure has no number."""

    @property
    def result(self) -> LMResult:
        """The measurement that the headlines rest on."""
        return self.measured[self.inner]

    @property
    def subject(self) -> dict[str, str | int]:
        """Model and seed."""
        return self.result.subject

    def headline(self, figure: FigureName, inner: InnerName | None = None) -> Row | None:
        """The one number of a figure, in the headlines' gauge or in another; None where there is none."""
        measure, concept = HEADLINES[figure]
        return self.number(measure, concept, inner)

    def number(self, measure: str, concept: str = "", inner: InnerName | None = None) -> Row | None:
        """A number of the whole model; None where there is none."""
        wanted = (measure, concept, inner or self.inner)
        for row in self.rows:
            if (row.measure, row.concept, row.inner) == wanted and math.isfinite(row.value):
                return row
        return None

    def json(self) -> dict[str, Any]:
        """The four figures, what was read and how, and every row; null for what does not exist."""
        figures = {
            name: {"number": None if (row := self.headline(name)) is None else row.record(self.columns)}
            | ({"absent": self.absent[name]} if name in self.absent else {})
            for name in FIGURES
        }
        matrices = {
            f"{name}": {"rows": each.rows, "columns": each.columns, "values": each.values}
            for name, each in self.matrices.items()
        }
        rows = [row.record(self.columns) for row in self.rows]
        return plain({**self.result.summary, "figures": figures, "rows": rows, "matrices": matrices})

    def page(self) -> str:
        """The page as one HTML file."""
        return drawing("lm paper page")(self)

    def figures(self, folder: Path | str) -> list[Path]:
        """Save every figure as PDF, SVG and PNG; returns the files."""
        return drawing("lm paper figures")(self, folder)


def paper(
    model: Model,
    pairs: PairsInput = "builtin",
    contexts: ContextsInput = "builtin",
    winograd: WinogradInput = "builtin",
    *,
    seed: int,
    options: MeasureOptions | None = None,
    load: LoadOptions | None = None,
    progress: Progress | None = None,
) -> LMPaper:
    """The paper's figures of LLaMA-2, of any language model.

    Naively: :func:`linrep.llm.measure` once for each inner product, and means over concepts by hand.

    Args:
        model: As :func:`linrep.llm.measure` takes it.
        pairs: Word pairs: "builtin", a file or folder, records, or {concept: [(low, high), …]}.
        contexts: Paired contexts: "builtin", a file or folder, records, or None.
        winograd: Winograd pairs: "builtin", a file, a record, or None. With neither contexts nor Winograd
            pairs one tensor of a named model is read and it is not run.
        seed: Of every null and interval.
        options: How to measure. `inner` is the inner product of the headlines, by default the Euclidean one,
            in which the paper shows its figures.
        load: What passes through to the library when the model is loaded.
        progress: Called with (contexts done, all).

    Returns:
        Four numbers, each with its interval and null, and all that they rest on. What a model cannot give
        (states of an encoder-decoder, say) is absent, with the reason.

    Raises:
        InputError: If the model or data cannot be used, in one line.

    Example:
        >>> import tempfile
        >>> from linrep.llm.toy import make_toy
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = make_toy(folder, seed=0, steps=0)  # untrained: nothing is to be found
        ...     found = paper(folder, f"{folder}/pairs", None, None, seed=0)
        >>> found.headline("linearity").low < found.headline("linearity").null.high
        True
        >>> found.absent["winograd"]
        'the model was not run: only a table of it was read'

    References:
        :cite:`jiang:24`, section 5; :cite:`park:24` for the inner products.
    """
    options = options or MeasureOptions(inner="euclid")
    if options.layer is not None:
        raise InputError(
            f"layer: the paper's figures are of the state that the head reads, got {options.layer!r}; "
            "leave it out, or take linrep.llm.measure"
        )
    why = _no_states(model, load, options)
    if why:
        contexts = winograd = None
    read = read_model(
        model,
        pairs,
        contexts,
        winograd,
        seed=seed,
        squares=None,
        options=options,
        load=load,
        progress=progress,
    )
    return _figures(read, options.inner, why)


def _no_states(model: Model, load: LoadOptions | None, options: MeasureOptions) -> str:
    """Why states of a model cannot be laid beside its table, if that can be told before it is loaded."""
    if isinstance(model, tuple) and is_table(model[0]):
        return "a table alone has no states"
    if options.table == "input":
        return "the input table was asked for, which no state is read with"
    if isinstance(model, str | Path):
        config = locate(model, load).config
        if is_encoder_decoder(config):
            return f"no state of an encoder-decoder ({config.model_type}) stands for a context's next word"
    return ""


def _figures(read: ModelRead, inner: InnerName, why: str) -> LMPaper:
    measured: dict[InnerName, LMResult] = {name: read.under(name) for name in INNERS}
    numbers = [row for name in INNERS for row in _numbers(read, measured[name], name)]
    every = [row for name in INNERS for row in measured[name].rows]
    matrices = {key: each for name in INNERS for key, each in measured[name].matrices.items()}
    found = LMPaper(
        inner=inner,
        measured=measured,
        rows=tuple(dict.fromkeys([*numbers, *every])),
        matrices=matrices,
    )
    absent = {name: why or _absent(read, name) for name in FIGURES if found.headline(name) is None}
    return replace(found, absent=absent)


def _numbers(read: ModelRead, result: LMResult, inner: InnerName) -> list[Row]:
    """Means over concepts, and the overlap of all of them."""
    found = [
        *_mean(result, "linearity", inner, "unembedding"),
        overlap_row(read.geometries[inner]),
        *_mean(result, "alignment_direction", inner, "both"),
        *_mean(result, "alignment_unrelated", inner, "both"),
    ]
    return [row for row in found if math.isfinite(row.value)]


def _mean(result: LMResult, measure: str, inner: InnerName, table: str) -> list[Row]:
    """The mean over concepts of a measure; Student's interval over concepts, and the mean of their nulls.

    The mean of quantiles is at least the quantile of the mean: no concept's draws are taken for independent
    of another's.
    """
    rows = [
        row
        for row in result.rows
        if (row.measure, row.table, row.inner) == (measure, table, inner) and math.isfinite(row.value)
    ]
    if not rows:
        return []
    values = torch.tensor([row.value for row in rows], dtype=torch.float64)
    nulls = [row.null for row in rows]
    null = NullRange(
        **{
            end: sum(getattr(each, end) for each in nulls) / len(nulls)
            for end in ("mean", "low", "high", "q95")
        }
    )
    about = Subject(
        concept="", table=table, inner=inner, layer=rows[0].layer, pairs=sum(row.pairs for row in rows)
    )
    between = mean_interval(values, within=(-1, 1)) or NONE
    return [about.row(measure, float(values.mean()), between, null)]


def _absent(read: ModelRead, figure: FigureName) -> str:
    """Why a figure has no number, after reading."""
    if figure == "linearity":
        return "no concept has two word pairs that differ"
    if figure == "overlap":
        return "there are not two concepts to be apart"
    states = read.states
    if states is None:
        return NOT_RUN
    if states.reader.lm.kind == "encoder":
        return "the model has no head: its states are not read with the table that was measured"
    if figure == "alignment":
        if states.of_contexts is None:
            return "no paired contexts were given"
        return "no concept has both word pairs and paired contexts whose states differ"
    if states.of_sentences is None:
        return "no Winograd pairs were given"
    return "no Winograd pair has two referents that are tokens of their own and states that differ"
