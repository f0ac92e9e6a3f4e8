"""The state a model's head reads for each context, and on request the residual stream at every layer: in
batches by length, halved when memory runs out, with finished parts kept on disk.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.files import write_file
from linrep.llm.forward import HEAD, batch_states, out_of_memory, padding_is_seen, require_residual
from linrep.llm.loading import LanguageModel, fingerprint
from linrep.progress import stage

log = logging.getLogger("linrep.llm")

PART = 256
"""Contexts in one file of the cache."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """States of contexts, read where the record says."""

    places: tuple[str, ...]
    """`head`: what the head reads, after the final norm. `0`..`L`: the residual stream after that many
    blocks, before the final norm."""
    vectors: Float[Tensor, "contexts places dim"]
    logits: Float[Tensor, "contexts tokens"]
    """The model's own next-token logits for `logit_ids`, with everything the model does to them."""
    logit_ids: Int64[Tensor, " tokens"]
    token: str
    """Which token's state: "last", "mask" (masked models) or "mean" (headless encoders)."""
    batch_size: int
    """The batch size in use at the end: smaller than asked after an out-of-memory error."""

    def at(self, place: str | int) -> Float[Tensor, "contexts dim"]:
        """The states at one place."""
        return self.vectors[:, self.places.index(str(place))]


