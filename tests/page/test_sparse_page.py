"""The page of a world of two hundred concepts: drawn whole, small, and readable where all would not be."""

import json
import re

import pytest

import linrep
from linrep.page import heat
from linrep.page.cube import EDGES_SHOWN
from linrep.page.trace_curves import THIN_LINES


@pytest.fixture(scope="module")
def page() -> str:
    world = {"kind": "sparse", "concepts": 200, "samples": 80, "contexts": 30}
    training = {"steps": 4, "optimizer": "gd", "snapshots": 3}
    result = linrep.run(
        world=world, dim=8, runs=1, training=training, measure={"null_draws": 2}, progress=False
    )
    return linrep.page.render(result)


def test_it_is_small_and_shows_as_many_concepts_as_can_be_read(page: str):
    assert len(page) < 1.5e6
    found = re.search(r'id="page-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    figures = json.loads(found[1])["figures"]
    for name in ("overlap-unembedding-mean-directions", "alignment-matrix"):
        z = figures[name]["data"][0]["z"]
        assert (len(z), len(z[0])) == (heat.MOST, heat.MOST)
    assert len(figures["cube"]["concepts"]) == len(figures["cube"]["runs"][0]["edges"]) == EDGES_SHOWN
    assert max(map(len, figures["cube"]["runs"][0]["tokens"])) < 200
    assert THIN_LINES < len(figures["trace-linearity"]["data"]) <= 2 * THIN_LINES + 6


def test_it_says_what_it_leaves_out(page: str):
    assert f"Of 200 concepts the {heat.MOST} with the largest entries beside the diagonal." in page
    assert f"Edges are those of {EDGES_SHOWN} concepts of 200" in page
    assert f"the first {THIN_LINES} of 200" in page
