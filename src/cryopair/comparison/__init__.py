"""Denoisers side by side on the same halves: ours, Topaz's, cryoSPARC's, simple filters."""
