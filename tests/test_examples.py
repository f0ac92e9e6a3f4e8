"""Every file of examples/ runs; the ruler in a loop ends at what measuring the final tables says."""

import re
import runpy
from pathlib import Path

import pytest

import linrep

EXAMPLES = Path(__file__).parents[1] / "examples"
NEEDS = re.compile(r"^# needs: (\w+)$", re.MULTILINE)
"""How an example names a package that is no dependency."""


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in NEEDS.findall(path.read_text()):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install {package}")
    monkeypatch.chdir(tmp_path)
    left = runpy.run_path(str(path))
    if path.stem == "wordllama_table":
        found, control = left["linear"], left["nothing"]
        assert found.low > found.null.high
        assert control.low < control.null.high
        assert set(left["found"].absent) == {"alignment", "winograd"}
    if path.stem == "own_loop":
        found = linrep.measure(left["F"], left["G"], world=left["world"])
        for key, value in left["values"].items():
            own = found.measures[key]
            assert value == (own.rmse if key[0] == "log_odds_gap_nats" else own.mean)
        assert left["ruler"].trace["step"].max() == 500


def test_the_loop_is_short() -> None:
    lines = (EXAMPLES / "own_loop.py").read_text().splitlines()
    assert sum(bool(line.strip()) and not line.startswith(('"""', "import", "#")) for line in lines) <= 20
