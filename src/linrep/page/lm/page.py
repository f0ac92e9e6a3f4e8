"""The page of a measured language model: verdict, figures, tables, where it was read and what was dropped."""

from collections import Counter
from pathlib import Path
from typing import Any

import linrep
from linrep.files import one_line_errors, write_file
from linrep.llm import LMResult
from linrep.page.lm import figures, verdict
from linrep.page.lm.view import INNER, TABLES, View, nats, with_interval, yes
from linrep.page.numbers import ABSENT, cosine, count, short
from linrep.page.shell import Block, Page, Section, assemble
from linrep.runs.spreadsheet import frame_to_csv, to_csv

REASONS_TOLD = 8
MEASURES = {
    "linearity": "Linearity",
    "alignment": "Alignment of f with g",
    "orthogonality_mean": "Overlap, mean directions",
    "orthogonality_rms": "Overlap, all vectors",
}
LETTERS = {"unembedding": ", g", "embedding": ", f", "": ""}


def save(result: LMResult, out: Path) -> Path:
    """Write `result.json`, `table.parquet`, `table.csv` and `page.html`; returns the page."""
    with one_line_errors(out):
        result.save(out)
        write_file(out / "page.html", render(result).encode())
    return out / "page.html"


def render(result: LMResult) -> str:
    """One HTML file that opens offline."""
    return assemble(page(result))


def page(result: LMResult) -> Page:
    """All that the page of a measured model says."""
    view = View(result)
    aligned = [figures.alignment_dots(view), figures.alignment_heat(view)]
    sections = [
        Section(id="concepts", title="Concepts", blocks=[figures.concept_dots(view), _words(view)]),
        Section(id="apart", title="Inner products", blocks=_apart(view), folded=True),
        Section(id="squares", title="Squares", blocks=_squares(view), folded=True),
        Section(id="alignment", title="Alignment", blocks=[block for block in aligned if block], folded=True),
        Section(id="contexts", title="In context", blocks=_contexts(view), folded=True),
        Section(id="depth", title="Depth", blocks=figures.by_depth(view), folded=True),
        Section(
            id="tables", title="Beside tables", intro=_beside_words(view), blocks=_beside(view), folded=True
        ),
        Section(id="tokens", title="Tokens", blocks=[token_table(view)], folded=True),
    ]
    return Page(
        title=verdict.title(view),
        kicker=_kicker(view),
        lines=verdict.lines(view),
        thresholds=verdict.THRESHOLDS,
        facts=facts(view),
        sections=[section for section in sections if section.blocks],
        footer=f"linrep {linrep.__version__}. Similarities are cosines; log-odds are in nats.",
    )


def _kicker(view: View) -> str:
    said = f"{view.summary['model']['name']}, {TABLES[view.summary['table']['table']]}, {INNER[view.inner]}"
    return said if view.place else f"{said}; read from its files, never run"


def facts(view: View) -> list[tuple[str, str]]:
    """What was measured and how, for the foot of a page."""
    model, table, tokens = (view.summary[name] for name in ("model", "table", "tokens"))
    data, inner = view.summary["data"], view.summary["inner"]
    rows, dim = table["shape"]
    alone = "no head" if table["table"] == "input" else "alone"
    tied = {True: "tied to the input table", False: "not tied", None: alone}[table["tied"]]
    facts = [
        ("Model", model["name"] if not model.get("class") else f"{model['name']} ({model['class']})"),
        ("Revision", str(model["revision"] or "local")),
        ("Tensor", f"{table['tensor']}, {tied}"),
        ("Shape", f"{count(rows)} × {count(dim)}, {table['dtype']}"),
        ("Rows left out", f"{count(table['padded_rows'])} padded, {count(table['special_rows'])} special"),
        ("Inner product", _inner(inner)),
        ("Leading space", str(tokens["leading_space"])),
        ("Words of several tokens", str(tokens["multi_token"])),
        (
            "Word pairs",
            f"{count(sum(tokens['kept'].values()))} kept, {count(len(tokens['dropped']))} dropped",
        ),
        ("Data", ", ".join(f"{name} {data[name]}" for name in ("pairs", "contexts", "winograd"))),
        ("Data hash", data["hash"]),
        ("Seed", str(view.summary["seed"])),
    ]
    where = view.summary.get("where")
    if where:
        layer = "the state the head reads" if where["layer"] == "head" else f"after {where['layer']} blocks"
        token = {"last": "last token", "mask": "mask token", "mean": "mean over tokens"}
        facts += [
            ("States read", f"{layer}, {where['norm'].rpartition(': ')[2]}"),
            ("Token", token.get(where.get("token", ""), ABSENT)),
            ("Device", f"{model['device']}, {model['dtype']}, batches of {where.get('batch_size', ABSENT)}"),
        ]
    return facts


