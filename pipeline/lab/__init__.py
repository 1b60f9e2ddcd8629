"""Training on a lab's own labelled sessions: reading, nested cross-validation, baselines, weights and their card."""
