"""Winograd pairs: one word of the text flips whom the next word names; does the state move along the
referents?
"""

from typing import Any

import torch

from linrep.intervals import mean_interval
from linrep.llm.inner import InnerProduct
from linrep.llm.resampling import NONE
from linrep.llm.states import States
from linrep.llm.tokens import TokenPairs, usable_ids
from linrep.llm.weights import VocabularyTable
from linrep.llm.winograd import WinogradPairs
from linrep.runs.row import CHANCE, NullRange, Row, Subject
from linrep.seeds import generator


def referent_rows(
    record: WinogradPairs,
    states: States,
    place: str,
    table: VocabularyTable,
    tokenizer: Any,
    tokens: TokenPairs,
    inner: InnerProduct,
    *,
    seed: int,
    draws: int,
) -> tuple[list[Row], dict[str, Any]]:
    """Mean cosine of f(text 1) − f(text 0) with g(referent of text 1) − g(referent of text 0).

    The null deals the referent differences anew to the texts and turns each at random: a fixed shared
    direction, or a liking for whichever word comes first, survives neither.

    Args:
        record: The texts and their referents.
        states: Of all text0, then all text1.
        place: Where they are read.
        table: The unembedding table.
        tokenizer: Reads the referents, by the policy `tokens` records.
        tokens: Names the leading space and the multi-token rule in use.
        inner: The gauge.
        seed: Of the null.
        draws: Of each.

    Returns:
        Rows, and how many pairs were kept and dropped for want of single-token referents.
    """
    ids = [
        tuple(
            usable_ids(tokenizer, word, tokens.leading_space, tokens.multi_token, table.usable)
            for word in words
        )
        for words in zip(record.referent0, record.referent1, strict=True)
    ]
    kept = [i for i, (first, second) in enumerate(ids) if first and second and first != second]
    counts: dict[str, Any] = {
        "kept": len(kept),
        "dropped": len(ids) - len(kept),
        "reason": "a referent has no row of its own",
    }
    if not kept:
        return [], counts
    rows = [
        torch.stack([table.vectors[list(ids[i][side] or ())].to("cpu", torch.float64).mean(0) for i in kept])
        for side in (0, 1)
    ]
    at = torch.tensor(kept)
    vectors = states.at(place)
    moved = inner.embedding(vectors[len(record) + at]) - inner.embedding(vectors[at])
    meant = inner.unembedding(rows[1]) - inner.unembedding(rows[0])
    still = (moved == 0).all(1)
    if bool(still.any()):
        counts |= {"kept": int((~still).sum()), "equal_states": int(still.sum())}
        moved, meant = moved[~still], meant[~still]
        if not len(moved):
            return [], counts
    cosines = torch.nn.functional.normalize(moved, dim=1) @ torch.nn.functional.normalize(meant, dim=1).mT
    value = cosines.diagonal()
    number = len(moved)
    between = mean_interval(value, within=(-1, 1)) or NONE
    draw = generator(seed, "null", 20)
    dealt = torch.rand(draws, number, dtype=torch.float64, generator=draw).argsort(1)
    turned = torch.randint(0, 2, (draws, number), generator=draw) * 2 - 1
    null = NullRange.of((cosines[torch.arange(number), dealt] * turned).mean(1))
    about = Subject(table="both", inner=inner.name, layer=place, concept="winograd", pairs=number)
    return [
        about.row("alignment", float(value.mean()), between, null),
        about.row("referent_accuracy", float((value > 0).to(torch.float64).mean()), null=CHANCE),
        about.row("aligned", float(between[0] > null.high)),
    ], counts
