"""A training from its job to its weights: `job` says all that it is, `loop` does it; neither knows Ray.

`weights` are what it starts from and leaves, `watching` looks on without touching it, `predicting` runs what came of
it, and `distributed` spreads it over processes and clusters.
"""
