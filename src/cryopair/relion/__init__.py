"""At home in RELION's pipeline: External jobs, so that what cryopair makes has its place and its edges there."""
