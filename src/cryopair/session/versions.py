"""Versions of the stages' algorithms.

A stage's version is part of its rule's parameters (and those of halves, freeze and train, of the model's id). Raise
it when the same input would give other results, so that the stage and what follows from it run again; Snakemake
cannot see changes inside the package.
"""

VERSIONS = {
    "align": 1,
    "halves": 3,
    "freeze": 3,
    "train": 6,
    "denoise": 4,
    "measure": 6,
    "templates": 3,
    "pick": 5,
    "handoff": 2,
    "extract": 2,
    "merge": 3,
    "report": 3,
}
