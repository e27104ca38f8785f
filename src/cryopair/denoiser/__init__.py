"""Noise2Noise denoising: training on even/odd pairs, model files, exact tiled inference."""
