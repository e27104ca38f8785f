"""Files of the outside world: MRC images, movies, STAR tables, coordinates; and writing them whole."""
