"""The networks that can denoise: our own, and Topaz's for their trained weights."""
