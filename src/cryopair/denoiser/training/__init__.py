"""Training of denoisers on pairs of half-sums: the training set, its pairs, and one step after another."""

from .train import PIXEL_SIZE, TrainingSettings, train

__all__ = ["PIXEL_SIZE", "TrainingSettings", "train"]
