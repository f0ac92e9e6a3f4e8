# %% [markdown]
# # A first run
#
# Four binary concepts make 16 tokens, one at every corner of a cube. A predictor is shown contexts that
# know some of the concepts, and learns a vector for each context (F) and each token (G) by next-token
# prediction alone.

# %%
import linrep

result = linrep.run(
    world={"kind": "random", "concepts": 4},
    runs=4,
    model={"start": "wide"},  # first a while at twice the width: a small start often ends on a plateau
    training={"optimizer": "gd", "steps": 1500},  # whole gradients, at steps under which the loss never rises
    progress=False,
)
result

# %% [markdown]
# Every measure has its value over runs, an interval and a null: the same measure where there is nothing to
# find.

# %%
final = result.summary.final
for name, found in (("linearity of g", final.linearity["unembedding"]), ("alignment", final.alignment)):
    print(f"{name}: {found.mean:.3f}, interval {found.interval95}, null {found.null.mean:.3f}")
print(f"excess loss: {final.excess_loss_nats.mean:.5f} nats")

# %% [markdown]
# The whole course of training is a tidy table, and any measure of it a figure.

# %%
result.trace.query("measure == 'linearity' and table == 'unembedding'").tail(4)

# %%
result.plot("linearity")
