"""Finding particles on denoised micrographs."""
