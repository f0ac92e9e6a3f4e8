# %% [markdown]
# # Your own vectors
#
# The ruler needs no model: rows, and what each row is. Here 32 rows of five binary concepts, once as a cube
# with noise, once as noise alone. A value means something where it lies beyond its null.

# %%
import itertools

import numpy as np

import linrep

codes = list(itertools.product([0, 1], repeat=5))
names = ["gender", "number", "tense", "person", "mood"]
rng = np.random.default_rng(0)
noise = rng.normal(size=(32, 8))
cube = codes @ rng.normal(size=(5, 8)) + 0.5 * noise
for what, vectors in (("noise", noise), ("cube", cube)):
    found = linrep.measure(vectors, codes=codes, names=names, progress=False)
    linearity = found.measures["linearity", "unembedding"]
    print(what, round(linearity.mean, 3), "where 95 % of chance lies below", round(linearity.null.q95, 3))

# %% [markdown]
# Concept by concept, and how much different concepts overlap:

# %%
found.table.query("measure == 'linearity'")

# %%
found.matrix("orthogonality.mean_directions").round(2)

# %%
found.plot()
