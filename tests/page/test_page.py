"""What the page says and how it is built, without a browser."""

import base64
import gzip
import json
import re
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs_version

from linrep import page
from linrep.laboratory.comparison import Beside
from linrep.page import heat, trace_curves, verdict
from linrep.page.cube import cube, edges_by_concept
from linrep.page.run_page import page as run_page
from linrep.page.shell import Block, Page, Section, assemble, safe_json
from linrep.page.view import view
from linrep.runs.toml import as_toml, parse

from .planted import DAGS, HELD, HOSTILE_NAMES, edited, planted


@pytest.fixture(scope="module")
def html(dags: Any) -> str:
    return page.render(dags)


def said(result: Any) -> str:
    return " ".join(
        " ".join(
            [
                f"{line.word or line.there}:",
                line.claim,
                *(f"{scale.words}." for scale in line.scales),
                line.detail,
            ]
        )
        for line in verdict.lines(view(result))
    )


def changed(result: Any, **final: Any) -> Any:
    return edited(result, {"final": final})


def test_one_small_file_with_plotly_once(html: str) -> None:
    (packed,) = re.findall(r'id="plotly">(.*?)</script>', html)
    plain = gzip.decompress(base64.b64decode(packed)).decode()
    assert plain.count("* plotly.js (cartesian") == 1
    version = get_plotlyjs_version().partition(".")[0]
    assert f"v{version}." in plain[:200], "charts look alike on a page and in a notebook"
    assert len(html.encode()) < 1_500_000
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*", html.split('id="page-data"')[0])
    assert not [tag for tag in tags if re.search(r"(src|href)=\"(?!data:,)", tag)]


def test_a_page_of_the_largest_cube_is_small() -> None:
    fields = {**DAGS, "runs": 3, "world": {"kind": "random", "concepts": 9}}
    assert len(page.render(planted(fields, held=())).encode()) < 1_500_000


def test_only_a_plot_in_space_takes_all_of_plotly() -> None:
    def plot(kind: str) -> str:
        block = Block(id="p", kind="plot", title="P", spec={"data": [{"type": kind}], "layout": {}})
        return assemble(Page(title="", kicker="", sections=[Section(id="s", title="S", blocks=[block])]))

    flat, deep = plot("scatter"), plot("scatter3d")
    assert 2 * len(flat) < len(deep) < 2_500_000
    assert 'id="plotly"' not in assemble(Page(title="", kicker=""))


def test_html_is_well_formed_and_ids_are_unique(html: str) -> None:
    class Check(HTMLParser):
        ids: list[str] = []  # noqa: RUF012
        unnamed: list[Any] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: Any) -> None:
            given = dict(attrs)
            if "id" in given:
                self.ids.append(given["id"])
            if given.get("role") == "img" and not given.get("aria-label"):
                self.unnamed.append(given)

    check = Check()
    check.feed(html)
    assert len(check.ids) == len(set(check.ids))
    assert check.unnamed == []


def test_verdict_of_a_linear_world(dags: Any) -> None:
    there = planted(DAGS, held=())
    mean = there.summary.final.linearity["unembedding"].mean
    title = "Random graphs of 5 concepts: concepts became linear directions"
    assert verdict.title(view(there)) == f"{title} (linearity of g {mean:.2f} of 1)"
    limit = Beside(sentence="Near.", levels={("linearity", "unembedding"): 0.955})
    assert verdict.title(view(there, limit)).endswith(f"(linearity of g {mean:.2f} of a predicted 0.95)")
    words = said(there)
    assert f"yes: Concepts became linear directions. linearity of g {mean:.2f} [" in words
    assert "yes: Log-odds are matched better than by zero. log-odds gap 0.18 [" in words
    assert "nats towards 0. Root mean square; predicting zero is 0.56 nats off." in words
    assert "The worst single log-odds is 0.61 off." in words
    assert "yes: 8 of 8 runs converged." in words
    assert "mixed: 6 of 8 runs converged, 2 on a plateau." in said(dags)


def test_verdict_says_when_it_did_not() -> None:
    dags = planted(DAGS, held=())
    # Negative control: numbers that look fair but do not clear their null are a "no", or undecided.
    null = {"mean": 0.3, "q95": 0.92, "kind": "random pairs"}
    weak = {"mean": 0.8, "interval95": [0.4, 0.9], "null": null}
    per_run = [0.78 + 0.01 * run for run in range(8)]
    result = changed(
        dags,
        linearity={"unembedding": weak},
        log_odds_gap_nats={"rmse": 0.78, "max": 2.0, "rmse_of_zero": 0.56, "per_run": per_run},
    )
    assert "no: Concepts did not become linear directions." in said(result)
    assert "no: Log-odds are not matched better than by predicting zero." in said(result)
    title = "concepts did not become linear directions (linearity of g 0.80 of 1)"
    assert verdict.title(view(result)).endswith(title)
    straddling = changed(result, linearity={"unembedding": {"null": null | {"q95": 0.45}}})
    assert "undecided: Whether concepts became linear directions is undecided." in said(straddling)


