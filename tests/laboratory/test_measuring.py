"""``linrep.measure``: planted answers, a slow twin, what a run says to the bit, whatever a user may give."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import linrep
from linrep.errors import InputError

CUBE = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)])
RNG = np.random.default_rng(0)
PLANTED = CUBE @ RNG.normal(size=(3, 6))
NOISE = RNG.normal(size=(8, 6))
PAIRS = {"a": [(0, 4), (1, 5), (2, 6)], "b": [(0, 2), (1, 3)]}


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


def naive_linearity(table: np.ndarray, pairs: list[tuple[int, int]]) -> float:
    vectors = [table[high] - table[low] for low, high in pairs]
    return float(np.mean([cosine(x, y) for x, y in combinations(vectors, 2)]))


def test_a_planted_cube_is_linear_and_a_random_one_is_not() -> None:
    planted = linrep.measure(PLANTED, codes=CUBE).measures["linearity", "unembedding"]
    noise = linrep.measure(NOISE, codes=CUBE).measures["linearity", "unembedding"]
    assert planted.mean == pytest.approx(1)
    assert planted.null.q95 < 0.9
    assert noise.mean < noise.null.q95 + 0.2
    assert noise.mean < 0.5


def test_every_number_is_what_loops_give() -> None:
    found = linrep.measure(NOISE, pairs=PAIRS)
    for name, pairs in PAIRS.items():
        own = found.measures["linearity", "unembedding"].per_concept[name]
        assert own == pytest.approx(naive_linearity(NOISE, pairs))
    mean = [
        np.mean([v / np.linalg.norm(v) for v in (NOISE[h] - NOISE[lo] for lo, h in pairs)], 0)
        for pairs in PAIRS.values()
    ]
    overlap = found.matrix("orthogonality.mean_directions").loc["a", "b"]
    assert overlap == pytest.approx(abs(cosine(*mean)))


def test_two_tables_agree_when_one_is_the_other_turned_alike() -> None:
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(6, 6)))[0]
    same = linrep.measure(3 * NOISE @ turn, NOISE @ turn, codes=CUBE)
    apart = linrep.measure(NOISE @ turn, NOISE, codes=CUBE)
    one = linrep.measure(NOISE, NOISE, codes=CUBE)
    assert same.measures["alignment", ""].mean == pytest.approx(one.measures["alignment", ""].mean)
    assert apart.measures["linearity", "embedding"].mean == pytest.approx(
        one.measures["linearity", "embedding"].mean
    )
    assert abs(apart.measures["alignment", ""].mean) < 0.7 * one.measures["alignment", ""].mean
    assert same.matrix("alignment").shape == (3, 3)


def test_a_run_and_its_tables_say_the_same_to_the_bit() -> None:
    result = linrep.run(world="cancer", runs=3, seed=4, training={"steps": 60})
    found = linrep.measure(result.embedding, result.unembedding, world=result.worlds, seed=4)
    assert dict(found.measures) == result.summary.measures
    world = linrep.load_network("cancer")
    by_model = linrep.measure(result.embedding.numpy(), result.unembedding.numpy(), world=world, seed=4)
    assert by_model.table.equals(found.table)
    codes = np.where(result.worlds[0].codes == 2, -1, result.worlds[0].codes)
    by_codes = linrep.measure(
        result.embedding,
        result.unembedding,
        codes=(codes, result.worlds[0].token_codes),
        names=world.names,
        seed=4,
    )
    for key, own in by_codes.measures.items():
        assert own == found.measures[key]
    assert {key for key in found.measures if key not in by_codes.measures} == {
        ("log_odds_gap_nats", ""),
        ("margin", ""),
        ("excess_loss_nats", ""),
    }
    other = linrep.measure(result.embedding, result.unembedding, world=world, seed=5)
    assert other.measures["linearity", "embedding"].null != found.measures["linearity", "embedding"].null


def test_own_worlds_of_runs_with_padding() -> None:
    result = linrep.run(
        {"world": {"kind": "chain", "concepts": 3}, "contexts": {"kind": "fraction", "fraction": 0.7}},
        tokens={"kind": "fraction", "fraction": 0.8},
        runs=3,
        training={"steps": 20},
    )
    found = linrep.measure(result.embedding, result.unembedding, world=result.worlds)
    assert dict(found.measures) == result.summary.measures


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.tolist(),
        np.asfortranarray,
        lambda x: torch.nn.Parameter(torch.from_numpy(x)),
        pd.DataFrame,
        lambda x: torch.from_numpy(x)[None],
        lambda x: x.astype(">f8"),
        lambda x: x[::-1][::-1],
        lambda x: torch.from_numpy(x).to_sparse(),
        lambda x: [torch.tensor(row, requires_grad=True) for row in x],
        np.ma.masked_array,
        lambda x: x * 2.0**200,
    ],
)
def test_every_form_of_a_table_is_one(form: object) -> None:
    wanted = linrep.measure(NOISE, codes=CUBE)
    found = linrep.measure(form(NOISE), codes=CUBE)  # pyright: ignore
    assert found.table.equals(wanted.table)


def test_a_table_is_left_as_it_was_and_low_precision_is_taken_as_given() -> None:
    half = torch.from_numpy(NOISE).to(torch.bfloat16).requires_grad_()
    before = half.detach().clone()
    found = linrep.measure(half, codes=CUBE)
    assert torch.equal(half, before)
    assert half.grad is None
    assert found.table.equals(linrep.measure(half.detach().double(), codes=CUBE).table)
    assert linrep.measure(CUBE, codes=CUBE).measures["linearity", "unembedding"].mean == 1
    assert linrep.measure(CUBE > 0, codes=CUBE).measures["linearity", "unembedding"].mean == 1


@pytest.mark.parametrize(
    "codes",
    [
        CUBE.tolist(),
        torch.from_numpy(CUBE),
        ["".join(map(str, row)) for row in CUBE],
        pd.DataFrame(CUBE, columns=["C1", "C2", "C3"]),
        {f"C{i + 1}": np.array(["no", "yes"])[CUBE[:, i]] for i in range(3)},
        CUBE.astype(float),
        CUBE.astype(bool),
        torch.from_numpy(CUBE).to(torch.bfloat16).requires_grad_(),
        torch.from_numpy(CUBE).to_sparse(),
    ],
)
def test_every_form_of_codes_is_one(codes: object) -> None:
    assert linrep.measure(NOISE, codes=codes).table.equals(linrep.measure(NOISE, codes=CUBE).table)


def test_unknown_values_make_no_pair_and_three_values_make_a_simplex() -> None:
    words = [["a", "x"], ["a", "y"], ["b", "x"], ["b", "⋄"], ["c", "x"], [None, "y"]]
    found = linrep.measure(RNG.normal(size=(6, 4)), codes=words, names=["letter", "end"])
    # letter: (a, b), (a, c), (b, c) at x; end: (x, y) at a.
    assert found.measures["linearity", "unembedding"].pairs == 4
    as_numbers = [[{"a": 0, "b": 1, "c": 2, None: np.nan}[a], {"x": 0, "y": 1, "⋄": -1}[b]] for a, b in words]
    assert linrep.measure(np.eye(6), codes=as_numbers).measures["linearity", "unembedding"].pairs == 4


@pytest.mark.parametrize(
    ("tables", "said", "words"),
    [
        ([NOISE], {}, "expected one of codes=, pairs= or world="),
        ([NOISE], {"codes": CUBE, "pairs": PAIRS}, "got codes and pairs"),
        ([], {"codes": CUBE}, "expected one table, G, or two"),
        ([NOISE[0]], {"codes": CUBE}, r"\[rows, dim\] or \[runs, rows, dim\], got shape \[6\]"),
        ([NOISE[:7]], {"codes": CUBE}, "expected one row for each of 7 rows of G, got 8"),
        ([np.where(CUBE == 1, np.nan, 0)], {"codes": CUBE}, "NaN or infinity in row 1 and 6 more"),
        ([[[1, 2], [3]]], {"codes": CUBE}, "ragged"),
        ([[["a"], ["b"]]], {"codes": CUBE}, "expected numbers"),
        ([NOISE + 1j], {"codes": CUBE}, "expected real numbers"),
        (
            [pd.DataFrame({"x": [1, 2], "id": ["a", "b"]})],
            {"codes": CUBE},
            r"frame\.drop\(columns=\['id'\]\)",
        ),
        ([NOISE], {"codes": []}, "got none"),
        ([NOISE], {"codes": [0, 1, 0, 1, 0, 1, 0, 1]}, r"got a row 0"),
        ([NOISE], {"codes": np.zeros((8, 1))}, "has one value, 0"),
        ([NOISE], {"codes": CUBE[:, :2]}, "rows 0 and 1 have the same values"),
        ([NOISE], {"codes": CUBE, "names": ["a"]}, "expected 3 different ones"),
        ([NOISE], {"pairs": [(3, 8)]}, r"pairs=\{\"male-female\": \[\(3, 8\), …\]\}"),
        ([NOISE], {"pairs": {}}, "at least one concept"),
        ([NOISE], {"pairs": {"a": [(3, 8)]}}, "expected rows from 0 to 7, got 8"),
        ([NOISE], {"pairs": {"a": [(3, 3)]}}, "paired with itself"),
        ([NOISE], {"pairs": {"a": [3, 4]}}, "each \\(low row, high row\\)"),
        ([NOISE], {"pairs": {"a": [("x", "y")]}}, "pairs of row numbers"),
        ([NOISE, NOISE[:4]], {"codes": CUBE}, r"codes=\(of_F, of_G\)"),
        ([NOISE, NOISE[:, :4]], {"codes": CUBE}, "expected one width"),
        ([NOISE[None], np.stack([NOISE] * 2)], {"codes": CUBE}, "as many runs in both"),
        ([NOISE], {"world": "cancer"}, "expected 32 rows, one for each token"),
        ([np.zeros((32, 2)), np.zeros((243, 2))], {"world": "cancer"}, "F and G are swapped"),
        ([NOISE], {"world": 3}, "expected a concept model"),
        ([torch.empty(8, 6, device="meta")], {"codes": CUBE}, "on the meta device"),
        ([NOISE], {"codes": torch.empty(8, 3, device="meta")}, "codes: .* on the meta device"),
        ([np.ma.masked_array(NOISE, mask=np.eye(8, 6))], {"codes": CUBE}, "NaN or infinity in row 0 and 5"),
        ([NOISE * 1e300], {"codes": CUBE}, "squares a float holds"),
        ([NOISE * 1e-300], {"codes": CUBE}, "squares a float holds"),
        ([NOISE], {"codes": pd.DataFrame(CUBE, columns=["a", "a", "b"])}, "expected 3 different ones"),
        ([NOISE], {"codes": CUBE, "names": ["a", "b", " "]}, "a name for each concept"),
        ([NOISE], {"codes": CUBE, "names": "abc"}, "expected a list of 3"),
        ([NOISE], {"pairs": {"": [(3, 4)]}}, "a name for each concept"),
        ([NOISE], {"pairs": pd.DataFrame({"a": [3, 4]})}, "expected pairs by concept"),
        ([NOISE], {"pairs": {"a": torch.ones(1, 2, requires_grad=True)}}, "pairs of row numbers"),
        ([NOISE], {"pairs": {"a": np.ma.masked_array([[3, 4]], mask=[[0, 1]])}}, "pairs of row numbers"),
        ([NOISE], {"pairs": {"a": [(3, 4), (1, 2), (4, 3)]}}, "rows 3 and 4 are paired twice"),
        ([NOISE], {"codes": CUBE, "seed": -1}, "seed: expected a whole number"),
        ([NOISE], {"codes": CUBE, "draws": 0}, "draws: expected"),
    ],
)
def test_what_cannot_be_measured_is_one_line_that_shows_the_way(tables: list, said: dict, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        linrep.measure(*tables, **said)
    assert "\n" not in str(caught.value)


def test_a_digit_for_unknown_is_not_taken_for_a_value() -> None:
    world = linrep.world(linrep.load_network("cancer"))
    f, g = torch.zeros(len(world.codes), 2), torch.zeros(len(world.tokens), 2)
    with pytest.raises(InputError, match=r"world=world"):
        linrep.measure(f, g, codes=(world.codes, world.token_codes))


def test_each_concept_says_its_pairs_and_few_are_said() -> None:
    many = [(2 * i, 2 * i + 1) for i in range(4)]
    found = linrep.measure(NOISE, pairs={"sex": many, "age": [(0, 2), (1, 3)]})
    linearity = found.table.query("measure == 'linearity'").set_index("concept")["pairs"]
    assert linearity.to_dict() == {"": 6, "sex": 4, "age": 2}
    assert found.few == ("sex (4)", "age (2)")
    assert repr(found).endswith("…; fewer than 10 pairs: sex (4), age (2))")
    both = linrep.measure([NOISE] * 2, [NOISE] * 2, codes=CUBE)
    aligned = both.table.query("measure == 'alignment'").set_index("concept")["pairs"]
    assert aligned.to_dict() == {"": 48, "C1": 16, "C2": 16, "C3": 16}
    assert both.few == ("C1 (4)", "C2 (4)", "C3 (4)")
    corners = np.array(np.unravel_index(range(32), (2,) * 5)).T
    assert linrep.measure(np.eye(32), codes=corners).few == ()  # sixteen pairs of each


def test_a_reading_shows_draws_and_keeps_itself(tmp_path: Path) -> None:
    found = linrep.measure(PLANTED, NOISE, codes=CUBE, names=["sex", "<b>", "age"])
    assert repr(found).startswith("Reading(3 concepts, F 8 × 6, G 8 × 6; linearity of F 1.00 (null ")
    assert len(repr(found)) < 220
    assert "<table" in found._repr_html_()
    assert {*found.table["concept"]} == {"", "sex", "<b>", "age"}
    assert found.value("linearity", "sex", table="embedding").value == pytest.approx(1)
    with pytest.raises(InputError, match=r"this has .*alignment"):
        found.matrix("nothing")
    with pytest.raises(InputError, match=r"this has measures, "):
        found.plot("nothing")
    assert found.plot().data[0].name == "measured"
    assert found.plot("orthogonality.rms.embedding").data[0].type == "heatmap"
    page = found.page(tmp_path / "new" / "page.html").read_text()
    assert "&lt;b&gt;" in page
    saved = found.save(tmp_path / "kept")
    assert pd.read_parquet(saved / "table.parquet").equals(found.table)


def test_a_concept_without_pairs_has_no_number() -> None:
    found = linrep.measure(NOISE, pairs={"a": [(0, 1), (2, 3)], "none": []})
    assert found.measures["linearity", "unembedding"].per_concept["none"] is None
    assert "linearity of G" in repr(linrep.measure(NOISE, pairs={"none": []}))
    linrep.measure(NOISE, pairs={"one": [(0, 1)]}).plot()
