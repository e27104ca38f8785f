"""Commands that `cli` has no room for, by what they are about."""
