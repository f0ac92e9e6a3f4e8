"""A measurement in plain words, each sentence from its numbers."""

from statistics import fmean, median

from linrep.page.lm.view import View, with_interval
from linrep.page.numbers import cosine, count, listed, short
from linrep.page.scale import Scale, Standing, counted
from linrep.page.shell import Line
from linrep.runs.row import Row

GAP = 0.01
NAMED = 6
THRESHOLDS = (
    "A concept is found when the 95 % interval of its linearity lies above the 97.5 % quantile of random "
    "pairs.",
    "A state is aligned when the interval of its cosine with the concept's own direction lies above the 97.5 "
    "% quantile of the mean directions of random word pairs.",
    "A crossing is additive beyond chance when the interval of its interaction lies below 97.5 % of squares "
    "of four random words.",
    "Of several concepts together: yes when more are found than chance would find among so many (the exact "
    "95 % interval of their share lies above 2.5 %), no when none is, else undecided.",
    "Alignment is judged by the concepts whose own direction both comes first and lies beyond its null.",
    "Different concepts are apart when the mean |cosine| under the causal inner product is below that of "
    "random pairs and below that under a random turn of it.",
    f"Log-odds are f·Δg when they differ by less than {GAP:.0%} of their own size (root mean square).",
)


def title(view: View) -> str:
    """The page's heading."""
    found = [view.flag("found", name, table="unembedding") for name in view.concepts]
    said = (
        f"{sum(map(bool, found))} of {len(found)} concepts are directions in {view.summary['model']['name']}"
    )
    ranks = view.rows("alignment_rank")
    if ranks:
        said += f"; its states move along the matching one for {len(_matched(view))} of {len(ranks)}"
    return said


def lines(view: View) -> list[Line]:
    """Every finding with its standing; then what a reader must be warned of."""
    found = [_linear(view), _apart(view), *_additive(view), *_states(view), *_aligned(view), *_probes(view)]
    found += [*_winograd(view), *_log_odds(view), *_beside(view)]
    return [*found, *_notes(view)]


def _linear(view: View) -> Line:
    flags = {name: view.flag("found", name, table="unembedding") for name in view.concepts}
    missing = [name for name, flag in flags.items() if not flag]
    null = max((row.null.high for row in view.rows("linearity", table="unembedding")), default=float("nan"))
    detail = f"Median linearity {cosine(view.middle('linearity', table='unembedding'))}; "
    detail += f"random word pairs stay below {cosine(null)}."
    if missing:
        detail += f" Not found: {_named(missing)}."
    found = counted(len(flags) - len(missing), len(flags), "found")
    return Line(
        there=found.there,
        scales=[found],
        claim=f"Word pairs: {len(flags) - len(missing)} of {len(flags)} concepts are one direction.",
        detail=detail,
    )


def _matched(view: View) -> list[str]:
    """Concepts whose own direction comes first, and beyond its null."""
    first = [row.concept for row in view.rows("alignment_rank") if row.value == 1]
    return [name for name in first if view.flag("aligned", name)]


def _apart(view: View) -> Line:
    found = [name for name in view.concepts if view.flag("found", name, table="unembedding")]
    if len(found) < 2:
        return Line(there="note", claim="Fewer than two concepts are directions: none to be apart from.")
    means = {inner: _overlap(view, inner, found) for inner in ("euclid", "causal", "random")}
    null = fmean(row.null.mean for row in view.rows("orthogonality_mean", inner="causal"))
    below = (means["causal"] < null) + (means["causal"] < means["random"])
    answers: tuple[Standing, ...] = ("no", "undecided", "yes")
    return Line(
        there=answers[below],
        scales=[
            Scale(
                name="overlap", value=means["causal"], null=null, null_name="random pairs", start=1.0, end=0.0
            )
        ],
        claim="Different concepts are apart under the causal inner product.",
        detail=f"Mean |cosine| of those found {cosine(means['causal'])}; Euclidean "
        f"{cosine(means['euclid'])}, under a random turn {cosine(means['random'])}; directions of random "
        f"pairs {cosine(null)}.",
    )


def _overlap(view: View, inner: str, names: list[str]) -> float:
    matrix = view.result.matrices.get(f"orthogonality_mean, {inner}")
    if matrix is None:
        return float("nan")
    at = [matrix.rows.index(name) for name in names]
    return fmean(matrix.values[i][j] for i in at for j in at if i != j)


def _additive(view: View) -> list[Line]:
    rows = view.crossings
    if not rows:
        return []
    below = sum(row.high < row.null.low for row in rows)
    worst = max(rows, key=lambda row: row.value)
    found = counted(below, len(rows), "additive")
    return [
        Line(
            there=found.there,
            scales=[found],
            claim=f"Words that cross two concepts: additive beyond chance in {below} of {len(rows)} "
            "crossings.",
            detail=f"Interaction takes {cosine(median(row.value for row in rows))} of their variation "
            f"(median), {cosine(rows[0].null.mean)} in four random words; most in {worst.concept}, "
            f"{cosine(worst.value)}.",
        )
    ]


def _states(view: View) -> list[Line]:
    flags = [view.flag("found", name, table="embedding") for name in view.context_concepts]
    if not flags:
        return []
    values = [row.value for name in view.context_concepts if (row := view.context_linearity(name))]
    detail = f"Median linearity {cosine(median(values))}" if values else "No two states differ"
    found = counted(sum(map(bool, flags)), len(flags), "found")
    return [
        Line(
            there=found.there,
            scales=[found],
            claim=f"Contexts: states move in one direction for {sum(map(bool, flags))} of {len(flags)} "
            "concepts.",
            detail=f"{detail}, over pairs that share neither frame nor words where there are such.",
        )
    ]


