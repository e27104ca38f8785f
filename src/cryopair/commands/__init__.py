"""The commands, by what they are about: each has a function that adds its options, and one that does it."""
