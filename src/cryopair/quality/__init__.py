"""How good a denoised micrograph is, measured without ground truth."""
