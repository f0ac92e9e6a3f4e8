"""What the kernels become on a card of compute capability 9.0, which need not be here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

ROOT = Path(__file__).parents[2]
MOST_SHARED = 99 * 1024
"""Bytes that a program may have on the smallest cards with such tensor cores; on an H100 it is 227 kB."""
SPILLED = {
    ("large", "context_side"): 0,
    ("large", "token_side"): 0,
    ("large", "lay_keys"): 0,
    ("large", "add_shares"): 0,
    ("tile", "tile_gradient"): 0,
    ("tile", "add_parts"): 0,
    ("gd", "descend"): 64,
    ("adam", "descend"): 640,
    ("gd, 128", "descend"): 128,
    ("judged", "judged_gradient"): 0,
    ("judged", "add_parts"): 0,
    ("sgd", "draw"): 0,
    ("sgd", "sample"): 320,
    ("targets, 14", "target_mean"): 16,
    ("targets, 14", "target_total"): 0,
    ("targets, 14 wide", "target_mean"): 0,
    ("targets, 14 wide", "target_total"): 0,
    # Of the largest sizes that are taken, whose tiles are nowhere all registers.
    ("large, most", "context_side"): 640,
    ("large, most", "token_side"): 0,
    ("large, most", "lay_keys"): 0,
    ("large, most", "add_shares"): 0,
    ("tile, widest", "tile_gradient"): 512,
    ("tile, widest", "add_parts"): 0,
    ("adam, most", "descend"): 2048,
    ("sgd, most", "draw"): 16,
    ("sgd, most", "sample"): 2560,
    ("judged, wide", "judged_gradient"): 2560,
    ("judged, wide", "add_parts"): 0,
}
"""Bytes a thread: what does not fit into its 255 registers goes through the first cache."""


def test_registers_spills_and_shared_memory_stay_within_bounds(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {
        "TRITON_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }
    calls = sorted({call for call, _ in SPILLED})
    program = [sys.executable, "-m", "tests.support.compiled_kernels", *calls]
    said = subprocess.run(program, check=False, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert said.returncode == 0, said.stderr[-2000:]
    found = [json.loads(line) for line in said.stdout.splitlines()]
    spilled = {(each["call"], each["kernel"]): each["spilled"] for each in found}
    assert {**spilled, **SPILLED}.keys() == SPILLED.keys() <= spilled.keys()
    assert {name: most for name, most in spilled.items() if most > SPILLED[name]} == {}
    shared = {(each["call"], each["kernel"]): each["shared"] for each in found}
    assert {name: most for name, most in shared.items() if most > MOST_SHARED} == {}
    assert max(shared.values()) > MOST_SHARED / 2  # of the largest it is nearly all
    assert max(each["registers"] for each in found) <= 255
