"""Particles that were picked elsewhere: which file is for which micrograph, and where its particles lie there."""
