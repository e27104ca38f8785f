"""Temporary: moves here."""

from .denoiser.device import choose_device as choose_device
