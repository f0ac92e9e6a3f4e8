"""THE DESCENT. From a population to trained vectors F and G: gradient descent, SGD, Adam, and checkpoints."""
