"""What cryopair understands of a file, in a few lines: ``cryopair inspect``."""

from .dispatch import inspect

__all__ = ["inspect"]
