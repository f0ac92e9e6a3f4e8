"""The page of emergence says what its numbers say: planted histories in, sentences and figures out."""

from collections.abc import Sequence
from pathlib import Path

from linrep.llm import EmergenceResult
from linrep.llm.history.by_frequency import by_frequency
from linrep.llm.history.counts import Frequency
from linrep.llm.history.emerged import WORDS, Look, emergence_of
from linrep.page.lm.emergence import render, save, when_rows
from linrep.page.lm.emergence_figures import Axis
from linrep.page.lm.emergence_words import lines, title
from linrep.runs.row import NullRange, Row

STEPS = (0, 8, 32, 128, 512, 2048)
NAMES = ("a", "b", "c", "d", "e")


def history(
    emerges: Sequence[int | None], counts: Sequence[float] = (), hostile: str = ""
) -> EmergenceResult:
    """Concepts that become directions at these steps."""
    names = (hostile, *NAMES[1:]) if hostile else NAMES
    looks = tuple(
        Look(
            name=f"step{step}",
            step=step,
            tokens=None,
            rows=tuple(
                Row(
                    concept=name,
                    measure="linearity",
                    value=0.8 if when is not None and step >= when else 0.01,
                    low=0.7 if when is not None and step >= when else -0.05,
                    high=0.9 if when is not None and step >= when else 0.05,
                    table="unembedding",
                    inner="causal",
                    null=NullRange(mean=0.0, low=-0.1, high=0.1, q95=0.08),
                    pairs=20,
                )
                for name, when in zip(names, emerges, strict=True)
            ),
        )
        for step in STEPS
    )
    emerged = tuple(emergence_of(looks, WORDS, name) for name in names)
    occur = {
        name: Frequency(concept=name, count=n, pairs=n, contexts=None, missing=())
        for name, n in zip(names, counts, strict=False)
    }
    by = by_frequency(looks, WORDS, emerged, occur, seed=0) if occur else None
    measured = [
        {"name": look.name, "step": look.step, "tokens": None, "revision": None, "notes": [], "warnings": []}
        for look in looks
    ]
    data = {"pairs": "p", "contexts": "none", "winograd": "none", "counts": "none"}
    return EmergenceResult(
        summary={"model": "m", "seed": 0, "inner": "causal", "data": data, "measured": measured},
        looks=looks,
        emerged=emerged,
        frequencies=occur,
        frequency=() if by is None else (by,),
    )


def answers(result: EmergenceResult) -> dict[str, str]:
    return {line.claim.partition(":")[2].strip(): line.there for line in lines(result)}


COUNTS = (16.0, 64.0, 256.0, 1024.0, 4096.0)


def test_commoner_earlier_and_the_opposite_and_neither_are_told_apart() -> None:
    earlier, later, mixed = (
        history(when, COUNTS)
        for when in ([2048, 512, 128, 32, 8], [8, 32, 128, 512, 2048], [32, 8, 8, 32, 8])
    )
    claim = "commoner concepts emerge earlier."
    assert [answers(each)[claim] for each in (earlier, later, mixed)] == ["yes", "no", "undecided"]
    assert (
        title(earlier) == "5 of 5 concepts become directions between steps 8 and 2,048, commoner ones earlier"
    )
    assert title(later) == "5 of 5 concepts become directions between steps 8 and 2,048"
    all_at_once = history([32] * 5, COUNTS)
    assert answers(all_at_once)["no order by frequency."] == "note"
    assert title(all_at_once) == "5 of 5 concepts become directions at step 32"


def test_what_has_not_emerged_is_said() -> None:
    none, some = history([None] * 5), history([None, None, 128, 32, 8])
    assert title(none) == "None of 5 concepts becomes a direction by step 2,048"
    assert answers(none)["0 of 5 concepts have emerged."] == "no"
    (line,) = lines(some)
    assert line.claim == "Word pairs: 3 of 5 concepts have emerged."
    assert line.detail == "First e, by step 8; last c, by step 128. Not yet: a and b."
    assert [row[2] for row in when_rows(some)[1]] == ["not yet", "not yet", "128 (32)", "32 (8)", "8 (0)"]
    assert when_rows(history([0] * 5))[1][0][2] == "0 (by the first)"


def test_step_0_has_a_place_of_its_own_left_of_the_logarithm() -> None:
    axis = Axis(history([8] * 5).looks)
    assert axis.places[1:] == [8, 32, 128, 512, 2048]
    assert 0 < axis.places[0] < axis.edge < 8
    layout = axis.layout()
    assert (layout["xaxis"]["ticktext"][0], layout["xaxis"]["tickvals"][0]) == ("0", axis.places[0])
    assert layout["shapes"][0]["x0"] == axis.edge
    later = Axis(history([8] * 5).looks[1:])
    assert later.layout()["shapes"] == []


def test_the_page_is_one_file_and_a_name_is_never_markup(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    result = history([2048, 512, 128, 32, 8], COUNTS, hostile)
    page = save(result, tmp_path / "new")
    text = page.read_text()
    assert {path.name for path in page.parent.iterdir()} == {
        "page.html",
        "result.json",
        "table.csv",
        "table.parquet",
    }
    assert hostile not in text
    for block in ("by-step-words", "when", "step-by-count", "linearity-by-count", "thresholds", "measured"):
        assert f'id="{block}"' in text
    assert text.index('id="by-step-words"') < text.index('id="when"')
    plain = render(history([2048, 512, 128, 32, 8]))
    assert 'id="step-by-count"' not in plain
    assert "None" not in plain.partition("<script")[0]