def test_verdict_names_the_concept_without_a_pair(asia: Any) -> None:
    words = said(asia)
    assert "either has no counterfactual pair." in words
    assert "function of lung and tub" in words or "function of tub and lung" in words
    assert "the tokens span 8, without it 7" in words
    assert "1,458 of 6,561 contexts cannot occur" in words
    assert verdict.title(view(asia)).startswith("asia: 7 of 8 concepts became directions; either cannot (")


def test_absent_numbers_are_dashes_not_zeros(asia: Any) -> None:
    table = next(b for b in run_page(view(asia)).blocks if b.id == "concepts-table")
    row = next(row for row in table.rows if row[0] == "either")
    assert row[4] == "0"
    assert set(row[5:]) == {"–"}
    assert table.download is not None
    assert next(line for line in table.download[1].splitlines() if line.startswith("either")).endswith(",,,,")


def test_names_are_escaped_everywhere(hostile: Any) -> None:
    text = page.render(hostile)
    body = text.split('<script type="application/json"')[0]
    assert "<img" not in body
    assert "<b>no" not in body
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in body
    data = text.split('id="page-data">')[1].split("</script>")[0]
    assert "<" not in data
    names = [each["name"] for each in json.loads(data)["figures"]["cube"]["concepts"]]
    assert names[0] == HOSTILE_NAMES[0], "written as text by the page's script"


def test_json_has_no_nan_and_keeps_five_digits() -> None:
    data = {"a": [float("nan"), float("inf"), 1.23456789, None, True, 3], "b": np.array([[0.5, np.nan]])}
    assert json.loads(safe_json(data)) == {"a": [None, None, 1.2346, None, True, 3], "b": [[0.5, None]]}


def test_a_column_reads_from_the_left_as_a_whole_or_not_at_all() -> None:
    long = "a cell of rather many words"
    table = Block(
        id="t",
        kind="table",
        title="T",
        columns=("", "what", "n"),
        rows=[("1", "short", "2"), ("3", long, "4")],
    )
    text = assemble(Page(title="", kicker="", sections=[Section(id="s", title="S", blocks=[table])]))
    assert re.findall(r'class="words">(.*?)<', text) == ["what", "short", long]


def test_long_names_leave_room_on_a_phone() -> None:
    names = ["plural", "colour: red → blue", "colour: red → green"]
    drawn = heat.square(names, [[1.0] * 3] * 3, [["1"] * 3] * 3)
    assert drawn["layout"]["xaxis"]["ticktext"] == names
    cut = drawn["narrow"]["xaxis"]["ticktext"]
    assert cut[0] == "plural"
    assert len(set(cut)) == 3
    assert max(map(len, cut)) <= heat.LONGEST_NARROW
    assert "xaxis" not in heat.square(names[:1], [[1.0]], [["1"]])["narrow"]


