"""THE WORLD. Concepts and their joint, the contexts and tokens they make, and exact truths about them."""
