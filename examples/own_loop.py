"""A training loop of one's own in plain PyTorch, with linrep's ruler in it."""

# %% [markdown]
# # Your own training loop
#
# Plain PyTorch, with the ruler in it: a look at F and G at any step costs milliseconds.

# %%
import torch

import linrep

world = linrep.world(linrep.load_network("cancer"))  # contexts, tokens and the exact p(token | context)
truth = linrep.worlds.conditional(world)
torch.manual_seed(0)
F = (0.1 * torch.randn(len(world.codes), 5, dtype=torch.float64)).requires_grad_()  # of contexts
G = (0.1 * torch.randn(len(world.tokens), 5, dtype=torch.float64)).requires_grad_()  # of tokens
optimizer = torch.optim.Adam([F, G], lr=0.05)
ruler = linrep.Ruler(world)
for step in range(501):
    if step % 50 == 0:
        values = ruler(F, G, step=step)
        print(step, values["linearity", "unembedding"], values["alignment", ""])
    loss = -(truth * torch.log_softmax(F @ G.T, 1)).sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    if step < 500:
        optimizer.step()
print(linrep.measure(F, G, world=world))  # in full: nulls, intervals, numbers of pairs
ruler.plot("linearity")  # a plotly figure; ruler.trace is the table behind it
