"""Word pairs measured from a head's file alone, against the floor: bytes read, covariance, factor."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks import memory, options, timing
from benchmarks.records import Row, shown, table

CONCEPTS, PAIRS = 5, 40
SPARE = 5  # special tokens
ALL = "all: measure(), imports left out"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rows",
        type=options.whole(SPARE + 2 * PAIRS * CONCEPTS),
        default=32_000,
        help="vocabulary; LLaMA-2's by default",
    )
    parser.add_argument("--dim", type=options.positive, default=4_096, help="width; LLaMA-2's by default")
    parser.add_argument(
        "--repeats", type=options.positive, default=3, help="rounds of each part; the median is printed"
    )
    parser.add_argument("--once", help=argparse.SUPPRESS)


def rows(given: argparse.Namespace) -> Iterator[Row]:
    if given.once:
        once(Path(given.once))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = write_head(Path(name), given.rows, given.dim)
        parts, floors = measure_parts(folder, given.rows, given.dim, given.repeats)
        whole = whole_command(folder)
    head: Row = {"rows": given.rows, "dim": given.dim}
    for part, seconds in parts.items():
        floor = floors[part]
        yield {**head, "part": part, "seconds": seconds, "floor": floor, "seconds/floor": seconds / floor}
    floor = sum(floors.values())
    yield {**head, "part": ALL, **whole, "floor": floor, "seconds/floor": whole["seconds"] / floor}


def section(found: list[Row]) -> str:
    """Each part against the least it could take, and the whole."""
    whole = next(row for row in found if row["part"] == ALL)
    lines = [
        [str(row["part"]), *(shown(row, column, ".2f") for column in ("seconds", "floor", "seconds/floor"))]
        for row in found
    ]
    size = f"{int(whole['rows']):,} × {int(whole['dim']):,}"
    return f"""## A language model's head

Word pairs measured on a {size} half-precision head from its file alone: {CONCEPTS} concepts of {PAIRS} pairs.
Floors: the file's bytes read, half of the covariance's product in float32, one Cholesky factor in float64.

{table(["part", "seconds", "floor", "× floor"], lines)}

The whole took {shown(whole, "cpu_seconds", ".1f")} s of processor time, and held at most
{shown(whole, "peak_gigabytes", ".2f")} GB, everything included.
"""


def write_head(folder: Path, vocabulary: int, dim: int) -> Path:
    """A model folder that holds one tensor: the head, with five planted concepts."""
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, PreTrainedTokenizerFast

    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    words = [*special.values(), "<mask>", *(f"word{i}" for i in range(vocabulary - SPARE))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=dim,
        num_attention_heads=1,
        tie_word_embeddings=False,
        architectures=["LlamaForCausalLM"],
    )
    config.save_pretrained(folder)
    draw = torch.Generator().manual_seed(0)
    scale = torch.linspace(0.2, 2, dim) / 64
    head = torch.empty(vocabulary, dim, dtype=torch.float16)
    for part in head.split(4096):
        part.copy_(torch.randn(part.shape, generator=draw) * scale)
    ids = torch.arange(SPARE, SPARE + 2 * PAIRS * CONCEPTS).reshape(CONCEPTS, 2, PAIRS)
    for low, high in ids:
        head[high] = (head[low] + torch.randn(dim, generator=draw) * scale).half()
    save_file({"lm_head.weight": head}, folder / "model.safetensors")
    pairs = {
        f"concept{c}": [
            [f"word{int(i) - SPARE}", f"word{int(j) - SPARE}"] for i, j in zip(*ids[c], strict=True)
        ]
        for c in range(CONCEPTS)
    }
    (folder / "pairs.json").write_text(json.dumps(pairs))
    return folder


def measure_parts(
    folder: Path, vocabulary: int, dim: int, repeats: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Each part as it is done, and the least it could take on this machine."""
    from linrep.llm.inner import causal_from_covariance, covariance
    from linrep.llm.loading import load_tokenizer
    from linrep.llm.source import locate
    from linrep.llm.weights import read_table

    source = locate(folder)
    tokenizer = load_tokenizer(source)
    file = folder / "model.safetensors"
    table = read_table(source, tokenizer)
    cov = covariance(table.vectors, table.usable)
    a, b = torch.randn(512, 512), torch.randn(512, 512, dtype=torch.float64)
    calls = {
        "head out of the file": lambda: read_table(source, tokenizer),
        "covariance": lambda: covariance(table.vectors, table.usable),
        "factor of the covariance": lambda: causal_from_covariance(cov, rows=vocabulary, centred=True),
        "bytes": file.read_bytes,
        "product": lambda: torch.mm(a, a),
        "double": lambda: torch.mm(b, b),
    }
    times = timing.medians(calls, repeats, seconds=60)
    flop, double = times.pop("product") / 2**28, times.pop("double") / 2**28
    floors = {
        "head out of the file": times.pop("bytes"),
        # Half a table's product with itself, in float32: it is symmetric.
        "covariance": vocabulary * dim**2 * flop,
        # One Cholesky factor, in float64: where it exists no eigendecomposition is made.
        "factor of the covariance": dim**3 / 3 * double,
    }
    return times, floors


def whole_command(folder: Path) -> dict[str, float]:
    """The whole measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks", "lm", "--once", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def once(folder: Path) -> None:
    import transformers.models.llama.modeling_llama  # noqa: F401  what every measurement must import

    from linrep.llm import measure

    pairs = {k: [tuple(p) for p in v] for k, v in json.loads((folder / "pairs.json").read_text()).items()}
    start, cpu = time.perf_counter(), time.process_time()
    measure(folder, pairs, seed=0)
    found = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_gigabytes": memory.process_peak() / 1e9,
    }
    print(json.dumps(found))