def read_states(
    lm: LanguageModel,
    texts: Sequence[str],
    *,
    layers: Sequence[int] = (),
    logit_ids: Sequence[int] = (),
    batch_size: int = 32,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> States:
    """The state of each context, batched by length.

    Naively: `torch.stack([model.base_model(**tok(t, return_tensors="pt")).last_hidden_state[0, -1] for t in
        texts])`.

    Args:
        lm: The model.
        texts: Contexts; trailing blanks are cut, since the next word brings its own.
        layers: Layers to read beside the head, 0..L.
        logit_ids: Token ids whose logits are kept.
        batch_size: Contexts at a time; halved on running out of memory.
        cache: Folder for finished parts; a later call with the same model, texts and places resumes there.
        progress: Called with (done, all).

    Returns:
        States in float32 (float64 if the model's), in the order of `texts`.

    Raises:
        InputError: If a text has no token, is too long for the model, or one context alone does not fit in
            memory.
    """
    encoded = [encode_context(lm, text) for text in texts]
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
    if layers and encoded:
        require_residual(lm, encoded[order[-1]])
    folder = None
    places = (HEAD, *(str(layer) for layer in sorted(set(layers))))
    if cache is not None:
        folder = cache / _cache_key(lm, encoded, places, logit_ids)
        folder.mkdir(parents=True, exist_ok=True)
    parts: list[tuple[Tensor, Tensor]] = []
    runner = _Batches(
        lm, [int(p) for p in places[1:]], torch.tensor(list(logit_ids), dtype=torch.int64), batch_size
    )
    if len(encoded) > 1 and len(encoded[order[0]]) < len(encoded[order[-1]]):
        runner.look_at_padding(encoded[order[0]], encoded[order[-1]])
    with stage("contexts") as advance:
        for start in range(0, len(order), PART):
            file = None if folder is None else folder / f"part-{start // PART:05d}.safetensors"
            part = _load_part(file)
            if part is None:
                part = runner([encoded[i] for i in order[start : start + PART]])
                _save_part(file, part)
            parts.append(part)
            for tell in (advance, *(() if progress is None else (progress,))):
                tell(min(start + PART, len(order)), len(order))
    back = torch.argsort(torch.tensor(order, dtype=torch.int64))
    return States(
        places=places,
        vectors=torch.cat([vectors for vectors, _ in parts])[back],
        logits=torch.cat([logits for _, logits in parts])[back],
        logit_ids=runner.logit_ids,
        token={"causal": "last", "masked": "mask", "encoder": "mean"}[lm.kind],
        batch_size=runner.batch_size,
    )


def encode_context(lm: LanguageModel, text: str) -> list[int]:
    """Token ids of a context as the model expects to see it: its start token, if it has one, and no end
    token.

    No chat template is applied (R12). A masked model gets its mask token where the next word would stand.
    """
    tokenizer = lm.tokenizer
    if lm.kind == "masked":
        ids = tokenizer(f"{text.rstrip()} {tokenizer.mask_token}")["input_ids"]
        return ids[: len(ids) - 1 - ids[::-1].index(tokenizer.mask_token_id) + 1]
    ids = list(tokenizer(text.rstrip())["input_ids"])
    plain = list(tokenizer(text.rstrip(), add_special_tokens=False)["input_ids"])
    if lm.kind == "causal" and ids and plain and ids[-1] != plain[-1]:
        ends = {tokenizer.eos_token_id, tokenizer.sep_token_id}
        while ids and ids[-1] in ends:
            ids.pop()
    limit = getattr(lm.model.config, "max_position_embeddings", None)
    if not ids:
        raise InputError(f"contexts: {text!r} has no token; drop it")
    if limit is not None and 0 < limit < len(ids):
        raise InputError(
            f"contexts: {text[:40]!r}… has {len(ids)} tokens, the model takes {limit}; shorten it"
        )
    return ids


class _Batches:
    """Runs batches and remembers the batch size that fits."""

    def __init__(self, lm: LanguageModel, layers: list[int], logit_ids: Tensor, batch_size: int) -> None:
        self.lm, self.layers, self.logit_ids, self.batch_size = lm, layers, logit_ids, batch_size
        self.equal_lengths = False

    def look_at_padding(self, short: list[int], long: list[int]) -> None:
        """Where padding changes what is read, or two rows do not fit, rows of equal length go together."""
        try:
            self.equal_lengths = padding_is_seen(self.lm, short, long)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            self.equal_lengths = True

    def __call__(self, encoded: list[list[int]]) -> tuple[Tensor, Tensor]:
        vectors: list[Tensor] = []
        logits: list[Tensor] = []
        start = 0
        while start < len(encoded):
            batch = encoded[start : start + self.batch_size]
            if self.equal_lengths:
                batch = [row for row in batch if len(row) == len(batch[0])]
            try:
                states, values = self._run(batch)
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise InputError(
                        f"memory: one context of {len(batch[0])} tokens does not fit; "
                        "use a smaller dtype or device_map"
                    ) from None
                self.batch_size = len(batch) // 2
                log.warning("out of memory: going on with batches of %d", self.batch_size)
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                continue
            vectors.append(states)
            logits.append(values)
            start += len(batch)
        return torch.cat(vectors), torch.cat(logits)

    def _run(self, batch: list[list[int]]) -> tuple[Tensor, Tensor]:
        ids, mask = pad(batch, self.lm.tokenizer.pad_token_id or 0)
        device = self.lm.device
        found, logits = batch_states(self.lm, ids.to(device), mask.to(device), layers=self.layers)
        keep = torch.float64 if found[HEAD].dtype == torch.float64 else torch.float32
        states = torch.stack([found[p].to("cpu", keep) for p in (HEAD, *map(str, self.layers))], 1)
        if logits is None:
            return states, states.new_zeros(len(batch), 0)
        return states, logits[:, self.logit_ids.to(logits.device)].to("cpu", keep)


def pad(
    batch: Sequence[Sequence[int]], pad_id: int
) -> tuple[Int64[Tensor, "batch length"], Int64[Tensor, "batch length"]]:
    """Right-padded ids and their mask: causal attention never sees what stands to the right."""
    length = max(map(len, batch))
    ids = torch.tensor([[*row, *[pad_id] * (length - len(row))] for row in batch])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in batch])
    return ids, mask


def _cache_key(
    lm: LanguageModel, encoded: list[list[int]], places: tuple[str, ...], logit_ids: Sequence[int]
) -> str:
    data = json.dumps([encoded, places, list(logit_ids), lm.kind])
    return f"states-{fingerprint(lm)}-{hashlib.sha256(data.encode()).hexdigest()[:16]}"


def _load_part(file: Path | None) -> tuple[Tensor, Tensor] | None:
    if file is None or not file.is_file():
        return None
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        part = load_file(file)
    except SafetensorError:
        return None  # cut short while it was written: read again
    return part["vectors"], part["logits"]


def _save_part(file: Path | None, part: tuple[Tensor, Tensor]) -> None:
    if file is None:
        return
    write_file(file, {"vectors": part[0], "logits": part[1]})