def _inner(inner: dict[str, Any]) -> str:
    if inner["inner"] == "euclid":
        return INNER["euclid"]
    said = f"{INNER[inner['inner']]}; {'centred' if inner['centred'] else 'about zero'}"
    said += f", {count(inner['clamped_modes'])} clamped modes"
    return f"{said}, shrinkage {inner['shrinkage']:g}" if inner["shrinkage"] else said


def _words(view: View) -> Block:
    rows: list[list[str]] = []
    for name in view.concepts:
        linear = view.row("linearity", name, table="unembedding")
        projection = view.row("projection", name)
        pairs, value, null, found = view.linearity_cells(
            linear, view.flag("found", name, table="unembedding")
        )
        rows.append(
            [
                name,
                found,
                value,
                null,
                with_interval(projection) if projection else ABSENT,
                view.cell("projection_auc", name),
                view.cell("orthogonality_mean", name, inner=view.inner),
                pairs,
            ]
        )
    return Block(
        id="words-table",
        kind="table",
        title="Word pairs",
        caption="Random: the 97.5 % quantile of random pairs. Left out: mean cosine of a pair with the "
        "direction of all the others. Area: how often that exceeds a random pair's. Overlap: mean |cosine| "
        f"with the other concepts' directions. {ABSENT}: does not exist.",
        columns=("Concept", "found", "linearity", "random", "left out", "area", "overlap", "pairs"),
        rows=rows,
        download=("table.csv", frame_to_csv(view.result.table)),
    )


def _apart(view: View) -> list[Block]:
    heats = figures.overlaps(view)
    if not heats:
        return []
    rows: list[list[str]] = []
    for inner, name in INNER.items():
        numbers: list[str] = []
        for measure in ("orthogonality_mean", "orthogonality_rms"):
            found = view.rows(measure, inner=inner)
            for values in ([row.value for row in found], [row.null.mean for row in found]):
                numbers.append(cosine(sum(values) / len(values)) if values else ABSENT)
        rows.append([name, *numbers])
    table = Block(
        id="overlap-table",
        kind="table",
        title="Overlap of different concepts, mean over concepts",
        caption="Mean directions: |cosine|. All vectors: root mean square cosine of every steering vector "
        "with every other concept's.",
        columns=("Inner product", "mean directions", "random pairs", "all vectors", "random pairs"),
        rows=rows,
    )
    return [*heats, table]


def _squares(view: View) -> list[Block]:
    rows = [
        [
            row.concept,
            with_interval(row),
            cosine(row.null.mean),
            f"[{cosine(row.null.low)}, {cosine(row.null.high)}]",
            count(row.pairs),
        ]
        for row in view.crossings
    ]
    if not rows:
        return []
    return [
        Block(
            id="squares-table",
            kind="table",
            title="Words that cross two concepts: king − queen − kings + queens",
            caption="Share of the variation within a square that no sum of two directions explains: 0 where "
            "one concept's arrow is the same whatever the other's state.",
            columns=("Crossing", "interaction", "four random words", "their 95 %", "squares"),
            rows=rows,
        )
    ]


