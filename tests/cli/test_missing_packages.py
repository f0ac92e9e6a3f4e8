"""Without the packages of an extra, what needs them says so in one line, and what does not still works."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

LM = 'linrep: error: language models need more packages: pip install "linrep[lm]"'
RUNNER = """
import contextlib, io, json, sys

ABSENT, COMMANDS = json.loads(sys.argv[1]), json.loads(sys.argv[2])

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from linrep.cli import main

found = []
for arguments in COMMANDS:
    told, said = io.StringIO(), io.StringIO()
    sys.argv = ["linrep", *arguments]
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(said):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
        except BaseException as error:
            code = repr(error)
    found.append([code, said.getvalue().splitlines()[-1:]])
print(json.dumps(found))
"""


def without(packages: list[str], commands: list[list[str]], folder: Path) -> list[tuple[object, list[str]]]:
    """Exit code and last line on stderr of each command, in a process where the packages are absent."""
    arguments = [json.dumps(packages), json.dumps(commands)]
    ran = subprocess.run(
        [sys.executable, "-c", RUNNER, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return [(code, last) for code, last in json.loads(ran.stdout.splitlines()[-1])]


@pytest.mark.parametrize("absent", [["transformers", "huggingface_hub", "tokenizers"], ["tokenizers"]])
def test_without_the_packages_of_language_models(absent: list[str], tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "llama"}')
    commands = [
        ["lm", "measure", "model"],
        ["lm", "measure", "owner/name"],
        ["lm", "toy", "--out", "toy", "--quick"],
        ["lm", "toy", "--out", "toy", "--quick", "--widths", "8"],
        ["lm", "steer", "model", "--concept", "male-female", "--prompt", "b"],
        ["lm", "emergence", "model", "model", "--steps", "0,1"],
        ["lm", "paper", "model"],
    ]
    assert without(absent, commands, tmp_path) == [(2, [LM])] * len(commands)


def test_without_the_packages_of_the_live_laboratory(tmp_path: Path) -> None:
    more = 'linrep: error: the live laboratory needs more packages: pip install "linrep[explore]"'
    commands = [["explore"], ["predict", "--concepts", "2"]]
    assert without(["starlette", "uvicorn", "websockets"], commands, tmp_path) == [(2, [more]), (0, [])]


def test_what_needs_no_model_needs_no_package(tmp_path: Path) -> None:
    ((code, said),) = without(["transformers", "huggingface_hub", "tokenizers"], [["lm", "data"]], tmp_path)
    assert (code, said) == (0, [])
