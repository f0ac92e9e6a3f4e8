"""Compiles kernels for a card of compute capability 9.0 without one, as they are launched for given sizes.

Run as a program, apart from the interpreter that other tests use: a line of JSON for every kernel.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

POINTERS = {
    torch.float32: "*fp32",
    torch.float64: "*fp64",
    torch.float16: "*fp16",
    torch.int32: "*i32",
    torch.int64: "*i64",
    torch.uint8: "*u8",
}
OPTIONS = ("num_warps", "num_stages", "maxnreg", "enable_fp_fusion")
CUOBJDUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"


def compiled(function, args, kwargs):
    """Registers, bytes of spills and of shared memory of a launch, by its kernel's name."""
    options = {name: kwargs.pop(name) for name in OPTIONS if name in kwargs}
    bound = dict(zip(function.arg_names, args, strict=False)) | kwargs
    signature, constants, attributes = {}, {}, {}
    for at, parameter in enumerate(function.params):
        value = bound[parameter.name]
        if isinstance(value, torch.Tensor):
            signature[parameter.name] = POINTERS[value.dtype]
            attributes[(at,)] = [["tt.divisibility", 16]]
        elif parameter.is_constexpr or (value == 1 and not parameter.do_not_specialize):
            signature[parameter.name] = "constexpr"
            constants[(at,)] = value
        else:
            signature[parameter.name] = "i32"
            if value % 16 == 0 and not parameter.do_not_specialize:
                attributes[(at,)] = [["tt.divisibility", 16]]
    source = ASTSource(fn=function, signature=signature, constexprs=constants, attrs=attributes)
    found = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(found.asm["cubin"])
        file.flush()
        said = subprocess.run(
            [CUOBJDUMP, "--dump-resource-usage", file.name], capture_output=True, text=True, check=True
        ).stdout
    usage = dict(word.split(":") for word in said.split() if word.count(":") == 1 and word[-1].isdigit())
    return {
        "kernel": function.__name__,
        "registers": int(usage["REG"]),
        "spilled": int(usage["STACK"]),
        "shared": found.metadata.shared,
        "warps": found.metadata.num_warps,
    }


def launched(call):
    """What a call would have launched."""
    asked = []

    def note(self, *args, grid, warmup, **kwargs):
        asked.append((self, args, kwargs))

    before, triton.JITFunction.run = triton.JITFunction.run, note
    try:
        call()
    finally:
        triton.JITFunction.run = before
    return asked


def gradient(sizes, dim, runs=1, large=False, **case):
    """A gradient of one of the two forms."""
    from linrep.population.card import CardGradient
    from tests.support.populations import random_population, random_tables

    population = random_population(sizes, runs, dtype=torch.float32, **case)
    tables = random_tables(population, dim)
    CardGradient(population, dim)(*tables, normaliser=large)


def steps(sizes, dim, moments=False, runs=2, **case):
    """A stretch of gradient descent, or of Adam."""
    from linrep.population.kernels.stretches import Steps
    from linrep.population.packed import Packed
    from tests.support.populations import random_population, random_tables

    population = random_population(sizes, runs, dtype=torch.float32, **case)
    tables = random_tables(population, dim)
    Steps(Packed.of(population), dim)(*tables, [*tables, *tables] if moments else [], torch.ones(64, 3))


def sampled(sizes, dim, batch=100, runs=2, **case):
    """A stretch of SGD."""
    from linrep.population.kernels.stretches import Samples, sample_steps
    from linrep.training.minibatches import Tables
    from tests.support.populations import random_population, random_tables

    population = random_population(sizes, runs, dtype=torch.float32, **case)
    tables = Tables.of(population, None)._asdict()
    made = {name: torch.from_numpy(tables[name]) for name in Samples._fields if name != "most"}
    pairs = Samples(**made, most=max(sizes)).draw(torch.arange(runs), 0, 64, batch)
    sample_steps(*random_tables(population, dim), pairs, None, torch.ones(64))


def judged(sizes, dim, **case):
    """A gradient that judged steps stand on."""
    from linrep.population.judging import CardResiduals
    from linrep.population.packed import Packed
    from tests.support.populations import random_population, random_tables

    population = random_population(sizes, **case)
    CardResiduals(Packed.of(population), dim).gradient(*random_tables(population, dim))


def targets(concepts, dim):
    """Sums over compatible pairs of a complete binary world, which need not be here: nothing is launched."""
    from linrep.population.kernels.launches import Subsets
    from linrep.population.packed import Packed
    from tests.support.populations import random_population, random_tables

    population = random_population((2,) * 3, dtype=torch.float32)
    f, g = random_tables(population, dim)
    subsets = Subsets(Packed.of(population), concepts, dim)
    subsets.mean(g, torch.empty_like(f))
    subsets.total(f, torch.empty_like(g))


CALLS = {
    "judged": lambda: judged((2,) * 5, 5),
    "judged, 64": lambda: judged((2,) * 6, 6),
    "judged, 128": lambda: judged((2,) * 7, 7),
    "judged, wide": lambda: judged((2,) * 7, 64),
    "large": lambda: gradient((2,) * 7, 7, large=True),
    "large, masked": lambda: gradient((2,) * 6, 24, 2, fewer_tokens=3, large=True),
    "large, wide": lambda: gradient((2,) * 6, 64, large=True),
    "tile": lambda: gradient((2,) * 7, 7),
    "tile, most": lambda: gradient((2,) * 8, 8),
    "gd": lambda: steps((2,) * 5, 5),
    "adam": lambda: steps((2,) * 5, 5, moments=True),
    "gd, few": lambda: steps((2,) * 4, 4),
    "gd, 64": lambda: steps((2,) * 6, 6),
    "adam, 64": lambda: steps((2,) * 6, 6, moments=True),
    "gd, 128": lambda: steps((2,) * 7, 7),
    "gd, wide": lambda: steps((2,) * 5, 32),
    "adam, masked": lambda: steps((3, 2, 4), 20, moments=True, fewer_tokens=2),
    "sgd": lambda: sampled((2,) * 5, 5),
    "sgd, 128": lambda: sampled((2,) * 7, 7),
    "sgd, wide": lambda: sampled((2,) * 5, 64),
    "sgd, several": lambda: sampled((3, 2, 4), 5),
    "targets, 10": lambda: targets(10, 64),
    "targets, 14": lambda: targets(14, 14),
    "targets, 14 wide": lambda: targets(14, 64),
    # What takes most of a processor's shared memory, of each kind.
    "large, most": lambda: gradient((2,) * 6, 64, 2, fewer_tokens=3, large=True),
    "tile, widest": lambda: gradient((2,) * 8, 64),
    "adam, most": lambda: steps((2,) * 7, 64, moments=True),
    "sgd, most": lambda: sampled((2,) * 7, 64, batch=128),
    "tile, masked": lambda: gradient((2,) * 5, 24, 2, fewer_tokens=3),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or CALLS:
        for launch in launched(CALLS[name]):
            sys.stdout.write(json.dumps({"call": name} | compiled(*launch)) + "\n")
