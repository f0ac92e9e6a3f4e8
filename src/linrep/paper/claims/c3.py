"""C3: joint training aligns embeddings with unembeddings."""

from linrep.geometry import alignment, counterfactual_pairs, steering_moments
from linrep.paper.claims.bench import Bench, Values, per_run, tables, trial
from linrep.paper.claims.c4 import STRETCH, wrong_gauge
from linrep.paper.claims.verdict import Claim, Rule, Trial
from linrep.runs.result import Result

REACHED = Rule(kind="at least", bound=0.95, target=1.0)


def claim(bench: Bench) -> Claim:
    """Test C3 at k = m from small and wide starts, beside wide tables and another gauge."""
    narrow = bench.run("narrow")

    def aligned(experiment: str, name: str, values: Values | None = None) -> Trial:
        result = bench.run(experiment)
        record = result.summary.final.alignment
        given = per_run(result, record) if values is None else values
        return trial(result, experiment, name, "alignment of Δf with Δg", given, REACHED, null=record.null)

    return Claim(
        id="C3",
        short="alignment",
        title="Embeddings and unembeddings take the same directions",
        statement="Joint training drives cos(Δf_i, Δg_i) to 1.",
        trials=(
            aligned("narrow", "k = m, from small starts"),
            aligned("wide-start", "k = m, from wide starts"),
            aligned(
                "narrow", "small starts in a wrong gauge with the same logits", _wrong_gauge(bench, narrow)
            ).control(breaks="the gauge that training keeps"),
            aligned("wide", "k ≫ m").control(breaks="k = m"),
        ),
    )


def _wrong_gauge(bench: Bench, result: Result) -> Values:
    def cosine(run: int) -> float:
        world = result.worlds[run]
        f, g = wrong_gauge(*tables(result, run), run)
        of_f, of_g = (
            steering_moments(table, counterfactual_pairs(codes), second=False)
            for table, codes in ((f, world.codes), (g, world.token_codes))
        )
        return float(alignment(of_f, of_g).nanmean())

    return bench.compute("wrong-gauge-alignment", len(result.worlds), cosine, result.key, STRETCH)
