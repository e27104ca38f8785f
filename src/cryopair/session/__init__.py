"""A session over time: which movies belong to which shard, what is trained on, what a pass does."""
