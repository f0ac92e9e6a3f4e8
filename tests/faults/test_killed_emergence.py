"""Killed at any moment and run again, ``linrep lm emergence`` measures nothing twice; Ctrl-C is one line."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from linrep.llm.toy import make_toy
from tests.support.hub import serving

PATIENCE = 300.0


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed") / "toy"
    make_toy(
        folder, seed=0, concepts=4, hidden=8, layers=1, heads=1, steps=60, world="balanced", checkpoints=8
    )
    return folder


def begun(toy: Path, out: Path, *more: str, **environment: str) -> "subprocess.Popen[str]":
    words = ["lm", "emergence", str(toy), "--pairs", str(toy / "pairs"), "--minimum-pairs", "8"]
    words += ["--draws", "100", "--no-laboratory", "--json", "--out", str(out), *more]
    return subprocess.Popen(
        [sys.executable, "-m", "linrep", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def kept(out: Path) -> dict[str, int]:
    """What has been measured, and when it was written: what is measured again is written again."""
    return {path.name: path.stat().st_mtime_ns for path in (out / "checkpoints").glob("*.json")}


def waited(out: Path, process: "subprocess.Popen[str]", number: int) -> None:
    until = time.monotonic() + PATIENCE
    while len(kept(out)) < number and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_as_one_never_stopped(toy: Path, tmp_path: Path) -> None:
    code, never, err = ended(begun(toy, tmp_path / "never"))
    assert code == 0, err
    assert len(kept(tmp_path / "never")) == 8
    draw, out = random.Random(0), tmp_path / "often"
    for _ in range(3):
        before = kept(out)
        process = begun(toy, out)
        waited(out, process, len(before) + 1)
        time.sleep(draw.uniform(0, 0.02))
        process.kill()
        process.communicate()
        assert before.items() <= kept(out).items(), "nothing is measured twice"
    there = kept(out)
    assert len(there) >= 3
    code, often, err = ended(begun(toy, out))
    assert code == 0, err
    assert len(kept(out)) == 8
    assert there.items() <= kept(out).items()
    assert json.loads(often) == json.loads(never)
    assert not list(out.rglob("*.tmp"))
    page = err.strip().splitlines()[-1]
    assert page == f"page  {(out / 'page.html').resolve()}"
    assert (out / "page.html").read_text().count("<html") == 1


@pytest.mark.slow
def test_ctrl_c_is_one_line_and_the_same_command_goes_on(toy: Path, tmp_path: Path) -> None:
    process = begun(toy, tmp_path, "--quiet")
    waited(tmp_path, process, 2)
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert (code, out) == (130, "")
    assert err.strip() == "linrep: interrupted; the same command goes on from here"
    there = kept(tmp_path)
    assert 2 <= len(there) < 8
    assert ended(begun(toy, tmp_path))[0] == 0
    assert len(kept(tmp_path)) == 8
    assert there.items() <= kept(tmp_path).items()


# --- on a stand-in for the Hub ---


def cached(home: Path) -> set[str]:
    """Revisions whose weights lie in the cache."""
    return {path.parent.name for path in home.glob("hub/models--*/snapshots/*/model.safetensors")}


def asked(toy: Path, out: Path, endpoint: str, home: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    words = [
        "lm",
        "emergence",
        "nobody/toy",
        "--revisions",
        "step60,step0,step32",
        "--no-laboratory",
        "--json",
    ]
    words += ["--pairs", str(toy / "pairs"), "--contexts", str(toy / "contexts.jsonl"), "--draws", "100"]
    process = subprocess.Popen(
        [sys.executable, "-m", "linrep", *words, "--minimum-pairs", "8", "--out", str(out), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"},
    )
    code, out_text, err = ended(process)
    return code, json.loads(out_text) if code == 0 else {}, err


@pytest.mark.slow
def test_downloads_are_deleted_or_kept_and_what_was_there_stays(toy: Path, tmp_path: Path) -> None:
    revisions = {name: toy / name for name in ("step0", "step32", "step60")}
    with serving("nobody/toy", revisions) as hub:
        home = tmp_path / "home"
        code, first, err = asked(toy, tmp_path / "a", hub.endpoint, home)
        assert code == 0, err
        assert [each["step"] for each in first["measured"]] == [0, 32, 60]
        assert [each["revision"] for each in first["measured"]] == [
            hub.commit(f"step{n}") for n in (0, 32, 60)
        ]
        assert cached(home) == set(), "each is gone once it is measured"
        hub.reads.clear()
        code, again, err = asked(toy, tmp_path / "a", hub.endpoint, home)
        assert again == first
        assert not [name for name in hub.reads if name.endswith(".safetensors")], "and not fetched again"
        code, _, err = asked(toy, tmp_path / "b", hub.endpoint, home, "--keep")
        assert code == 0, err
        assert cached(home) == set(hub.commits)
        code, _, err = asked(toy, tmp_path / "c", hub.endpoint, home)
        assert code == 0, err
        assert cached(home) == set(hub.commits), "what was there before is the user's"
        assert not list((tmp_path / "c").rglob("*.download"))