def _contexts(view: View) -> list[Block]:
    rows: list[list[str]] = []
    for name in view.context_concepts:
        linear, probe = view.context_linearity(name), view.row("probe_accuracy", name)
        shift, gap = view.row("log_odds_shift", name), view.row("log_odds_gap", name)
        rows.append(
            [
                name,
                yes(view.flag("found", name, table="embedding")),
                with_interval(linear) if linear else ABSENT,
                view.rank(name),
                with_interval(probe) if probe else ABSENT,
                view.cell("word_probe_auc", name),
                with_interval(shift, nats) if shift else ABSENT,
                f"{short(gap.value)} of {short(gap.null.mean)}" if gap else ABSENT,
                count(linear.pairs) if linear else "0",
            ]
        )
    blocks = [
        Block(
            id="contexts-table",
            kind="table",
            title="States in context",
            caption="Probe: accuracy of the difference of means of unrelated pairs. Words' probe: area under "
            "the curve of the words' direction, which has seen no sentence. Shift: the model's own log-odds "
            "from context 0 to context 1, nats. Gap: root mean square of log-odds − f·Δg, of the log-odds' "
            "own, nats.",
            columns=(
                "Concept",
                "found",
                "linearity",
                "rank",
                "probe",
                "words' probe",
                "shift",
                "gap",
                "pairs",
            ),
            rows=rows,
        )
    ]
    twins = view.row("alignment", "winograd")
    if twins is not None:
        accuracy = view.row("referent_accuracy", "winograd")
        told = view.summary["winograd"]
        blocks.append(
            Block(
                id="winograd",
                kind="table",
                title="Winograd pairs",
                caption=f"One word of the text flips whom the next word names. {count(told['dropped'])} "
                f"pairs dropped: {told['reason']}.",
                columns=(
                    "",
                    "cosine of Δf with referents' Δg",
                    "dealt anew, 95 %",
                    "towards the right one",
                    "pairs",
                ),
                rows=[
                    [
                        "referents",
                        with_interval(twins),
                        f"[{cosine(twins.null.low)}, {cosine(twins.null.high)}]",
                        cosine(accuracy.value) if accuracy else ABSENT,
                        count(twins.pairs),
                    ]
                ],
            )
        )
    return blocks if rows or twins else []


def _beside_words(view: View) -> list[str]:
    found = view.result.beside
    if found is None:
        return []
    return [
        "The model speaks a language whose world is known. The same world's tables, of the same width "
        f"({found.tables.width}, for {found.tables.concepts} concepts), were trained by the paper's sampled "
        "gradient descent until their excess loss was the transformer's, and measured with the same ruler, "
        f"Euclidean. Excess loss: transformer {short(found.transformer.excess_loss_nats)} nats, tables "
        f"{short(found.tables.excess_loss_nats)} nats, over {short(found.entropy_nats)} nats that no model "
        "can predict." + ("" if found.matched else " They did not come to it, and are not compared.")
    ]


def _beside(view: View) -> list[Block]:
    found = view.result.beside
    if found is None:
        return []
    rows: list[list[str]] = []
    for own in found.transformer.rows:
        both = (own, found.tables.row(own.measure, own.table))
        cells = [cell for row in both for cell in (with_interval(row), cosine(row.null.q95))]
        rows.append([f"{MEASURES[own.measure]}{LETTERS[own.table]}", *cells])
    return [
        Block(
            id="beside-tables",
            kind="table",
            title="Does the theory's geometry survive a transformer?",
            caption="Means over concepts with 95 % intervals; random: 95 % quantile of random pairs.",
            columns=("Measure", "transformer", "random", "tables", "random"),
            rows=rows,
        )
    ]


def token_table(view: View) -> Block:
    """Word pairs kept and dropped, with the reasons."""
    tokens = view.summary["tokens"]
    by_concept: dict[str, Counter[str]] = {name: Counter() for name in tokens["kept"]}
    for concept, _, _, reason in tokens["dropped"]:
        by_concept.setdefault(concept, Counter())[reason] += 1
    rows = [
        [
            name,
            count(tokens["kept"].get(name, 0)),
            count(sum(reasons.values())),
            ", ".join(f"{number} {why}" for why, number in reasons.most_common(REASONS_TOLD)) or ABSENT,
        ]
        for name, reasons in by_concept.items()
    ]
    return Block(
        id="token-policy",
        kind="table",
        title="Word pairs that the tokenizer keeps",
        caption=f"One policy for both words of every pair: leading space “{tokens['leading_space']}”, words "
        f"of several tokens “{tokens['multi_token']}”. The file lists every dropped pair with its reason.",
        columns=("Concept", "kept", "dropped", "why"),
        rows=rows,
        download=("dropped_pairs.csv", to_csv(["concept", "low", "high", "reason"], tokens["dropped"])),
    )
