# %% [markdown]
# # The prediction beside the run
#
# What must the geometry become, if training went on for ever? Theory answers before anything is trained,
# with a certificate: when there is room (width k at least the number of tokens), linearity of four concepts
# is only 0.175.

# %%
import linrep

wide = linrep.predict({"kind": "independent", "concepts": 4}, dim=16)
print(f"predicted linearity of g at k = 16: {wide.geometry.linearity_unembedding:.3f}")

# %%
result = linrep.run(
    world={"kind": "independent", "concepts": 4, "probability_range": [0.5, 0.5]},
    dim=16,
    runs=4,
    training={"optimizer": "gd", "steps": 2000},
    progress=False,
)
print(f"measured: {result.summary.final.linearity['unembedding'].mean:.3f}, still on its way down")

# %% [markdown]
# The way there is slow, as norms must grow. The page of a run draws the limit into every trace, and says
# how far from it the run is. As a figure of one's own:

# %%
result.plot("linearity")
