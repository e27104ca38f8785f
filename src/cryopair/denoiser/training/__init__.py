"""Training of denoisers on pairs of half-sums: the training set, its pairs, and one step after another."""
