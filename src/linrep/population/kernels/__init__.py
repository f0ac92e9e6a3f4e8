"""Kernels for CUDA, in Triton: read only where a card is at hand, or by Triton's interpreter on the CPU.

They know of tables, weights and packed states, and of nothing else in the house; what asks for them is
:mod:`linrep.population.card`, and for whole steps :mod:`linrep.training.on_card`. Every one computes what a
few lines of PyTorch compute in these rooms, which serve where there is no card, and are the oracle.
"""
