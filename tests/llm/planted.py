"""A language model whose geometry is planted: its state is the last token's embedding, its head what we
wrote.

Every block of a LLaMA adds nothing (its output projections are zero), so the state is the embedding of the
last token over its root mean square. Each context (concept, swap, side) ends in a token of its own, whose
embedding holds the concept's direction, as the head's rows do.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from linrep.llm.paired_contexts import PairedContexts
from linrep.llm.winograd import WinogradPairs

from .tiny import tiny, word_tokenizer

CONCEPTS = ("red", "green", "blue", "nothing")
"""The last one's signal is zero."""
PAIRS, SWAPS, FRAMES, DIM = 30, 8, 6, 64


@dataclass(frozen=True)
class Planted:
    model: Any
    tokenizer: Any
    directions: Tensor
    pairs: dict[str, list[tuple[str, str]]]
    contexts: tuple[PairedContexts, ...]
    winograd: WinogradPairs

    @property
    def pair(self) -> tuple[Any, Any]:
        return self.model, self.tokenizer


def planted(*, noise: float = 0.5, angle: float = 1.0, seed: int = 0, filler: int = 300) -> Planted:
    """`noise`: length of each steering vector's own part, the concept's being 1; `angle`: cosine of Δf,
    Δg.
    """
    draw = torch.Generator().manual_seed(seed)
    pairs = {c: [(f"{c}low{i}", f"{c}high{i}") for i in range(PAIRS)] for c in CONCEPTS}
    ends = {(c, s, v): f"{c}end{s}v{v}" for c in CONCEPTS for s in range(SWAPS) for v in (0, 1)}
    frames = [f"frame{j}" for j in range(FRAMES)]
    words = [w for group in pairs.values() for p in group for w in p]
    tokenizer = word_tokenizer([*words, *ends.values(), *frames, *(f"filler{i}" for i in range(filler))])
    basis = torch.linalg.qr(torch.randn(DIM, DIM, generator=draw)).Q
    model = tiny("llama", tokenizer, dim=DIM, layers=2)
    ids = tokenizer.get_vocab()

    def own(size: float) -> Tensor:
        return size * torch.nn.functional.normalize(torch.randn(DIM, generator=draw), dim=0)

    with torch.no_grad():
        for block in model.model.layers:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
        head, table = model.lm_head.weight, model.model.embed_tokens.weight
        head.copy_(0.7 * torch.randn(head.shape, generator=draw) / DIM**0.5)
        for i, concept in enumerate(CONCEPTS):
            g = basis[i] * (concept != "nothing")
            f = angle * g + (1 - angle**2) ** 0.5 * basis[i + 8] * (concept != "nothing")
            for low, high in pairs[concept]:
                base = own(1.0)
                head[ids[low]], head[ids[high]] = base, base + g + own(noise)
            for swap in range(SWAPS):
                base = own(1.0)
                table[ids[ends[concept, swap, 0]]] = base
                table[ids[ends[concept, swap, 1]]] = base + f + own(noise)
    made = [(s, j) for s in range(SWAPS) for j in frames]
    contexts = tuple(
        PairedContexts(
            concept=c,
            context0=tuple(f"{j} {ends[c, s, 0]}" for s, j in made),
            context1=tuple(f"{j} {ends[c, s, 1]}" for s, j in made),
            frame=tuple(j for _, j in made),
            word0=("",) * len(made),
            word1=("",) * len(made),
            provenance="planted",
        )
        for c in CONCEPTS
    )
    some = [(c, s) for c in CONCEPTS[:3] for s in range(SWAPS)]
    winograd = WinogradPairs(
        text0=tuple(f"frame0 {ends[c, s, 0]}" for c, s in some),
        text1=tuple(f"frame0 {ends[c, s, 1]}" for c, s in some),
        options=tuple(pairs[c][s] for c, s in some),
        answers=((0, 1),) * len(some),
        provenance="planted",
    )
    return Planted(model, tokenizer, basis[: len(CONCEPTS)], pairs, contexts, winograd)
