"""How the specimen moved during an exposure: RELION's motion model, read, written and evaluated."""
