# %% [markdown]
# # A sweep, and its phase diagram
#
# Every combination of the axes is a cell; cells are trained once, kept under what they are, and found
# again. Here: linearity of g by number of concepts m and width k. Beyond k = m it falls.

# %%
import linrep

found = linrep.sweep(
    {
        "runs": 2,
        "world": {"kind": "random"},
        "model": {"start": "wide"},
        "training": {"optimizer": "gd", "steps": 400},
        "measure": {"null_draws": 2},
    },
    {"world.concepts": [2, 3, 4], "model.dim": [2, 3, 4, 8, 16]},
    progress=False,
)
found.table.head()

# %%
g = found.table.query("measure == 'linearity' and table == 'unembedding' and kind == 'value'")
phases = g.pivot_table(index="world.concepts", columns="model.dim", values="value", aggfunc="mean")
phases.round(2)

# %%
import plotly.express as px

px.imshow(phases, labels={"x": "width k", "y": "concepts m", "color": "linearity of g"}, zmin=0, zmax=1)