def _aligned(view: View) -> list[Line]:
    ranks = view.rows("alignment_rank")
    if not ranks:
        return []
    first, matched = sum(row.value == 1 for row in ranks), len(_matched(view))
    beyond = sum(row.value > 0 for row in view.rows("aligned"))
    detail = f"Median cosine with the matching direction {cosine(view.middle('alignment_direction'))}"
    other = view.middle("alignment_other")
    if other is not None:
        detail += f", with the nearest other {cosine(other)}"
    found = counted(matched, len(ranks), "first and beyond chance")
    return [
        Line(
            there=found.there,
            scales=[found],
            claim=f"Alignment: the matching direction comes first for {first} of {len(ranks)} concepts.",
            detail=f"{detail}; beyond its null for {beyond} of {len(ranks)}.",
        )
    ]


def _probes(view: View) -> list[Line]:
    rows = [row for row in view.rows("probe_accuracy") if row.pairs]
    if not rows:
        return []
    read = sum(row.low > 0.5 for row in rows)
    detail = f"Median accuracy {cosine(median(row.value for row in rows))} on sentences it has not seen"
    words = view.middle("word_probe_auc")
    if words is not None:
        detail += f"; the words' direction, which has seen no sentence, ranks them with area {cosine(words)}"
    found = counted(read, len(rows), "read off")
    return [
        Line(
            there=found.there,
            scales=[found],
            claim=f"Probing: the direction reads the concept off states for {read} of {len(rows)} concepts.",
            detail=f"{detail}.",
        )
    ]


def _winograd(view: View) -> list[Line]:
    row = view.row("alignment", "winograd")
    if row is None:
        given = view.summary.get("winograd")
        if given is None:
            return []
        still = given.get("equal_states", 0)
        detail = (
            f"of {given['kept'] + given['dropped'] + still} pairs {given['dropped']} name a referent without "
        )
        detail += f"a row of its own, {still} end in the same state."
        return [Line(there="note", claim="Winograd pairs could not be measured:", detail=detail)]
    found = of_row(row, "alignment")
    claims = {
        "yes": "states move from one referent to the other.",
        "no": "states do not move from one referent to the other.",
    }
    return [
        Line(
            there=found.there,
            scales=[found],
            claim=f"Winograd pairs: {claims.get(found.there, 'undecided.')}",
            detail=f"Mean cosine {with_interval(row)} over {count(row.pairs)} pairs; dealt anew it stays "
            f"below {cosine(row.null.high)}.",
        )
    ]


def _log_odds(view: View) -> list[Line]:
    gaps = [(row.value, row.null.mean) for row in view.rows("log_odds_gap")]
    if not gaps:
        return []
    share = max(gap / size if size else 0.0 for gap, size in gaps)
    return [
        Line(
            there="yes" if share < GAP else "no",
            claim="The model's log-odds are f·Δg."
            if share < GAP
            else "The model's log-odds are not f·Δg alone.",
            detail=f"They differ by at most {short(max(gap for gap, _ in gaps))} nats (root mean square), "
            f"where log-odds are {short(median(size for _, size in gaps))} nats.",
        )
    ]


def _beside(view: View) -> list[Line]:
    """A toy model against the tables of its world."""
    found = view.result.beside
    if found is None:
        return []
    losses = (
        f"excess loss {short(found.transformer.excess_loss_nats)} nats against "
        f"{short(found.tables.excess_loss_nats)}"
    )
    if not found.matched:
        detail = f"{losses}, too far apart for their geometry to be compared."
        return [Line(there="note", claim="The same world's tables did not come as far:", detail=detail)]
    parts: list[str] = []
    for words, key in (("linearity of g", ("linearity", "unembedding")), ("alignment", ("alignment", ""))):
        own, other = (each.row(*key).value for each in (found.transformer, found.tables))
        parts.append(f"{words} {cosine(own)} against {cosine(other)}")
    return [
        Line(
            there="note",
            claim="Beside the same world's tables of the same width, at equal excess loss:",
            detail=f"{', '.join(parts)} (Euclidean); {losses}.",
        )
    ]


def _notes(view: View) -> list[Line]:
    tokens, table = view.summary["tokens"], view.summary["table"]
    texts = [*view.summary["model"]["notes"], *view.summary["warnings"]]
    clamped = view.summary["inner"].get("clamped_modes", 0)
    if clamped:
        texts.append(
            f"{clamped} modes of the covariance were too small to invert and were raised: "
            f"{count(table['shape'][0])} rows in {count(table['shape'][1])} dimensions"
        )
    if tokens["dropped_concepts"]:
        texts.append(f"too few pairs kept, so not measured: {_named(tokens['dropped_concepts'])}")
    return [Line(there="note", claim="Note.", detail=f"{text[:1].upper()}{text[1:]}.") for text in texts]


def of_row(row: Row, name: str) -> Scale:
    """A row on its scale: its interval against the 97.5 % quantile of its null.

    Args:
        row: Of a cosine or a share.
        name: Of the measure.
    """
    return Scale(name=name, value=row.value, interval95=(row.low, row.high), null=row.null.high)


def _named(names: list[str]) -> str:
    more = len(names) - NAMED
    return listed(names) if more <= 1 else f"{', '.join(names[:NAMED])} and {more} more"
