"""C3: joint training aligns embeddings with unembeddings."""

from linrep.paper.claims.bench import Bench, free, picked, stuck
from linrep.paper.claims.verdict import Claim, Rule, Trial, estimate

REACHED = Rule(kind="at least", bound=0.95)


def claim(bench: Bench) -> Claim:
    """Test C3 at k = m, beside stuck runs and wide tables."""
    narrow, wide = bench.run("narrow"), bench.run("wide")
    tight, loose = narrow.summary.final.alignment, wide.summary.final.alignment

    def trial(name: str, experiment: str, values: list[float | None]) -> Trial:
        record = tight if experiment == "narrow" else loose
        return Trial(
            name=name,
            quantity="alignment of Δf with Δg",
            experiments=(experiment,),
            measured=estimate(values),
            prediction=1.0,
            rule=REACHED,
            null=record.null and record.null.mean,
        )

    return Claim(
        id="C3",
        short="alignment",
        title="Embeddings and unembeddings take the same directions",
        statement="Joint training drives cos(Δf_i, Δg_i) to 1.",
        trials=(
            trial("k = m, free runs", "narrow", picked(tight, free(narrow))),
            trial("k = m, stuck runs", "narrow", picked(tight, stuck(narrow))).control(
                breaks="runs that are not stuck"
            ),
            trial("k ≫ m", "wide", picked(loose, range(len(wide.worlds)))).control(breaks="k = m"),
        ),
    )
