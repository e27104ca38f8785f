"""Movies of a made-up specimen with known truth, as a RELION project."""
