"""cryopair: Noise2Noise denoising and particle picking for cryoEM sessions, inside a RELION project."""

__version__ = "0.1.0"
