"""Published Bayesian networks, written from their tables: asia, cancer, earthquake.

- asia: S. L. Lauritzen and D. J. Spiegelhalter, Local computations with probabilities on graphical
  structures and their application to expert systems, Journal of the Royal Statistical Society B 50 (1988).
- cancer, earthquake: K. B. Korb and A. E. Nicholson, Bayesian Artificial Intelligence, 2nd edition (2010).
"""
