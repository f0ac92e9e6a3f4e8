"""Time and memory of one exact gradient against the number of concepts, fused and with p(c|d) stored."""

import math
from collections.abc import Iterator, Mapping

import torch

from linrep.errors import many
from linrep.intervals import Effect
from linrep.laboratory.machine import processor, threads
from linrep.page.chart import Series, chart, means
from linrep.page.numbers import count, listed, short
from linrep.page.shell import Block
from linrep.paper.cost import growth, interleaved, tensors_peak
from linrep.paper.effects import below, judged
from linrep.paper.record import Answer, Column, Experiment, nothing
from linrep.population.gradient import Method, Population, table_gradients
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row

AXIS = "world.concepts"
SECONDS, PER_LOGIT, BYTES, STORED, MACHINE = (
    "seconds",
    "seconds_per_logit",
    "bytes",
    "stored_bytes",
    "machine",
)
FUSED, DENSE = "fused", "dense"
ROUNDS, PATIENCE = 9, 4.0
MOST_LOGITS = 2**27
"""Beyond, p(c|d) is not stored: several arrays of this size are alive at once."""
LARGEST, PAST = 3, 5
"""A factor is fitted over the LARGEST m, those where a call takes PAST times as long as at the smallest."""
AIM_TIME, AIM_MEMORY = 6.5, 3.1
FARTHER = (12, 14)
RULE = (
    f"Factors per concept are fitted (ln value on m, all runs) over the {LARGEST} largest m, and only where "
    f"a gradient takes at least {PAST} times as long as at the smallest m: below, the overhead of calls is "
    f"what is timed. “Yes” if fused the whole interval of the factor in time lies below {AIM_TIME}, that in "
    f"memory below {AIM_MEMORY}, and the factor of its memory over that of storing p(c|d) below 1; “no” if "
    "one lies above. Seconds are the processor's, the least of interleaved rounds, as whatever else the "
    "machine does only adds; bytes are of the tensors that a gradient makes, and of p(c|d) where it is "
    "stored. Equal seeds do not give equal times: a page written again quotes the times kept beside the runs."
)


def answer(numbers: Numbers) -> Answer:
    """Both factors of both forms, and what they come to for more concepts."""
    time, memory = (
        {form: fitted(numbers, what, form) for form in (FUSED, DENSE)} for what in (SECONDS, BYTES)
    )
    fast, small, stored = time[FUSED], memory[FUSED], memory[DENSE]
    slow, saved, names = time[DENSE], saving(numbers), machines(numbers)
    if fast is None or small is None or slow is None or stored is None or saved is None:
        return nothing(RULE)
    if len(names) > 1:
        finding = (
            f"No answer: timed on more than one machine ({'; '.join(names)}); run it in a folder of its own."
        )
        return Answer(standing="note", finding=finding, rule=RULE)
    effects = (
        below("time of a fused gradient, factor per concept", fast, AIM_TIME),
        below("its memory, factor per concept", small, AIM_MEMORY),
        below("its memory over that of storing p(c|d), factor per concept", saved, 1.0),
    )
    finding = (
        f"over m = {_span(numbers, FUSED)}, one more concept takes {_said(fast)} the time (6 times the "
        f"logits) and {_said(small)} the memory (tables 3 times as long) in the fused form; storing p(c|d), "
        f"over m = {_span(numbers, DENSE)}, takes {_said(slow)} the time and {_said(stored)} the memory"
        f"{_farther(numbers, small)}; timed on {names[0]}."
    )
    return Answer(
        standing=judged(effects),
        finding=finding,
        rule=RULE,
        effects=effects,
        would_change="Another machine, more threads, or widths at which tables no longer fit its caches.",
    )


def machines(numbers: Numbers) -> list[str]:
    """What the numbers were measured on; more than one when cells were moved between machines."""
    frame = numbers.frame
    return sorted(set(frame[frame["measure"] == MACHINE]["table"]))


def past(numbers: Numbers, form: str) -> list[int]:
    """The m over which a form's factors are fitted."""
    times = _means(numbers, SECONDS, form)
    return [m for m in list(times)[-LARGEST:] if times[m] >= PAST * next(iter(times.values()))]


def fitted(numbers: Numbers, what: str, form: str) -> Effect | None:
    """The factor per concept; None where too few m are past the overhead of calls."""
    chosen = past(numbers, form)
    if len(chosen) < 2:
        return None
    found = [(float(m), value) for m in chosen for value in numbers.of(**{AXIS: str(m)}).values(what, form)]
    return growth([m for m, _ in found], [float(value) for _, value in found])


def saving(numbers: Numbers) -> Effect | None:
    """The factor per concept of the fused form's memory over the other's, run by run."""
    chosen = past(numbers, DENSE)
    if len(chosen) < 2:
        return None
    cells = {float(m): numbers.of(**{AXIS: str(m)}) for m in chosen}
    shares = [(m, f / d) for m, cell in cells.items() for f, d in zip(*_both(cell), strict=True)]
    return growth([m for m, _ in shares], [share for _, share in shares])


def _both(cell: Numbers) -> tuple[list[float], list[float]]:
    fused, dense = (cell.values(BYTES, form).tolist() for form in (FUSED, DENSE))
    return fused, dense


def _means(numbers: Numbers, what: str, form: str) -> dict[int, float]:
    found = {int(m): cell.mean(what, form) for m, cell in numbers.each(AXIS)}
    return {m: value for m, value in found.items() if not math.isnan(value)}


def _span(numbers: Numbers, form: str) -> str:
    chosen = past(numbers, form)
    return f"{chosen[0]} to {chosen[-1]}"


