"""What the camera adds to an image: its gain, and the pixels, rows and columns that do not work."""
