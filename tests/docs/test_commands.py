"""Every command and every block of Python in the README and in the documentation runs, in small."""

import glob
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main

import linrep
from linrep.cli import app, execute
from linrep.llm.toy import make_toy

ROOT = Path(__file__).parents[2]
PAGES = sorted(["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])

CONFIG = """
runs = 2
world = { kind = "random", concepts = 3 }
training = { optimizer = "gd", steps = 20, snapshots = 3 }
measure = { bootstrap = 100, null_draws = 2 }
compute = { threads = 1 }
"""
SWEEP = """
[base]
runs = 2
world = { kind = "random", concepts = 2 }
training = { optimizer = "gd", steps = 10, snapshots = 2 }
measure = { bootstrap = 100, null_draws = 2 }
compute = { threads = 1 }
[axes]
"model.dim" = [2, 3]
"""

IN_SMALL = {
    "linrep run --set world.network=alarm --set world.keep=HYPOVOLEMIA,LVFAILURE,HISTORY,CVP": (
        "linrep run --set world.network=alarm --set world.keep=HYPOVOLEMIA,LVFAILURE,HISTORY,CVP "
        "--set runs=2 --set training.steps=20"
    ),
    "linrep init my.toml": "linrep init new.toml",
    "linrep report 3f2a --figures figures/": "linrep report KEY --figures figures/",
    "linrep sweep my-sweep.toml --workers 8": "linrep sweep my-sweep.toml --workers 2",
    "linrep lm measure openai-community/gpt2 --out gpt2": (
        "linrep lm measure toy --pairs toy/pairs --out gpt2"
    ),
    "linrep lm measure openai-community/gpt2": "linrep lm measure toy --pairs toy/pairs --out measured-alone",
    "linrep lm measure openai-community/gpt2 --contexts builtin --winograd builtin --layer all --out gpt2": (
        "linrep lm measure toy --pairs toy/pairs --contexts toy/contexts.jsonl --winograd builtin "
        "--layer all --draws 50 --out gpt2-all"
    ),
    'linrep lm steer openai-community/gpt2 --concept male-female --prompt "Long live the" '
    "--strength -4,-2,2,4 --out push": "linrep lm steer toy --pairs toy/pairs --concept small-large "
    '--prompt "the hot thing" --strength -4,-2,2,4 --out push',
    "linrep lm data --tokenizer openai-community/gpt2": "linrep lm data --tokenizer toy",
    "linrep lm paper meta-llama/Llama-2-7b-hf --out llama-2 --figures llama-2/figures": (
        "linrep lm paper toy --pairs toy/pairs --contexts toy/contexts.jsonl --draws 50 --out llama-2 "
        "--figures llama-2/figures"
    ),
    "linrep lm paper meta-llama/Llama-2-7b-hf --weights-only --out llama-2": (
        "linrep lm paper toy --pairs toy/pairs --weights-only --out llama-2-weights"
    ),
    "linrep lm toy --out toy": "linrep lm toy --out toy-again --quick --steps 2",
    "linrep lm toy --out toy --quick": "linrep lm toy --out toy-quick --quick --steps 2",
    "linrep lm toy --out history --checkpoints 16 --concepts 6 --world balanced --frequency-ratio 4 "
    "--steps 1600": "linrep lm toy --out history --checkpoints 3 --concepts 4 --frequency-ratio 4 --steps 40",
    "linrep lm emergence history --pairs history/pairs --contexts history/contexts.jsonl --counts "
    "history/counts.csv --out emergence": "linrep lm emergence history --pairs history/pairs --counts "
    "history/counts.csv --minimum-pairs 8 --draws 50 --no-laboratory --out emergence",
    "linrep lm emergence EleutherAI/pythia-1b --revisions step0,step512,step8000,step143000 --out pythia": (
        "linrep lm emergence history --revisions step0,step40 --pairs history/pairs --minimum-pairs 8 "
        "--draws 50 --no-laboratory --out pythia"
    ),
    "linrep lm toy --widths 8,16,32,64 --out widths": (
        "linrep lm toy --widths 4,8 --quick --steps 2 --concepts 3 --out widths"
    ),
}
"""What is run in the place of a command that takes long, or a model from the Hub."""
ELSEWHERE = {
    "make demo": "tests/cli/test_demo.py",
    "make test": "tests/test_house.py",
    'pip install ".[lm]"': "pyproject.toml",
    "linrep sweep my-sweep.toml --scheduler tcp://node1:8786": "tests/faults/test_cluster.py",
    "linrep sweep my-sweep.toml --executor slurm --workers 40 --slurm queue=cpu --slurm walltime=02:00:00": (
        "tests/sweeps/test_slurm.py"
    ),
    "linrep reproduce emergence dimension --quick": "tests/paper/test_reproduce.py",
    "linrep reproduce --all": "tests/paper/test_reproduce.py",
    "linrep reproduce --all --results docs/results": "tests/paper/test_reproduce.py",
    "linrep reproduce --all --figures figures/": "tests/paper/test_reproduce.py",
    "linrep gallery --from reproduced": "tests/paper/test_gallery.py",
    'pip install ".[explore]"': "pyproject.toml",
    "linrep explore": "tests/explore/test_command.py",
    "linrep explore my.toml": "tests/explore/test_command.py",
    "linrep claims --quick": "tests/paper/claims",
    "python -m benchmarks all --output-dir benchmarks/results": "tests/test_benchmarks.py",
    "python -m benchmarks report benchmarks/results --markdown docs/performance.md --profile "
    "benchmarks/README.md": "tests/test_benchmarks.py",
}
"""What is run by other tests, and where."""


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def commands(page: str) -> list[str]:
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [command for line in lines if (command := re.split(r"\s+#", line)[0].strip())]


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy") / "toy"
    make_toy(folder, seed=0, quick=True, facts=0, steps=150)
    return folder


@pytest.fixture
def desk(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every file that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(toy, tmp_path / "toy")
    (tmp_path / "my.toml").write_text(CONFIG)
    (tmp_path / "my-sweep.toml").write_text(SWEEP)
    model = linrep.load_network("cancer")
    linrep.write_bif(model, tmp_path / "my.bif")
    world, rng = linrep.world(model), np.random.default_rng(0)
    np.save("F.npy", rng.normal(size=(len(world.codes), 4)))
    np.save("G.npy", rng.normal(size=(len(world.tokens), 4)))
    np.savez("vectors.npz", vectors=rng.normal(size=(32, 4)))
    rows = [f"{i},{i & 1},{i >> 1 & 1}" for i in range(32)]
    (tmp_path / "table.csv").write_text("id,old,large\n" + "\n".join(rows) + "\n")
    return tmp_path


def words(command: str) -> list[str]:
    """As a shell would pass them on."""
    found: list[str] = []
    for word in shlex.split(command):
        here = sorted(glob.glob(word)) if "/*" in word else []
        found += here or [word]
    if "KEY" in found:
        newest = next(path.name for path in Path("runs").iterdir() if (path / "config.json").exists())
        found[found.index("KEY")] = newest
    return found


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_every_command_runs(page: str, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands(page):
        if command in ELSEWHERE:
            assert (ROOT / ELSEWHERE[command]).exists()
            continue
        program, *arguments = words(IN_SMALL.get(command, command))
        assert program == "linrep", f"{command}: say in ELSEWHERE where it is run"
        code = execute(arguments)
        told = capsys.readouterr()
        assert code == 0, f"{command}: {told.out}{told.err}"


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_every_block_of_python_runs(page: str, desk: Path) -> None:
    for place, block in enumerate(blocks(page, "python")):
        script = desk / f"block_{place}.py"
        script.write_text(block)
        ran = subprocess.run(
            [sys.executable, str(script)], check=False, capture_output=True, text=True, timeout=600
        )
        assert ran.returncode == 0, f"{block}\n{ran.stderr}"
        assert ran.stdout.strip() or "print(" not in block


def test_nothing_is_listed_that_no_page_says() -> None:
    said = {command for page in PAGES for command in commands(page)}
    assert said >= IN_SMALL.keys() | ELSEWHERE.keys()


def spans(page: str) -> list[str]:
    """Commands within a sentence: `linrep …`."""
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"(?<!`)`linrep ([^`]+)`", text)


def test_every_command_in_a_sentence_has_its_options() -> None:
    for page in PAGES:
        for span in spans(page):
            at: Any = typer.main.get_command(app)
            for word in span.split():
                at = getattr(at, "commands", {}).get(word, at)
            known = {option for parameter in at.params for option in parameter.opts}
            asked = set(re.findall(r"(?<![\w-])--[a-z-]+", span))
            assert asked <= known | {"--help", "--version"}, f"{page}: {span}"


def test_the_readme_fits_on_a_front_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 110