@pytest.mark.parametrize("which", ["dags", "asia", "hostile"])
def test_every_spec_is_valid_plotly(which: str, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(which)
    levels = {("linearity", "unembedding"): 0.268, ("alignment", ""): 0.587}
    beside = Beside(sentence="Near.", levels=levels, spectrum=(0.776, 0.224))
    specs = [block.spec for block in run_page(view(result, beside)).blocks if block.kind == "plot"]
    assert len(specs) >= 12
    for spec in specs:
        text = re.sub(r'"--[a-z0-9-]+(/[0-9.]+)?"', '"#123456"', safe_json(spec))
        go.Figure(json.loads(text))


def test_predictions_are_drawn(dags: Any) -> None:
    seen = view(dags, Beside(sentence="Near.", levels={("linearity", "unembedding"): 0.268}))
    measure = next(m for m in trace_curves.MEASURES if m.name == "linearity")
    unembedding, embedding = trace_curves.curves(seen, measure)
    assert unembedding.predicted is not None
    assert set(unembedding.predicted) == {0.268}
    assert embedding.predicted is None
    table = next(b for b in run_page(seen).blocks if b.id == "measures")
    assert table.columns[-1] == "predicted"
    assert table.rows[0][-1] == "0.27"


def test_traces_tell_runs_apart_by_how_they_ended(dags: Any) -> None:
    measure = next(m for m in trace_curves.MEASURES if m.name == "linearity")
    curve = trace_curves.curves(view(dags), measure)[0]
    assert curve.converged is not None
    assert curve.others is not None
    assert curve.converged[1, -1] > 0.95 > 0.85 > curve.others[1, -1]
    assert len(curve.thin) == 8


def test_no_headline_averages_runs_that_ended_differently(dags: Any) -> None:
    seen, linear = view(dags), dags.summary.final.linearity["unembedding"]
    there = [
        value
        for value, held in zip(linear.per_run, [run in HELD for run in range(8)], strict=True)
        if not held
    ]
    similar = seen.similarity("linearity", "unembedding")
    assert similar is not None
    assert similar.mean == pytest.approx(sum(there) / 6)
    assert similar.mean > (linear.mean or 0) + 0.02
    assert similar.interval95 is not None
    assert similar.interval95[0] > 0.95
    assert similar.per_concept.keys() == linear.per_concept.keys()
    assert all(value is not None and value > 0.95 for value in similar.per_concept.values())
    assert similar.per_run == linear.per_run
    assert verdict.title(seen).endswith(" of 1, in the 6 runs that converged)")
    assert said(dags).startswith("mixed: 6 of 8 runs converged, 2 on a plateau.")
    alike = view(planted(DAGS, held=()))
    assert alike.measures == alike.summary.measures
    assert "runs that converged" not in verdict.title(alike)


def test_the_loss_is_drawn_against_what_it_is_judged_by(dags: Any) -> None:
    ending = {"gradient_nats": flat(0.02), "norm": flat(40.0), "ended_at": [None] * 8, "time": flat(1e4)}
    price = {"price_of_linearity_nats": flat(0.003), "ending": ending}
    page_of = run_page(view(edited(dags, price)))
    blocks = {b.id: b for b in page_of.blocks}
    drawn = {trace["name"]: trace["y"] for trace in blocks["trace-excess-loss-nats"].spec["data"]}
    assert drawn["converged up to here"] == [0.01, 0.01]
    assert drawn["price of linearity"] == [0.003, 0.003]
    assert "floor of this width" not in drawn
    words = blocks["traces-legend"].rows
    assert ("good", "dashed level", "excess loss: converged up to here") in words
    table = blocks["ended"]
    assert [row[:2] for row in table.rows] == [["converged", "6"], ["on a plateau", "2"]]
    assert [row[5] for row in table.rows] == ["−0.80", "−0.10"]
    other = {b.id: b for b in run_page(view(dags)).blocks}
    assert "ended" not in other, "a record of before says nothing of gradients"
    assert not any("price" in t["name"] for t in other["trace-excess-loss-nats"].spec["data"])


def flat(value: float) -> dict[str, Any]:
    return {"median": value, "mean": value, "per_run": [value] * 8}


def test_missing_values_leave_a_gap(dags: Any) -> None:
    frame = dags.trace.copy()
    frame.loc[(frame["measure"] == "linearity") & (frame["step"] == 0), "value"] = float("nan")
    measure = next(m for m in trace_curves.MEASURES if m.name == "linearity")
    curve = trace_curves.curves(view(replace(dags, trace=frame)), measure)[0]
    assert curve.converged is not None
    assert np.isnan(curve.converged[:, 0]).all()
    assert np.isfinite(curve.converged[:, 1:]).all()
    assert page.render(replace(dags, trace=frame))


def test_cube_projection_is_orthogonal_and_fixed(dags: Any) -> None:
    seen = view(dags)
    each = cube(seen, seen.typical)
    world = dags.worlds[seen.typical]
    table = seen.snapshots[:, seen.typical]
    table = table - table.mean(axis=1, keepdims=True)
    # An orthogonal projection shortens, and one linear map serves every step.
    assert (np.linalg.norm(each.frames, axis=-1) <= np.linalg.norm(table, axis=-1) + 1e-9).all()
    fit = np.linalg.lstsq(table.reshape(-1, table.shape[-1]), each.frames.reshape(-1, 3), rcond=None)[0]
    np.testing.assert_allclose(fit.T @ fit, np.eye(3), atol=1e-8)
    np.testing.assert_allclose(table @ fit, each.frames, atol=1e-8)
    assert [len(ends) for ends in edges_by_concept(world.token_codes.numpy())] == [16] * 5


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_cube_in_few_dimensions(dim: int) -> None:
    result = planted({**DAGS, "runs": 1, "model": {"dim": dim}}, held=())
    frames = cube(view(result), 0).frames
    assert frames.shape[1:] == (32, 3)
    assert np.isfinite(frames).all()
    assert page.render(result)


def test_config_round_trip(dags: Any, hostile: Any) -> None:
    for result in (dags, hostile):
        text = as_toml(result.config.model_dump(mode="json", exclude_none=True))
        assert parse(tomllib.loads(text)) == result.config
    assert HOSTILE_NAMES[0] in text


def test_diverged_runs_are_named(dags: Any) -> None:
    words = ["diverged" if run == 4 else word for run, word in enumerate(dags.summary.ended.per_run)]
    diverged = [{"run": 4, "step": 1200, "step_size": 50.0}]
    found = said(edited(dags, {"ended": {"per_run": words}, "diverged": diverged}))
    assert "Run 4 diverged at step 1,200. The step size was 50" in found
    assert "5 of 8 runs converged, 2 on a plateau, 1 diverged." in found