def _said(found: Effect) -> str:
    if found.interval95 is None or found.interval95[1] - found.interval95[0] < 0.01:
        return f"{short(found.value)} times"
    return f"{short(found.value)} times [{short(found.interval95[0])}, {short(found.interval95[1])}]"


def _farther(numbers: Numbers, small: Effect) -> str:
    """What both forms come to for more concepts than were measured."""
    held, stored = _means(numbers, BYTES, FUSED), _means(numbers, STORED, DENSE)
    last, base = max(held), max(stored)
    rate = max(3.0, small.value)
    farther = [m for m in FARTHER if m > last]
    alone = listed([size(stored[base] * 6.0 ** (m - base)) for m in farther])
    fused = listed([size(held[last] * rate ** (m - last)) for m in farther])
    where = listed([str(m) for m in farther])
    return (
        f"; at m = {where} p(c|d) alone would take {alone}, a fused gradient {fused} (extrapolated from "
        f"m = {last} at {short(rate)} times per concept)"
    )


def size(number: float | None) -> str:
    """Bytes, written in kB, MB or GB.

    Example:
        >>> size(93.56e6), size(8.707e9), size(2500.0), size(None)
        ('94 MB', '8.71 GB', '2.50 kB', '–')
    """
    if number is None:
        return short(None)
    unit, name = next(((u, n) for u, n in ((1e9, "GB"), (1e6, "MB")) if number >= u), (1e3, "kB"))
    value = number / unit
    return f"{count(round(value)) if value >= 10 else short(value)} {name}"


def figures(numbers: Numbers) -> list[Block]:
    """Both costs of both forms, with lines that grow as 6^m and 3^m."""
    if not past(numbers, FUSED):
        return []
    where = "; ".join(machines(numbers)) or "an unknown machine"
    return [
        chart(
            "complexity-time",
            "Time of a gradient",
            _lines(numbers, SECONDS, {"6^m": (FUSED, 6.0)}),
            x="concepts m",
            y="processor seconds",
            unit=False,
            log_y=True,
            caption=f"Measured on {where}. Equal seeds do not give equal times.",
        ),
        chart(
            "complexity-memory",
            "Memory of a gradient",
            _lines(numbers, BYTES, {"6^m": (DENSE, 6.0), "3^m": (FUSED, 3.0)}),
            x="concepts m",
            y="bytes of tensors",
            unit=False,
            log_y=True,
        ),
    ]


def _lines(numbers: Numbers, what: str, rates: Mapping[str, tuple[str, float]]) -> list[Series]:
    lines: list[Series] = []
    for form, name, colour in (
        (FUSED, "fused", "--unembedding"),
        (DENSE, "dense, storing p(c|d)", "--embedding"),
    ):
        found = _means(numbers, what, form)
        points = [numbers.of(**{AXIS: str(m)}).spread(what, form) for m in found]
        lines.append(Series(name=name, colour=colour, x=list(found), points=points))
    for (name, (form, rate)), dash in zip(rates.items(), ("dash", "dot"), strict=False):
        found = _means(numbers, what, form)
        if found:
            last = max(found)
            along = means([found[last] * rate ** (m - last) for m in found])
            lines.append(
                Series(name=name, colour="--null", x=list(found), points=along, dash=dash, plain=True)
            )
    return [line for line in lines if line.x]


def extra(result: Result) -> Iterator[Row]:
    """Seconds and bytes of the gradient that a next step would take, of each run, and on which machine."""
    config = result.config
    step = config.training.steps + 1
    used = config.compute.threads or torch.get_num_threads()
    where = f"{processor()}, {many(used, 'thread')}"
    with threads(used):
        for run, world in enumerate(result.worlds):
            f = result.embedding[run : run + 1, : len(world.codes)]
            g = result.unembedding[run : run + 1, : len(world.tokens)]
            yield step, run, MACHINE, where, "value", float(used)
            for form, (seconds, taken, stored) in costs(Population.of([world], dtype=f.dtype), f, g).items():
                logits = f.shape[1] * g.shape[1]
                yield step, run, SECONDS, form, "value", seconds
                yield step, run, PER_LOGIT, form, "value", seconds / logits
                yield step, run, BYTES, form, "value", float(taken + stored)
                if stored:
                    yield step, run, STORED, form, "value", float(stored)


def costs(population: Population, f: torch.Tensor, g: torch.Tensor) -> dict[Method, tuple[float, int, int]]:
    """Of each form: processor seconds, bytes of the tensors that it makes, bytes of p(c|d) that it reads."""
    forms: list[Method] = [FUSED]
    if f.shape[1] * g.shape[1] <= MOST_LOGITS:
        forms.append(DENSE)

    def call(form: Method) -> object:
        return table_gradients(population, f, g, method=form)

    times = interleaved({form: lambda form=form: call(form) for form in forms}, ROUNDS, seconds=PATIENCE)
    return {
        form: (
            min(times[form]),
            tensors_peak(lambda form=form: call(form)),
            population.minus_weighted_conditional.nbytes if form == DENSE else 0,
        )
        for form in forms
    }


def _milliseconds(value: float | None) -> str:
    return short(None if value is None else 1e3 * value)


def _nanoseconds(value: float | None) -> str:
    return short(None if value is None else 1e9 * value)


EXPERIMENT = Experiment(
    name="complexity",
    answer=answer,
    figures=figures,
    columns=tuple(
        Column(title=f"{form}: {title}", measure=measure, table=form, write=write)
        for form in (FUSED, DENSE)
        for title, measure, write in (
            ("time, ms", SECONDS, _milliseconds),
            ("time per logit, ns", PER_LOGIT, _nanoseconds),
            ("memory", BYTES, size),
        )
    ),
    extra=extra,
    trains=False,
)
