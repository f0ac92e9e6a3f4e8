# %% [markdown]
# # A language model
#
# The same ruler on a transformer. `linrep lm toy` trains a small LLaMA-shaped one on a little language
# whose concepts are known, so that what must be found is known; a Hub id or a folder of any other model
# goes in its place.

# %%
import subprocess
import sys

from linrep.llm import MeasureOptions, TokenPolicy, measure

small = [
    "--quick",
    "--concepts",
    "3",
    "--facts",
    "0",
    "--steps",
    "240",
    "--quiet",
]  # seconds; without: minutes
subprocess.run([sys.executable, "-m", "linrep", "lm", "toy", "--out", "toy", *small], check=True)

# %% [markdown]
# Word pairs, such as the nouns that differ in *cold-hot* alone, give steering vectors of g. Pairs of
# contexts that differ in it give those of f, here as the head reads them, after the last layer. Three
# concepts leave four word pairs each; ten are asked for unless told otherwise.

# %%
options = MeasureOptions(policy=TokenPolicy(minimum_pairs=4))
result = measure("toy", "toy/pairs", "toy/contexts.jsonl", seed=0, options=options)
of_f = result.table.query("measure == 'linearity' and table == 'embedding'")
of_f[["concept", "value", "low", "high", "null_high", "pairs"]].round(3)

# %% [markdown]
# Are they the same directions? Each concept of f (rows) against each concept of g (columns): its own comes
# first.

# %%
alignment = result.matrix("alignment, causal, head")
alignment.round(2)
