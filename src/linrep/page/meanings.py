"""What each measure means, in a sentence or two: one tap away wherever it is shown."""

MEANINGS = {
    "linearity": "Take every two tokens (for f: contexts) that differ in one concept alone; the way from the "
    "one to the other is a steering vector. Linearity is the mean cosine between all steering vectors of a "
    "concept: 1 if it is one direction wherever it changes, 0 if its directions have nothing in common.",
    "alignment": "The mean cosine between a concept's steering vectors of contexts (Δf) and of tokens (Δg): "
    "1 if knowing a concept moves a context the way the concept moves a token.",
    "orthogonality.mean_directions": "The mean |cosine| between the mean directions of two different "
    "concepts: 0 if they are orthogonal, 1 if they lie on one line.",
    "orthogonality.rms": "The root mean square cosine between all steering vectors of two different "
    "concepts. It also counts how far single vectors stray from their mean direction.",
    "additive_share": "The share of a table's variation that a sum of one vector for each concept explains: "
    "1 if concepts never act together.",
    "excess_loss_nats": "The loss above the least that any predictor could have, the entropy of the true "
    "conditionals: the mean KL divergence from the truth, in nats.",
    "log_odds_gap_nats": "For a concept that a context leaves open, f(d)·Δg should be the true log-odds of "
    "its two values. The gap is the root mean square difference, in nats, beside that of always saying zero.",
    "margin": "For a concept that a context knows, the logit difference towards the right value, in nats. "
    "Under gradient descent it goes on growing, as the logarithm of time.",
    "gauge_imbalance": "Every invertible map A gives tables FA, GA⁻ᵀ with the same logits but other cosines. "
    "Gradient descent keeps FᵀF = GᵀG, the balanced gauge; this is how far the tables are from it.",
    "simplex_share": "The share of a concept's energy in g that lies in one dimension fewer than it has "
    "states: 1 if its states span a simplex of the same shape wherever they stand.",
    "simplex_deviation_degrees": "How far the angles between the steering vectors of one concept are from "
    "those of a regular simplex, in degrees.",
    "hierarchy_overlap": "The |cosine| between the direction of a parent concept and the way from it to a "
    "concept nested in it: 0 if a finer distinction is orthogonal to the coarser one.",
}
"""By name in the trace."""
