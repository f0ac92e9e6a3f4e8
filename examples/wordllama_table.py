# %% [markdown]
# # A real table: wordllama
#
# The package [wordllama](https://pypi.org/project/wordllama/) (`pip install wordllama`, 19 MB, not a
# dependency of linrep) ships a trained table: 256 numbers for each of LLaMA-2's 32,000 tokens. What can be
# asked of it, and what not?

# %%
# needs: wordllama
from pathlib import Path

import torch
import wordllama
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

from linrep.llm import MeasureOptions, paper

folder = Path(wordllama.__file__).parent
(name, table), *others = load_file(folder / "weights" / "l2_supercat_256.safetensors").items()
file = folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
tokenizer = PreTrainedTokenizerFast(
    tokenizer_file=str(file), unk_token="<unk>", bos_token="<s>", eos_token="</s>"
)
print(name, tuple(table.shape), table.dtype, others or "and nothing else")

# %% [markdown]
# One tensor, `embedding.weight`: an *input* table. By the package's own words it began as token embeddings
# of larger models, and is read by the mean of a text's rows. Nothing is ever predicted with it, so there is
# no head g, no state f, no logit f·g. What needs them means nothing here: log-odds, alignment, steering in
# nats, Winograd pairs, and the causal inner product, whose reason is that logits do not change when f and g
# turn against each other (it can still be computed: it whitens the table). What asks only how rows lie to
# each other does mean something: linearity of word pairs, and overlap of different concepts, under the
# Euclidean inner product.

# %%
options = MeasureOptions(inner="euclid", table="input")
found = paper((table, tokenizer), "builtin", None, None, seed=0, options=options)
linear, overlap = found.headline("linearity"), found.headline("overlap")
for what, row in (("linearity", linear), ("overlap", overlap)):
    print(f"{what} {row.value:.3f} [{row.low:.3f}, {row.high:.3f}],", end=" ")
    print(f"by chance [{row.null.low:.3f}, {row.null.high:.3f}]")

# %% [markdown]
# Concept by concept, most linear first. `found` says that the interval lies above what random pairs of
# tokens give.

# %%
rows = found.result.table.query("table == 'unembedding'")
linearity = rows.query("measure == 'linearity'").set_index("concept")[
    ["value", "low", "high", "null_high", "pairs"]
]
beyond = rows.query("measure == 'found'").set_index("concept")["value"].astype(bool)
linearity = linearity.assign(found=beyond).sort_values("value", ascending=False)
print(linearity.round(3).to_string())
print(f"{int(beyond.sum())} of {len(beyond)} concepts are beyond chance")

# %% [markdown]
# The control: the same table with its rows dealt to other tokens. The same vectors, no concepts.

# %%
shuffled = table[torch.randperm(len(table), generator=torch.Generator().manual_seed(0))]
control = paper((shuffled, tokenizer), "builtin", None, None, seed=0, options=options)
nothing = control.headline("linearity")
print(f"linearity {nothing.value:.3f} [{nothing.low:.3f}, {nothing.high:.3f}]")

# %% [markdown]
# The page with both figures: `Path("wordllama.html").write_text(found.page())`.
