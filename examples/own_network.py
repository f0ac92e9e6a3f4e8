# %% [markdown]
# # Your own network
#
# Concepts may depend on one another: any Bayesian network of binary variables will do, from a BIF file,
# from tables, or one of those that come with linrep.

# %%
import linrep

model = linrep.from_tables(
    ["rain", "wet", "slippery"],
    {  # a row for each value of the parent: P(no), P(yes)
        "rain": [[0.7, 0.3]],
        "wet": [[0.9, 0.1], [0.2, 0.8]],
        "slippery": [[0.9, 0.1], [0.3, 0.7]],
    },
    parents={"wet": ["rain"], "slippery": ["wet"]},
)
linrep.write_bif(model, "mine.bif")
model = linrep.read_bif("mine.bif")
print(model.names)

# %% [markdown]
# Its world holds every context that can occur, and exactly what the next token is there.

# %%
world = linrep.world(model)
truth = linrep.worlds.conditional(world)  # [contexts, tokens]
for context, row in list(zip(linrep.worlds.labels(model, world.codes), truth, strict=True))[:5]:
    print(context, [round(float(p), 3) for p in row])

# %%
result = linrep.run(
    world=model,
    runs=4,
    model={"start": "wide"},
    training={"optimizer": "gd", "steps": 1500},
    progress=False,
)
print(f"linearity of g: {result.summary.final.linearity['unembedding'].mean:.3f}")
print(f"excess loss: {result.summary.final.excess_loss_nats.mean:.5f} nats")
print(f"exact linearity would cost {result.summary.price_of_linearity_nats.mean:.5f} nats")
