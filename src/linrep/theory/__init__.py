"""THE PREDICTION: closed forms and convex programs. It may not see the ruler, nor the ruler it."""
