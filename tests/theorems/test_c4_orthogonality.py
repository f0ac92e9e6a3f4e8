"""Claim C4: learning concept j moves embeddings across steering vectors of concepts outside its blanket."""

import math

import torch

from linrep.theory.additive import additive_logits
from linrep.theory.factors import balanced_factors
from linrep.theory.log_odds import predicted_log_odds
from linrep.theory.ridge import ridge_path
from linrep.worlds.concepts import chain, from_tables
from linrep.worlds.contexts import world


def tables(toy, scale=40.0):
    logits = toy.joint[toy.tokens].log() + scale * additive_logits(toy.codes, toy.token_codes)
    return balanced_factors(logits, tolerance=1e-13)[:2]


def test_identity_on_matched_tables_and_zero_outside_the_blanket():
    toy = world(chain(4, generator=torch.Generator().manual_seed(0)))
    f, g = tables(toy)
    row = {tuple(code): n for n, code in enumerate(toy.codes.tolist())}
    values = predicted_log_odds(toy).values
    seen, outside = 0, []
    for code, d0 in row.items():
        for i in range(4):
            for j in range(4):
                if code[i] != 2 or code[j] != 0:
                    continue
                d1 = row[(*code[:j], 1, *code[j + 1 :])]
                fill = [0 if digit == 2 else digit for digit in code]
                c0 = int("".join(map(str, fill)), 2)
                c1 = c0 + 2 ** (3 - j)
                stride = 2 ** (3 - i)
                left = f[d1] @ (g[c1 + stride] - g[c1]) - f[d0] @ (g[c0 + stride] - g[c0])
                right = values[c1, i] - values[c0, i]
                torch.testing.assert_close(left, right, atol=1e-8, rtol=0)
                seen += 1
                if j not in toy.model.markov_blanket(i):
                    outside.append(float(right))
    assert seen > 100
    assert max(map(abs, outside)) < 1e-12


def test_cosine_falls_as_norms_grow_even_inside_the_blanket():
    """A dependent pair: Δf_j(d)·Δg_i stays below the difference of log-odds, so the cosine falls."""
    tables_of = {"j": [[0.5, 0.5]], "i": [[0.8, 0.2], [0.2, 0.8]]}
    model = from_tables(["j", "i"], tables_of, parents={"i": ["j"]})
    codes = torch.tensor([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]], dtype=torch.int8)
    toy = world(model, codes=codes)
    cosines = []
    for point in ridge_path(toy, [1e-2, 1e-4, 1e-8], dim=2, generator=torch.Generator().manual_seed(0)):
        moved = point.embedding[5] - point.embedding[2]
        for zero in (0, 2):
            steering = point.unembedding[zero + 1] - point.unembedding[zero]
            assert 0 < float(moved @ steering) < 2 * math.log(4) + 1e-6
        cosines.append(float(torch.cosine_similarity(moved, steering, dim=0)))
    assert cosines[0] > 1.4 * cosines[1] > 2 * cosines[2]
