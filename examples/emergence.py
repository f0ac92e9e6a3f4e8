# %% [markdown]
# # Emergence, step by step
#
# When do directions appear? A run is measured at snapshots, spaced by the logarithm of the step; each is a
# look at F and G as they were then.

# %%
import linrep

result = linrep.run(
    world={"kind": "random", "concepts": 3},
    runs=6,
    training={"optimizer": "gd", "steps": 1000, "snapshots": 16},
    progress=False,
)

# %% [markdown]
# From small starts some runs end on a plateau. Here are those that converged, in the mean: random clouds at
# first, and directions while the loss falls.

# %%
ended = result.summary.ended.per_run
print(ended)
converged = [run for run, how in enumerate(ended) if how == "converged"]
values = result.trace.query("kind == 'value' and concept == '' and run in @converged")
wanted = {"linearity": "unembedding", "alignment": "", "excess_loss_nats": ""}
told = values[values["table"] == values["measure"].map(wanted)]
course = told.pivot_table(index="step", columns="measure", values="value", aggfunc="mean")
course.iloc[::3].round(4)

# %%
excess = course["excess_loss_nats"]
print("linearity passes 0.9 at step", course.index[course["linearity"] > 0.9].min())
print("a tenth of the excess loss is left at step", excess.index[excess < excess.iloc[0] / 10].min())
print("a hundredth of it is left at step", excess.index[excess < excess.iloc[0] / 100].min())

# %%
result.plot("linearity")
